"""Joining what several processes hold, so that results do not depend on their number."""

import torch
import torch.distributed as dist
from torch import Tensor


class Ranks:
    """The processes that share a batch; one process when nothing is initialised or ``sync`` is False.

    Every rank must bring tensors of the same shape. Nothing here is differentiated.
    """

    def __init__(self, group: 'dist.ProcessGroup | None' = None, sync: bool = True) -> None:
        self.group = group
        self.active = sync and dist.is_available() and dist.is_initialized()
        self.size = dist.get_world_size(group) if self.active else 1
        self.index = dist.get_rank(group) if self.active else 0

    def join(self, tensor: Tensor) -> Tensor:
        """Concatenate the ranks' tensors along the first axis, in the order of the ranks."""
        if self.size == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(parts, tensor.contiguous(), group=self.group)
        return torch.cat(parts)

    def own(self, joined: Tensor) -> Tensor:
        """Take this rank's part of a joined tensor."""
        return joined.chunk(self.size)[self.index]

    def total(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the ranks."""
        if self.size == 1:
            return tensor
        tensor = tensor.clone()
        dist.all_reduce(tensor, group=self.group)
        return tensor
