"""Identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Identity(Primitive, op="identity"):
    """Its input, unchanged: a name for a value.

    Shape:  any, unchanged
    """

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        return x
