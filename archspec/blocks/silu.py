"""Sigmoid linear unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Silu(Primitive, op="silu"):
    """Sigmoid linear unit, also called swish: x / (1 + exp(-x)).

    Shape:  any, unchanged
    Source: Elfwing et al. 2017; Ramachandran et al. 2017; EfficientNet
    """

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.silu, x)
