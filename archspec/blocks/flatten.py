"""Flatten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape, Vector

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Flatten(Primitive, op="flatten"):
    """All elements of an image's value as one vector, the last axis fastest.

    Shape:  CxHxW -> C*H*W
    """

    def infer(self, x: Shape) -> Vector:
        return Vector(x.size)

    def saves(self, x: Shape) -> Saves:
        return Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.flatten, x, 1)
