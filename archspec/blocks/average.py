"""Element-wise mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive
from archspec.blocks.add import same_shape
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Average(Primitive, op="average"):
    """The mean of its inputs, element by element.

    Shape:  two or more values of the same shape -> that shape
    Errors: ShapeError if there are fewer than two inputs, or they differ in shape
    """

    def infer(self, *xs: Shape) -> Shape:
        return same_shape("average", xs)

    def lower(self, fx: Emitter, *xs: Proxy) -> Proxy:
        import torch

        total = xs[0]
        for x in xs[1:]:
            total = fx.function(torch.add, total, x)
        return fx.function(torch.div, total, len(xs))
