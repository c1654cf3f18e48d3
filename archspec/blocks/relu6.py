"""Rectified linear unit with a ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Relu6(Primitive, op="relu6"):
    """The positive part, at most 6: min(max(x, 0), 6).

    Shape:  any, unchanged
    Source: Howard et al. 2017, MobileNets; Sandler et al. 2018, MobileNetV2, section 3
    """

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.relu6, x)
