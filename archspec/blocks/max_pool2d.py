"""Max pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Padding2d, Primitive, Saves, Size2d, compact, unusual
from archspec.errors import BlockError
from archspec.tensor import CHW, Sides, Window, by

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class MaxPool2d(Primitive, op="max_pool2d"):
    """The largest value in each window.

    Shape:  CxHxW -> C x H' x W'
    Errors: ShapeError if the kernel exceeds the padded input; BlockError if a window could see only padding
    Source: AlexNet, section 3.4 (overlapping: kernel 3, stride 2)
    """

    kernel_size: Size2d
    """Height and width of the windows."""
    stride: Size2d | None = None
    """Pixels between neighbouring windows; unsaid, the kernel size."""
    padding: Padding2d = (0, 0)
    """Pixels of minus infinity around the input, at most half the kernel."""
    dilation: Size2d = (1, 1)
    """Pixels between neighbouring taps of a window."""
    ceil_mode: bool
    """Whether sizes round up, with a last window that hangs over the edge (Caffe), or down (torch)."""

    def window(self, x: CHW) -> Window:
        height, width = self.padding
        sides = Sides(width, width, height, height)
        return Window(self.kernel_size, self.stride or self.kernel_size, sides, self.dilation, self.ceil_mode)

    def infer(self, x: CHW) -> CHW:
        refuse_wide_padding(self.padding, self.kernel_size)
        window = self.window(x)
        size = window.slide(x)
        for before, pixels, kernel, stride, dilation in zip(
            self.padding, (x.height, x.width), window.kernel, window.stride, window.dilation, strict=True
        ):
            if any(not _sees(start, pixels, kernel, dilation) for start in range(-before, 0, stride)):
                raise BlockError(
                    f"a window sees only padding: its taps, {dilation} pixels apart, miss the {pixels} of the input",
                    "less padding or dilation; PyTorch would read outside the image",
                )
        return CHW(x.channels, *size)

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,), indices=self.infer(x).size)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        given = {
            "stride": compact(self.stride or self.kernel_size),
            "padding": compact(self.padding),
            "dilation": compact(self.dilation),
            "ceil_mode": self.ceil_mode,
        }
        usual = {"stride": compact(self.kernel_size), "padding": 0, "dilation": 1, "ceil_mode": False}
        return fx.function(F.max_pool2d, x, compact(self.kernel_size), **unusual(given, usual))


def _sees(start: int, pixels: int, kernel: int, dilation: int) -> bool:
    """Whether any tap of a window that begins in the padding is on the image."""
    first = -(start // dilation)  # the first tap that is not before the image
    return first < kernel and start + first * dilation < pixels


def refuse_wide_padding(padding: tuple[int, int], kernel: tuple[int, int]) -> None:
    """torch's limit on the padding of a pool: a window must see some of the input."""
    if 2 * padding[0] > kernel[0] or 2 * padding[1] > kernel[1]:
        raise BlockError(f"padding {by(padding)} is more than half of the kernel, {by(kernel)}")
