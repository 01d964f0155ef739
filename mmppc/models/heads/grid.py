"""The grid on which the heads of the affinity stages work: ceil(H / stride) x ceil(W / stride) cells."""

from torch import Tensor


def check_grid(labels: Tensor, maps: Tensor, stride: int) -> None:
    """Refuse label maps (N, h, w) that do not lie on the grid of ``maps`` (N, D, h, w).

    Raises:
        ValueError: Their number or sizes differ.
    """
    expected = (len(maps), *maps.shape[-2:])
    if tuple(labels.shape) != expected:
        raise ValueError(
            f'label maps {tuple(labels.shape)}, expected {expected}: one cell for {stride} x {stride} pixels of the '
            'network input; reduce the labels in the pipeline, or set `stride` of decode_head to what the backbone has'
        )


def crop_to(maps: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """The upper left ``size`` (h, w) of maps (..., h', w') that may be larger.

    Raises:
        ValueError: They are smaller, because the backbone's stride is not the one that is assumed.
    """
    height, width = size
    if maps.shape[-2] < height or maps.shape[-1] < width:
        raise ValueError(
            f'maps of {tuple(maps.shape[-2:])} cells, expected at least {tuple(size)} for the stride {stride}: the '
            'strides of decode_head are not those of the backbone'
        )
    return maps[..., :height, :width]
