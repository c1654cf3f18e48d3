"""Learned scale of each channel."""

import torch
from torch import nn


class Scale(nn.Module):
    """x * weight + bias, with a weight and, if told so, a bias for each channel.

    Shape: N x channels x ..., unchanged.
    """

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (-1, *[1] * (x.dim() - 2))
        y = x * self.weight.view(shape)
        return y if self.bias is None else y + self.bias.view(shape)
