"""2-D convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Padding, Primitive, Saves, Size2d, Weight, compact, unusual
from archspec.errors import ShapeError
from archspec.initializers import fan_in_uniform
from archspec.tensor import CHW, Sides, Window, same_padding

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Conv2d(Primitive, op="conv2d"):
    """2-D convolution of a feature map.

    Shape:  CxHxW -> out_channels x H' x W'
    Cost:   MACs = out_channels * (C / groups) * kh * kw * H' * W' per image
    Errors: ShapeError if `groups` does not divide C or out_channels, or the kernel exceeds the padded input
    Source: AlexNet, section 3.5, for `groups` (its two GPUs)
    """

    out_channels: Count
    """Channels of the output: the number of kernels."""
    kernel_size: Size2d
    """Height and width of the kernels."""
    stride: Size2d = (1, 1)
    """Pixels between neighbouring windows."""
    padding: Padding = Sides()
    """Zeros around the input, by side if need be; `same` gives ceil(size / stride) places."""
    dilation: Size2d = (1, 1)
    """Pixels between neighbouring taps of a kernel."""
    groups: Count = 1
    """Groups of channels that do not see each other."""
    bias: bool = True
    """Whether a bias is added to every output channel."""

    def sides(self, x: CHW) -> Sides:
        """The padding in pixels, with `same` worked out for this input."""
        if isinstance(self.padding, Sides):
            return self.padding
        extent = Window(self.kernel_size, dilation=self.dilation).extent
        top, bottom = same_padding(x.height, extent[0], self.stride[0])
        left, right = same_padding(x.width, extent[1], self.stride[1])
        return Sides(left, right, top, bottom)

    def window(self, x: CHW) -> Window:
        return Window(self.kernel_size, self.stride, self.sides(x), self.dilation)

    def infer(self, x: CHW) -> CHW:
        for what, channels in ("input", x.channels), ("output", self.out_channels):
            if channels % self.groups:
                raise ShapeError(f"groups={self.groups} does not divide the {channels} channels of the {what}")
        return CHW(self.out_channels, *self.window(x).slide(x))

    def parameters(self, x: CHW) -> dict[str, Weight]:
        shape = (self.out_channels, x.channels // self.groups, *self.kernel_size)
        init = fan_in_uniform(shape[1] * shape[2] * shape[3])
        weights = {"weight": Weight(shape, init)}
        return weights | {"bias": Weight((self.out_channels,), init)} if self.bias else weights

    def macs(self, x: CHW) -> int:
        per_place = x.channels // self.groups * self.kernel_size[0] * self.kernel_size[1]
        return per_place * self.infer(x).size

    def saves(self, x: CHW) -> Saves:
        """The input; where it is padded unevenly, the padded copy that is made of it instead."""
        sides = self.sides(x)
        return Saves(inputs=(0,)) if sides.symmetric else Saves(elements=sides.around(x).size)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn
        from torch.nn import functional as F

        sides = self.sides(fx.shapes[0])
        if not sides.symmetric:
            x = fx.function(F.pad, x, (sides.left, sides.right, sides.top, sides.bottom))
            sides = Sides()
        given = {
            "stride": compact(self.stride),
            "padding": compact((sides.top, sides.left)),
            "dilation": compact(self.dilation),
            "groups": self.groups,
            "bias": self.bias,
        }
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
        sizes = (fx.shapes[0].channels, self.out_channels, compact(self.kernel_size))
        return fx.module(nn.Conv2d, x, *sizes, **unusual(given, usual))
