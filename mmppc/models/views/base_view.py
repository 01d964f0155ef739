"""What all views share."""

from abc import ABCMeta, abstractmethod

import torch
from mmengine.model import BaseModule
from torch import Tensor

from .view_warp import ViewWarp


class BaseView(BaseModule, metaclass=ABCMeta):
    """Makes the second view of a batch, and the map of its frame: A(.) of Sec. 3.4.

    Random views draw one transform a picture from torch's global generator, which ``RandomStateHook`` seeds before each
    iteration.
    """

    @abstractmethod
    def draw(self, number: int, size: tuple[int, int], device: torch.device) -> ViewWarp:
        """The transform of ``number`` pictures of height and width ``size``."""

    def forward(self, inputs: Tensor) -> tuple[Tensor, ViewWarp]:
        """Make the view of normalised pictures (N, 3, H, W), and the transform of maps into its frame.

        Where the pictures do not reach, the view has 0, the mean colour.
        """
        warp = self.draw(len(inputs), (inputs.shape[-2], inputs.shape[-1]), inputs.device)
        return warp(inputs, warp.size_to), warp
