"""Stochastic depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Probability, Saves
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class DropPath(Primitive, op="drop_path"):
    """In training, zeroes the whole value of an image with probability p and divides the others by 1 - p; else nothing.

    Put last on a residual branch, before its sum: an image then goes through the shortcut alone.

    Shape:  any, unchanged
    Source: Huang et al. 2016, "Deep networks with stochastic depth"; dividing by 1 - p is the later form,
            the paper multiplies by 1 - p at test time instead, the same in expectation
    """

    p: Probability
    """Probability that an image's value is zeroed; the paper lets it rise linearly with depth."""

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(elements=1) if self.p else Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec.ops.drop_path import drop_path

        return fx.function(drop_path, x, self.p) if fx.training and self.p else x
