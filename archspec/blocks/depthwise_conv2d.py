"""2-D convolution of each channel alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Padding, Primitive, Saves, Size2d, Weight
from archspec.blocks.conv2d import Conv2d
from archspec.tensor import CHW, Sides, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class DepthwiseConv2d(Primitive, op="depthwise_conv2d"):
    """2-D convolution of each channel alone: a conv2d with as many groups as the input has channels.

    Shape:  CxHxW -> multiplier * C x H' x W'
    Cost:   MACs = multiplier * C * kh * kw * H' * W' per image
    Errors: ShapeError if the kernel exceeds the padded input
    Source: MobileNets (Howard et al. 2017), section 3.1
    """

    multiplier: Count = 1
    """Kernels for each channel."""
    kernel_size: Size2d
    """Height and width of the kernels."""
    stride: Size2d = (1, 1)
    """Pixels between neighbouring windows."""
    padding: Padding = Sides()
    """Zeros around the input, by side if need be; `same` gives ceil(size / stride) places."""
    dilation: Size2d = (1, 1)
    """Pixels between neighbouring taps of a kernel."""
    bias: bool = True
    """Whether a bias is added to every output channel."""

    def conv(self, x: CHW) -> Conv2d:
        """The convolution that this is, on this input."""
        fields = {name: getattr(self, name) for name in ("kernel_size", "stride", "padding", "dilation", "bias")}
        return Conv2d.model_construct(out_channels=self.multiplier * x.channels, groups=x.channels, **fields)

    def infer(self, x: CHW) -> CHW:
        return self.conv(x).infer(x)

    def window(self, x: CHW) -> Window:
        return self.conv(x).window(x)

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return self.conv(x).parameters(x)

    def macs(self, x: CHW) -> int:
        return self.conv(x).macs(x)

    def saves(self, x: CHW) -> Saves:
        return self.conv(x).saves(x)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        return self.conv(fx.shapes[0]).lower(fx, x)
