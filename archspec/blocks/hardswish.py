"""Piecewise swish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Hardswish(Primitive, op="hardswish"):
    """Swish in straight pieces: x * min(max(x + 3, 0), 6) / 6.

    Shape:  any, unchanged
    Source: Howard et al. 2019, MobileNetV3, section 5.2
    """

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.hardswish, x)
