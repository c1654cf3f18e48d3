"""Element-wise maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.blocks.add import same_shape
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Maximum(Primitive, op="maximum"):
    """The largest of its inputs, element by element.

    Inputs that share the largest value share its gradient.

    Shape:  two or more values of the same shape -> that shape
    Errors: ShapeError if there are fewer than two inputs, or they differ in shape
    Source: maxout (Goodfellow et al. 2013)
    """

    def infer(self, *xs: Shape) -> Shape:
        return same_shape("maximum", xs)

    def saves(self, *xs: Shape) -> Saves:
        """Every input, and the maxima of the first two, three, and so on but the last."""
        return Saves(inputs=tuple(range(len(xs))), elements=(len(xs) - 2) * xs[0].size)

    def lower(self, fx: Emitter, *xs: Proxy) -> Proxy:
        import torch

        largest = xs[0]
        for x in xs[1:]:
            largest = fx.function(torch.maximum, largest, x)
        return largest
