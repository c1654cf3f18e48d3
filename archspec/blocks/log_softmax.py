"""Logarithm of softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class LogSoftmax(Primitive, op="log_softmax"):
    """Logarithms of probabilities from logits, over channels or features.

    For losses that take log-probabilities; cross-entropy takes logits instead.

    Shape:  any, unchanged
    """

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(output=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.log_softmax, x, dim=fx.shapes[0].channel_dim)
