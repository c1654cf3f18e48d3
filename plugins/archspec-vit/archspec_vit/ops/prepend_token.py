"""A token in front of every sequence of a batch (Dosovitskiy et al. 2021, equation 1)."""

import torch


def prepend_token(x: torch.Tensor, token: torch.Tensor) -> torch.Tensor:
    """The token, then those of x. Shape: N x T x F and 1 x 1 x F -> N x T + 1 x F."""
    return torch.cat([token.expand(x.shape[0], -1, -1), x], dim=1)
