"""The parameter-free shortcut of ResNet's option A (He et al. 2015, section 3.3)."""

import torch
from torch.nn import functional as F


def subsample_and_pad(x: torch.Tensor, stride: int, before: int, after: int) -> torch.Tensor:
    """Every stride-th pixel, with channels of zeros before and after the input's.

    Shape: N x C x H x W -> N x (before + C + after) x ceil(H / stride) x ceil(W / stride).
    """
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, before, after))
