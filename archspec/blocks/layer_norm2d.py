"""Layer normalisation over channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Primitive, Saves, Weight, unusual
from archspec.blocks.batch_norm2d import affine_weights
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class LayerNorm2d(Primitive, op="layer_norm2d"):
    """Normalises the channels of every place by their mean and variance, then scales and shifts each channel.

    Shape:  CxHxW -> CxHxW
    Source: Ba et al. 2016; over channels alone as in ConvNeXt (Liu et al. 2022), whose code has eps 1e-6
    """

    eps: Annotated[float, Field(gt=0)] = 1e-5
    """Added to the variance; the default is torch's."""
    affine: bool = True
    """Whether there is a learned scale and shift of each channel."""

    def infer(self, x: CHW) -> CHW:
        return x

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return affine_weights(x.channels) if self.affine else {}

    def saves(self, x: CHW) -> Saves:
        """The input, and the mean and deviation of each place."""
        return Saves(inputs=(0,), elements=2 * x.height * x.width)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec.ops.layer_norm2d import LayerNorm2d as Module

        rest = unusual({"eps": self.eps, "elementwise_affine": self.affine}, {"eps": 1e-5, "elementwise_affine": True})
        return fx.module(Module, x, fx.shapes[0].channels, **rest)
