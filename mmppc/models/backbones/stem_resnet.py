"""mmseg's ResNet that also returns the output of its stem."""

from mmseg.models.backbones import ResNet
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.utils.checkpoint import check_pretrained


@MODELS.register_module()
class StemResNet(ResNet):
    """ResNet whose first level is the stem behind its max pooling, as IRN's boundary network needs it.

    IRN: ``depth=50, strides=(1, 2, 2, 1), frozen_stages=4, norm_eval=True`` gives levels of (64, 256, 512, 1024, 2048)
    channels at the strides (4, 4, 8, 16, 16); their sizes are ceil(H / stride), ceil(W / stride). ``frozen_stages`` and
    ``norm_eval`` are mmseg's: 0 freezes the stem, k also the first k layers, 4 everything. All arguments are those of
    mmseg's ``ResNet``; parameters have torchvision's names.
    """

    def init_weights(self) -> None:
        """As in mmengine, but a ``Pretrained`` checkpoint that does not fit is refused.

        Raises:
            FileNotFoundError: The checkpoint is missing.
            ValueError: It is of another network.
        """
        check_pretrained(self)
        super().init_weights()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Pictures (N, in_channels, H, W) to the pooled stem and the layers of ``out_indices``, low to high."""
        x = self.stem(x) if self.deep_stem else self.relu(self.norm1(self.conv1(x)))
        x = self.maxpool(x)
        levels = [x]
        for index, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                levels.append(x)
        return tuple(levels)

    def train(self, mode: bool = True) -> 'StemResNet':
        """As in mmseg, but returns itself, as ``nn.Module.train`` does."""
        super().train(mode)
        return self
