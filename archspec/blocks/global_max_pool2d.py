"""Global max pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import CHW, Vector, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class GlobalMaxPool2d(Primitive, op="global_max_pool2d"):
    """The largest value of every channel, as a vector.

    Places that share the largest value share its gradient.

    Shape:  CxHxW -> C
    Source: Oquab et al. 2015, "Is object localization for free?"
    """

    def infer(self, x: CHW) -> Vector:
        return Vector(x.channels)

    def window(self, x: CHW) -> Window:
        return Window((x.height, x.width))

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,), output=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.amax, x, (2, 3))
