from .equivariance_loss import EquivarianceLoss
from .pixel_prototype_contrast_loss import PixelPrototypeContrastLoss
from .tag_classification_loss import TagClassificationLoss

__all__ = ['EquivarianceLoss', 'PixelPrototypeContrastLoss', 'TagClassificationLoss']
