"""Other axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Count, Primitive, Saves
from archspec.errors import BlockError, ShapeError
from archspec.tensor import BY_AXES, CHW, Shape, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Reshape(Primitive, op="reshape"):
    """The same elements in the same order, the last axis fastest, with other axes.

    Shape:  any -> `to`
    Errors: BlockError if `to` has neither one nor three sizes; ShapeError if it has another number of elements
    """

    to: Annotated[list[Count], Field(min_length=1, max_length=3)]
    """Sizes of the output: [channels, height, width] of a feature map, or [features] of a vector."""

    def infer(self, x: Shape) -> Shape:
        kind = BY_AXES.get(len(self.to))
        if kind is None:
            raise BlockError(
                f"`to` has {len(self.to)} sizes, expected one or three",
                "[features] for a vector, [channels, height, width] for a feature map",
            )
        shape = kind(*self.to)
        if shape.size != x.size:
            raise ShapeError(f"{x} has {x.size:,} elements, {shape} has {shape.size:,}")
        return shape

    def window(self, x: Shape) -> Window | None:
        """Where a feature map's places are mixed, a place may see any of them."""
        if isinstance(x, CHW) and len(self.to) == 3 and tuple(self.to) != x.dims:
            return Window((x.height, x.width))
        return None

    def saves(self, x: Shape) -> Saves:
        return Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.reshape, x, (-1, *self.to))
