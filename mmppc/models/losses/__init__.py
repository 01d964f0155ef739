from .affinity_loss import AffinityLoss
from .displacement_loss import DisplacementLoss
from .equivariance_loss import EquivarianceLoss
from .pixel_prototype_contrast_loss import PixelPrototypeContrastLoss
from .saliency_loss import SaliencyLoss
from .tag_classification_loss import TagClassificationLoss
from .weighted_cross_entropy_loss import WeightedCrossEntropyLoss

__all__ = [
    'AffinityLoss',
    'DisplacementLoss',
    'EquivarianceLoss',
    'PixelPrototypeContrastLoss',
    'SaliencyLoss',
    'TagClassificationLoss',
    'WeightedCrossEntropyLoss',
]
