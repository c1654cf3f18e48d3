"""Multiplication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves
from archspec.errors import ShapeError
from archspec.tensor import CHW, Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Multiply(Primitive, op="multiply"):
    """The product of its inputs, element by element.

    A feature map of a single place counts for every place: so a gate weighs channels.

    Shape:  two or more values of the same shape -> that shape; among feature maps of CxHxW, some may be Cx1x1
    Errors: ShapeError if there are fewer than two inputs, or they differ in shape otherwise
    Source: squeeze-and-excitation (Hu et al. 2018), equation 4
    """

    def infer(self, *xs: Shape) -> Shape:
        if len(xs) < 2:
            raise ShapeError(f"multiply takes two or more inputs, found {len(xs)}", "list them: from: [a, b]")
        full = max(xs, key=lambda x: x.size)
        if any(x not in (full, _gate(full)) for x in xs):
            shown = ", ".join(map(str, xs))
            raise ShapeError(f"inputs differ in shape: {shown}; besides equal shapes, only Cx1x1 goes with CxHxW")
        return full

    def saves(self, *xs: Shape) -> Saves:
        """Every input, and the products of the first two, three, and so on but the last."""
        products = [max(x.size for x in xs[:count]) for count in range(2, len(xs))]
        return Saves(inputs=tuple(range(len(xs))), factors=True, elements=sum(products))

    def lower(self, fx: Emitter, *xs: Proxy) -> Proxy:
        import torch

        product = xs[0]
        for x in xs[1:]:
            product = fx.function(torch.mul, product, x)
        return product


def _gate(x: Shape) -> Shape:
    """What may weigh the channels of a value: for a feature map, one place."""
    return CHW(x.channels, 1, 1) if isinstance(x, CHW) else x
