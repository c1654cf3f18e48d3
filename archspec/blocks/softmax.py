"""Softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Softmax(Primitive, op="softmax"):
    """Probabilities from logits, over channels or features.

    Losses such as cross-entropy take logits: a network that is to be trained ends before its softmax.

    Shape:  any, unchanged
    """

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(output=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.softmax, x, dim=fx.shapes[0].channel_dim)
