"""Max pooling to a given size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves, Size2d, compact
from archspec.blocks.adaptive_avg_pool2d import adaptive_window
from archspec.tensor import CHW, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class AdaptiveMaxPool2d(Primitive, op="adaptive_max_pool2d"):
    """The largest value of windows laid so that the output has a given size; they may overlap.

    Shape:  CxHxW -> C x output_size
    Source: output i sees the pixels floor(i * H / out) to ceil((i + 1) * H / out) - 1, as in torch;
            He et al. 2014, "Spatial pyramid pooling"
    """

    output_size: Size2d
    """Height and width of the output."""

    def infer(self, x: CHW) -> CHW:
        return CHW(x.channels, *self.output_size)

    def window(self, x: CHW) -> Window:
        return adaptive_window(x, self.output_size)

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,), indices=self.infer(x).size)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.adaptive_max_pool2d, x, compact(self.output_size))
