"""Dropout of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Probability, Saves
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Dropout2d(Primitive, op="dropout2d"):
    """In training, zeroes each channel with probability p and divides the others by 1 - p; else does nothing.

    Shape:  CxHxW -> CxHxW
    Source: Tompson et al. 2014, section 3.2 (SpatialDropout)
    """

    p: Probability = 0.5
    """Probability that a channel is zeroed."""

    def infer(self, x: CHW) -> CHW:
        return x

    def saves(self, x: CHW) -> Saves:
        return Saves(elements=x.channels) if self.p else Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.dropout2d, x, self.p) if fx.training and self.p else x
