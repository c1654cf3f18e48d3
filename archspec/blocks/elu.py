"""Exponential linear unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Elu(Primitive, op="elu"):
    """Exponential linear unit: x above zero, alpha * (exp(x) - 1) below.

    Shape:  any, unchanged
    Source: Clevert et al. 2015
    """

    alpha: Annotated[float, Field(gt=0)] = 1.0
    """Minus the value that is approached far below zero."""

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.elu, x, self.alpha)
