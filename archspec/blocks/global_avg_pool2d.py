"""Global average pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive
from archspec.tensor import CHW, Vector, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class GlobalAvgPool2d(Primitive, op="global_avg_pool2d"):
    """The mean of every channel, as a vector.

    Shape:  CxHxW -> C
    Source: Lin et al. 2013, "Network in network", section 3.2
    """

    def infer(self, x: CHW) -> Vector:
        return Vector(x.channels)

    def window(self, x: CHW) -> Window:
        return Window((x.height, x.width))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.mean, x, (2, 3))
