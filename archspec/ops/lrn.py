"""Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3)."""

import torch
from torch.nn import functional as F


def local_response_norm(
    x: torch.Tensor, size: int, alpha: float, beta: float, k: float, groups: int = 1
) -> torch.Tensor:
    """x / (k + alpha * sum of squares)^beta, the sum over `size` channels around each, within its group.

    Shape: N x C x H x W, unchanged. Sums are taken in float32 at least.
    """
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    squares = wide * wide
    if groups > 1:
        squares = squares.reshape(x.shape[0] * groups, x.shape[1] // groups, *x.shape[2:])
    channels = squares.shape[1]
    padded = F.pad(squares, (0, 0, 0, 0, size // 2, size // 2))
    total = padded.narrow(1, 0, channels)
    for shift in range(1, size):
        total = total + padded.narrow(1, shift, channels)
    if groups > 1:
        total = total.reshape(x.shape)
    return (wide * (k + alpha * total) ** -beta).to(x.dtype)
