"""Padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from archspec.block import PaddingBySide, Primitive, Saves
from archspec.errors import ShapeError
from archspec.tensor import CHW, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Pad2d(Primitive, op="pad2d"):
    """Pixels added around a feature map.

    Shape:  CxHxW -> C x (H + top + bottom) x (W + left + right)
    Errors: ShapeError if a mirrored border is not smaller than the input
    """

    padding: PaddingBySide
    """Pixels added, by side if need be."""
    mode: Literal["zeros", "reflect", "replicate"]
    """What they hold: zeros, the input mirrored at its outermost pixels, or the outermost pixels again."""

    def window(self, x: CHW) -> Window:
        return Window((1, 1), padding=self.padding)

    def infer(self, x: CHW) -> CHW:
        sides = self.padding
        widest = max(sides.top, sides.bottom), max(sides.left, sides.right)
        if self.mode == "reflect" and (widest[0] >= x.height or widest[1] >= x.width):
            raise ShapeError(
                f"reflected padding must be smaller than the input, {x.height}x{x.width},"
                f" found up to {widest[0]} above or below and {widest[1]} at the left or right",
                "the outermost pixels are not mirrored; `mode: replicate` can be as wide as you like",
            )
        return CHW(x.channels, *self.window(x).slide(x))

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=() if self.mode == "zeros" else (0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        sides = (self.padding.left, self.padding.right, self.padding.top, self.padding.bottom)
        mode = {} if self.mode == "zeros" else {"mode": self.mode}
        return fx.function(F.pad, x, sides, **mode)
