"""Which weights a network has, as a short digest."""

import hashlib

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """Digest of all parameters and buffers, 16 hexadecimal digits; their names and the device do not matter."""
    digest = hashlib.blake2b(digest_size=8)
    for value in model.state_dict().values():
        digest.update(str((tuple(value.shape), value.dtype)).encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
