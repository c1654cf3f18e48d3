"""Layer normalisation over features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Primitive, Saves, Weight
from archspec.initializers import Constant
from archspec.tensor import Features

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class LayerNorm(Primitive, op="layer_norm"):
    """Normalises the features of each token by their mean and variance, then scales and shifts each feature.

    Shape:  any whose last axis is features, unchanged
    Source: Ba et al. 2016
    """

    eps: Annotated[float, Field(gt=0)]
    """Added to the variance: 1e-6 in ViT's code and torchvision's, 1e-5 by default in torch; the paper does not say."""
    affine: bool = True
    """Whether there is a learned scale and shift of each feature."""

    def infer(self, x: Features) -> Features:
        return x

    def parameters(self, x: Features) -> dict[str, Weight]:
        shape = (x.width_of_place,)
        weights = {"weight": Weight(shape, Constant(value=1.0)), "bias": Weight(shape, Constant(value=0.0))}
        return weights if self.affine else {}

    def saves(self, x: Features) -> Saves:
        """The input, and the mean and deviation of each place."""
        return Saves(inputs=(0,), elements=2 * (x.size // x.width_of_place))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        affine = {} if self.affine else {"elementwise_affine": False}
        return fx.module(nn.LayerNorm, x, fx.shapes[0].width_of_place, eps=self.eps, **affine)
