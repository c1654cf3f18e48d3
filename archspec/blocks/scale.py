"""Learned scale of each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves, Weight
from archspec.initializers import Constant
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Scale(Primitive, op="scale"):
    """Multiplies each channel or feature by a learned number, and adds another if told so.

    Shape:  any, unchanged
    Source: Caffe's Scale layer, after its BatchNorm; LayerScale (Touvron et al. 2021), first values by an `init` rule
    """

    bias: bool
    """Whether a learned number is added too: false by default in Caffe, and in LayerScale."""

    def infer(self, x: Shape) -> Shape:
        return x

    def parameters(self, x: Shape) -> dict[str, Weight]:
        shape = (x.width_of_place,)
        weights = {"weight": Weight(shape, Constant(value=1.0))}
        return weights | {"bias": Weight(shape, Constant(value=0.0))} if self.bias else weights

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec.ops.scale import Scale as Module

        last = {} if fx.shapes[0].channel_dim == 1 else {"last": True}
        return fx.module(Module, x, fx.shapes[0].width_of_place, bias=self.bias, **last)
