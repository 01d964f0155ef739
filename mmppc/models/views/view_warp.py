"""From the first view's frame into the second one's."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .resize import resize_maps

OUTSIDE = 1e-5  # how far a point may leave the frame, half of which has length 1, by rounding


class ViewWarp:
    """Affine map of the first view's frame to the second one's, for pictures and maps of any resolution.

    Frames are normalised: the centres of the border pixels lie at -1 and 1 (``align_corners=True``), so that a picture
    and its feature map, whatever their sizes, turn about one centre and move by one part of the frame.

    Args:
        size_from: Height and width of the first view's input.
        size_to: Height and width of the second view's input.
        mirror: Left and right of the second view change places.
        matrix: (N, 3, 3) float, brings homogeneous points (x, y, 1) of the second frame, after ``mirror``, into the
            first frame; None for the identity, which takes no resampling beyond that of the sizes.
    """

    def __init__(
        self,
        size_from: tuple[int, int],
        size_to: tuple[int, int],
        mirror: bool = False,
        matrix: Tensor | None = None,
    ) -> None:
        self.size_from = size_from
        self.size_to = size_to
        self.mirror = mirror
        self.matrix = matrix

    def __call__(self, maps: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Maps (N, K, h, w) of the first view in the second view's frame; 0 where the first view does not reach.

        Args:
            maps: Float maps at any resolution, the inputs' own or a coarser one.
            size: Height and width of the result; by default those of ``maps``, scaled as the inputs are.
        """
        if size is None:
            size = (
                max(round(maps.shape[-2] * self.size_to[0] / self.size_from[0]), 1),
                max(round(maps.shape[-1] * self.size_to[1] / self.size_from[1]), 1),
            )
        if self.matrix is None:
            resized = resize_maps(maps, size)
            return resized.flip(-1) if self.mirror else resized
        points = self._points(size, torch.promote_types(maps.dtype, torch.float32))
        # Points beyond the border are replaced, not blended with it: what is inside has no part of the outside.
        sampled = F.grid_sample(
            maps.to(points.dtype),
            points,
            mode='bilinear',
            padding_mode='border',
            align_corners=True,
        )
        return sampled.masked_fill(~_inside(points), 0).to(maps.dtype)

    @property
    def valid(self) -> Tensor | None:
        """Pixels of the second view that the first one covers, (N, 1, H, W) bool; None if it covers all."""
        return None if self.matrix is None else _inside(self._points(self.size_to, torch.float32))

    def then(self, other: 'ViewWarp') -> 'ViewWarp':
        """This map followed by ``other``, as one: maps are sampled once, and nothing is lost in between."""
        if self.matrix is None and other.matrix is None:
            return ViewWarp(self.size_from, other.size_to, self.mirror != other.mirror)
        first, second = self._with_mirror(other.matrix), other._with_mirror(self.matrix)
        # Written out since autocast would multiply matrices in half precision.
        matrix = (first.unsqueeze(-1) * second.unsqueeze(-3)).sum(dim=-2)
        return ViewWarp(self.size_from, other.size_to, matrix=matrix)

    def _with_mirror(self, like: Tensor | None) -> Tensor:
        """The matrix (N or 1, 3, 3) with the mirror in it."""
        matrix = self.matrix
        if matrix is None:
            assert like is not None
            matrix = torch.eye(3, dtype=like.dtype, device=like.device)[None]
        return torch.cat([-matrix[..., :1], matrix[..., 1:]], dim=-1) if self.mirror else matrix

    def _points(self, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
        """Places (N, h, w, 2) in the first frame, (x, y), of the pixels of a second frame with ``size``."""
        matrix = self._with_mirror(None).to(dtype)[:, :2, :, None, None]
        x = _line(size[1], matrix)[None, None, :]
        y = _line(size[0], matrix)[None, :, None]
        return (matrix[:, :, 0] * x + matrix[:, :, 1] * y + matrix[:, :, 2]).movedim(1, -1)


def _line(length: int, like: Tensor) -> Tensor:
    """Normalised places (length,) of the pixels in a row; a single one lies in the middle."""
    if length == 1:
        return like.new_zeros(1)
    return torch.linspace(-1, 1, length, dtype=like.dtype, device=like.device)


def _inside(points: Tensor) -> Tensor:
    """Which points (N, h, w, 2) lie in the first frame, (N, 1, h, w) bool."""
    return (points.abs() <= 1 + OUTSIDE).all(dim=-1).unsqueeze(1)
