"""Hyperbolic tangent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Tanh(Primitive, op="tanh"):
    """Hyperbolic tangent.

    Shape:  any, unchanged
    """

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(output=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.tanh, x)
