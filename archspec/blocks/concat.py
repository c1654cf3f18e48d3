"""Concatenation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive
from archspec.errors import ShapeError
from archspec.tensor import CHW, Shape, Vector

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
        maps = [x for x in xs if isinstance(x, CHW)]
        vectors = [x for x in xs if isinstance(x, Vector)]
        if len(vectors) == len(xs):
            return Vector(sum(x.features for x in vectors))
        if len(maps) != len(xs):
            raise ShapeError(f"inputs differ in kind: {shown}")
        if len({(x.height, x.width) for x in maps}) > 1:
            raise ShapeError(f"inputs differ in height x width: {shown}")
        return CHW(sum(x.channels for x in maps), maps[0].height, maps[0].width)

    def lower(self, fx: Emitter, *xs: Proxy) -> Proxy:
        import torch

        return fx.function(torch.cat, list(xs), 1)
