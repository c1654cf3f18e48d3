"""2-D transposed convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Padding2d, Primitive, Saves, Size2d, Weight, compact, unusual
from archspec.errors import BlockError, ShapeError
from archspec.initializers import fan_in_uniform
from archspec.tensor import CHW, Sides, Window, by

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class ConvTranspose2d(Primitive, op="conv_transpose2d"):
    """2-D transposed convolution, also called deconvolution: the gradient of a convolution as a layer.

    Every pixel stamps the kernel, times its value, onto the output, `stride` pixels from its neighbour's stamp.

    Shape:  CxHxW -> out_channels x H' x W', with H' = (H - 1) * stride - 2 * padding + extent + output_padding
    Cost:   MACs = (C / groups) * out_channels * kh * kw * H * W per image
    Errors: ShapeError if `groups` does not divide C or out_channels, or the padding leaves nothing;
            BlockError if `output_padding` is smaller neither than the stride nor than the dilation
    Source: Zeiler et al. 2010; FCN (Long et al. 2015), section 3.3
    """

    out_channels: Count
    """Channels of the output."""
    kernel_size: Size2d
    """Height and width of the kernels."""
    stride: Size2d = (1, 1)
    """Pixels of the output between the stamps of neighbouring pixels."""
    padding: Padding2d = (0, 0)
    """Pixels cut off around the output."""
    output_padding: Padding2d = (0, 0)
    """Pixels added below and at the right of the output: which of the sizes that a convolution maps to the input's."""
    dilation: Size2d = (1, 1)
    """Pixels between neighbouring taps of a kernel."""
    groups: Count = 1
    """Groups of channels that do not see each other."""
    bias: bool = True
    """Whether a bias is added to every output channel."""

    def window(self, x: CHW) -> Window:
        """The same as a convolution of the input spread out by the stride, padded so that each stamp is whole."""
        height, width = (extent - 1 for extent in Window(self.kernel_size, dilation=self.dilation).extent)
        top, left = height - self.padding[0], width - self.padding[1]
        sides = Sides(left, left + self.output_padding[1], top, top + self.output_padding[0])
        return Window(self.kernel_size, padding=sides, dilation=self.dilation, spread=self.stride)

    def infer(self, x: CHW) -> CHW:
        for what, channels in ("input", x.channels), ("output", self.out_channels):
            if channels % self.groups:
                raise ShapeError(f"groups={self.groups} does not divide the {channels} channels of the {what}")
        for extra, stride, dilation in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(stride, dilation):
                raise BlockError(
                    f"output_padding {by(self.output_padding)} is smaller neither than the stride, {by(self.stride)},"
                    f" nor than the dilation, {by(self.dilation)}"
                )
        window = self.window(x)
        height, width = window.padded(x).height - window.extent[0] + 1, window.padded(x).width - window.extent[1] + 1
        if min(height, width) < 1:
            whole = (height + 2 * self.padding[0], width + 2 * self.padding[1])
            raise ShapeError(
                f"padding {by(self.padding)} cuts off all of the output, {by(whole)}",
                "`padding` of a transposed convolution is cut off at every side; a smaller one keeps some",
            )
        return CHW(self.out_channels, height, width)

    def parameters(self, x: CHW) -> dict[str, Weight]:
        shape = (x.channels, self.out_channels // self.groups, *self.kernel_size)
        init = fan_in_uniform(shape[1] * shape[2] * shape[3])
        weights = {"weight": Weight(shape, init)}
        return weights | {"bias": Weight((self.out_channels,), init)} if self.bias else weights

    def macs(self, x: CHW) -> int:
        return x.size * self.out_channels // self.groups * self.kernel_size[0] * self.kernel_size[1]

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        pairs = ("stride", "padding", "output_padding", "dilation")
        given = {name: compact(getattr(self, name)) for name in pairs} | {"groups": self.groups, "bias": self.bias}
        usual = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1, "bias": True}
        sizes = (fx.shapes[0].channels, self.out_channels, compact(self.kernel_size))
        return fx.module(nn.ConvTranspose2d, x, *sizes, **unusual(given, usual))
