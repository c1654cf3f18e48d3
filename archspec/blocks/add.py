"""Addition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive
from archspec.errors import ShapeError
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Add(Primitive, op="add"):
    """The sum of its inputs, element by element.

    Shape:  two or more values of the same shape -> that shape
    Errors: ShapeError if there are fewer than two inputs, or they differ in shape
    Source: ResNet, equation 1
    """

    def infer(self, *xs: Shape) -> Shape:
        return same_shape("add", xs)

    def lower(self, fx: Emitter, *xs: Proxy) -> Proxy:
        import torch

        total = xs[0]
        for x in xs[1:]:
            total = fx.function(torch.add, total, x)
        return total


def same_shape(op: str, xs: tuple[Shape, ...]) -> Shape:
    """The one shape that all inputs have. Errors: ShapeError"""
    if len(xs) < 2:
        raise ShapeError(f"{op} takes two or more inputs, found {len(xs)}", "list them: from: [a, b]")
    if len(set(xs)) > 1:
        raise ShapeError(f"inputs differ in shape: {', '.join(map(str, xs))}")
    return xs[0]
