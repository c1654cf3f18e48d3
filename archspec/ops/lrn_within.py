"""Local response normalisation within each channel, as Caffe's WITHIN_CHANNEL."""

import torch
from torch.nn import functional as F


def local_response_norm_within(x: torch.Tensor, size: int, alpha: float, beta: float, k: float) -> torch.Tensor:
    """x / (k + alpha * mean of squares)^beta, the mean over the `size` x `size` window around each place.

    Beyond the edges are zeros, which count in the mean. Shape: N x C x H x W, unchanged.
    Means are taken in float32 at least.
    """
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    mean = F.avg_pool2d(wide * wide, size, 1, size // 2)
    return (wide * (k + alpha * mean) ** -beta).to(x.dtype)
