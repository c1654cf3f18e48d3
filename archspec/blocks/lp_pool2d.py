"""Power-average pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Primitive, Saves, Size2d, compact, unusual
from archspec.tensor import CHW, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class LpPool2d(Primitive, op="lp_pool2d"):
    """The p-norm of each window: (sum of x^p)^(1/p), as torch computes it.

    Its gradient is undefined where a window is all zeros.

    Shape:  CxHxW -> C x H' x W'
    Errors: ShapeError if the kernel exceeds the input
    Source: Sermanet et al. 2012, "Convolutional neural networks applied to house numbers digit classification";
            a window that hangs over the edge counts as if the rest of it were like what it sees
    """

    norm_type: Annotated[float, Field(gt=0)]
    """The p: 1 sums, large p tend to the maximum; a p that is no even number is for values from 0."""
    kernel_size: Size2d
    """Height and width of the windows."""
    stride: Size2d | None = None
    """Pixels between neighbouring windows; unsaid, the kernel size."""
    ceil_mode: bool
    """Whether sizes round up, with a last window that hangs over the edge (Caffe), or down (torch)."""

    def window(self, x: CHW) -> Window:
        return Window(self.kernel_size, self.stride or self.kernel_size, ceil_mode=self.ceil_mode)

    def infer(self, x: CHW) -> CHW:
        return CHW(x.channels, *self.window(x).slide(x))

    def saves(self, x: CHW) -> Saves:
        """The input and its powers; and the means of the windows, their signs, positive parts and product."""
        return Saves(inputs=(0,), elements=x.size + 4 * self.infer(x).size)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        given = {"stride": compact(self.stride or self.kernel_size), "ceil_mode": self.ceil_mode}
        usual = {"stride": compact(self.kernel_size), "ceil_mode": False}
        kernel = {"norm_type": self.norm_type, "kernel_size": compact(self.kernel_size)}
        return fx.function(F.lp_pool2d, x, **kernel, **unusual(given, usual))
