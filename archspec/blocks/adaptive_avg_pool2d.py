"""Average pooling to a given size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves, Size2d, compact
from archspec.tensor import CHW, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class AdaptiveAvgPool2d(Primitive, op="adaptive_avg_pool2d"):
    """The mean of windows laid so that the output has a given size; they may overlap.

    Shape:  CxHxW -> C x output_size
    Source: output i averages the pixels floor(i * H / out) to ceil((i + 1) * H / out) - 1, as in torch
    """

    output_size: Size2d
    """Height and width of the output."""

    def infer(self, x: CHW) -> CHW:
        return CHW(x.channels, *self.output_size)

    def window(self, x: CHW) -> Window:
        return adaptive_window(x, self.output_size)

    def saves(self, x: CHW) -> Saves:
        """torch takes the mean where the output is a single place."""
        return Saves(inputs=() if self.output_size == (1, 1) else (0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.adaptive_avg_pool2d, x, compact(self.output_size))


def adaptive_window(x: CHW, output_size: tuple[int, int]) -> Window:
    """Exact where the sizes divide; else the widest window, at the mean stride rounded up."""
    height, width = output_size
    stride = (max(1, -(-x.height // height)), max(1, -(-x.width // width)))
    return Window((_widest(x.height, height), _widest(x.width, width)), stride)


def _widest(size: int, places: int) -> int:
    if size % places == 0:
        return size // places
    return max(-(-(i + 1) * size // places) - i * size // places for i in range(min(places, size)))
