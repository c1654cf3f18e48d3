"""Layer normalisation over the channels of every place (Liu et al. 2022, ConvNeXt)."""

import torch
from torch import nn
from torch.nn import functional as F


class LayerNorm2d(nn.LayerNorm):
    """torch's LayerNorm with the channels as the axis that is normalised.

    Shape: N x C x H x W, unchanged.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return y.permute(0, 3, 1, 2)
