"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Probability, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Dropout(Primitive, op="dropout"):
    """In training, zeroes each element with probability p and divides the others by 1 - p; else does nothing.

    Shape:  any, unchanged
    Source: Srivastava et al. 2014; AlexNet, section 4.2, halves at test time instead, the same in expectation
    """

    p: Probability = 0.5
    """Probability that an element is zeroed."""

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(elements=x.size) if self.p else Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.dropout, x, self.p) if fx.training and self.p else x
