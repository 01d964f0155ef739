"""Which cells of a coarse grid lie wholly inside a region of pixels."""

import torch
from torch import Tensor


def valid_cells(valid: Tensor, size: tuple[int, int]) -> Tensor:
    """Cells of a grid with aligned corners whose whole area is valid.

    A cell reaches half-way to its neighbours, a pixel that it cuts belongs to it, and a single cell is the whole line.

    Args:
        valid: Valid pixels, (N, 1, H, W) bool.
        size: Height and width (h, w) of the grid; at the pixels' own the result is ``valid``.

    Returns:
        (N, 1, h, w) bool.

    Examples:
        >>> pixels = torch.arange(9).expand(1, 1, 9, 9) > 1
        >>> valid_cells(pixels, (3, 3))[0, 0, 0]
        tensor([False,  True,  True])
    """
    if tuple(valid.shape[-2:]) == tuple(size):
        return valid
    rows = _members(valid.shape[-2], size[0], valid.device)
    columns = _members(valid.shape[-1], size[1], valid.device)
    return torch.einsum('hy,ncyx,wx->nchw', rows, (~valid).float(), columns) == 0


def _members(length: int, cells: int, device: torch.device) -> Tensor:
    """Which of ``length`` pixels in a line belong to each of ``cells`` cells, (cells, length) float 0 or 1."""
    if cells == 1:
        return torch.ones(1, length, device=device)
    step = (length - 1) / (cells - 1)
    middles = torch.arange(cells, device=device) * step
    distances = (torch.arange(length, device=device) - middles.unsqueeze(1)).abs()
    return (distances < step / 2 + 0.5 - 1e-4).float()
