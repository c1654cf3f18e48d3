"""Average pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Padding2d, Primitive, Saves, Size2d, compact, unusual
from archspec.blocks.max_pool2d import refuse_wide_padding
from archspec.errors import BlockError
from archspec.tensor import CHW, Sides, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class AvgPool2d(Primitive, op="avg_pool2d"):
    """The mean of each window.

    Shape:  CxHxW -> C x H' x W'
    Errors: ShapeError if the kernel exceeds the padded input; BlockError if a window could see only padding,
            or a padded pool does not say whether padding counts
    """

    kernel_size: Size2d
    """Height and width of the windows."""
    stride: Size2d | None = None
    """Pixels between neighbouring windows; unsaid, the kernel size."""
    padding: Padding2d = (0, 0)
    """Zeros around the input, at most half the kernel."""
    ceil_mode: bool
    """Whether sizes round up, with a last window that hangs over the edge (Caffe), or down (torch)."""
    count_include_pad: bool | None = None
    """Whether zeros of the padding count in the mean; must be said where there is padding."""

    def window(self, x: CHW) -> Window:
        height, width = self.padding
        sides = Sides(width, width, height, height)
        return Window(self.kernel_size, self.stride or self.kernel_size, sides, ceil_mode=self.ceil_mode)

    def infer(self, x: CHW) -> CHW:
        if self.padding != (0, 0) and self.count_include_pad is None:
            raise BlockError(
                "a padded average pool needs `count_include_pad`",
                "frameworks disagree: true divides by the whole kernel (torch, Caffe), false by the pixels it sees",
            )
        refuse_wide_padding(self.padding, self.kernel_size)
        return CHW(x.channels, *self.window(x).slide(x))

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        given = {
            "stride": compact(self.stride or self.kernel_size),
            "padding": compact(self.padding),
            "ceil_mode": self.ceil_mode,
            "count_include_pad": self.count_include_pad is not False,
        }
        usual = {"stride": compact(self.kernel_size), "padding": 0, "ceil_mode": False, "count_include_pad": True}
        return fx.function(F.avg_pool2d, x, compact(self.kernel_size), **unusual(given, usual))
