"""Stochastic depth per image (Huang et al. 2016)."""

import torch


def drop_path(x: torch.Tensor, p: float, training: bool = True) -> torch.Tensor:
    """x with each image's value zeroed with probability p and the others divided by 1 - p; x where not training.

    Shape: N x ..., unchanged.
    """
    if not training:
        return x
    kept = torch.empty((x.shape[0], *[1] * (x.dim() - 1)), dtype=x.dtype, device=x.device)
    return x * kept.bernoulli_(1 - p).div_(1 - p)
