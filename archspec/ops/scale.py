"""Learned scale of each channel."""

import torch
from torch import nn


class Scale(nn.Module):
    """x * weight + bias, with a weight and, if told so, a bias for each channel.

    Shape: N x channels x ..., or N x ... x channels if `last`, unchanged.
    """

    def __init__(self, channels: int, bias: bool, last: bool = False) -> None:
        super().__init__()
        self.last = last
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (-1,) if self.last else (-1, *[1] * (x.dim() - 2))
        y = x * self.weight.view(shape)
        return y if self.bias is None else y + self.bias.view(shape)
