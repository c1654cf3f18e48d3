"""Concatenation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive
from archspec.errors import ShapeError
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Concat(Primitive, op="concat"):
    """The inputs one after another along channels or features.

    Shape:  C1xHxW, C2xHxW, ... -> (C1 + C2 + ...) x H x W, or F1, F2, ... -> F1 + F2 + ...
    Errors: ShapeError if there are fewer than two inputs, or they differ in anything but channels
    Source: GoogLeNet, figure 2
    """

    def infer(self, *xs: Shape) -> Shape:
        if len(xs) < 2:
            raise ShapeError(f"concat takes two or more inputs, found {len(xs)}", "list them: from: [a, b]")
        shown = ", ".join(map(str, xs))
        if len({type(x) for x in xs}) > 1:
            raise ShapeError(f"inputs differ in kind: {shown}")
        if any(x.places != xs[0].places for x in xs):
            raise ShapeError(f"inputs differ in {' x '.join(xs[0].places)}: {shown}")
        return xs[0].widened(sum(x.width_of_place for x in xs))

    def lower(self, fx: Emitter, *xs: Proxy) -> Proxy:
        import torch

        return fx.function(torch.cat, list(xs), fx.shapes[0].channel_dim)
