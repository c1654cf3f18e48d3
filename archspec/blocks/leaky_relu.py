"""Rectified linear unit with a small slope below zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class LeakyRelu(Primitive, op="leaky_relu"):
    """Rectified linear unit with a fixed slope below zero: max(x, 0) + negative_slope * min(x, 0).

    Shape:  any, unchanged
    Source: Maas et al. 2013; the default is torch's, YOLO has 0.1
    """

    negative_slope: float = 0.01
    """Slope below zero."""

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.leaky_relu, x, self.negative_slope)
