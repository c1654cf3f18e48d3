"""The parameter-free shortcut of ResNet's option A."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from archspec.block import Count, Primitive
from archspec.errors import ShapeError
from archspec.tensor import CHW, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class OptionA(Primitive, op="option_a"):
    """A shortcut without parameters: every stride-th pixel, with channels of zeros added.

    Shape:  CxHxW -> out_channels x ceil(H / stride) x ceil(W / stride)
    Errors: ShapeError if the input has more than out_channels channels
    Source: ResNet, section 3.3, option A; the paper does not say where the zeros go
    """

    out_channels: Count
    """Channels of the output."""
    stride: Count = 1
    """Pixels between those that are kept, in both directions."""
    zeros: Literal["after", "before", "around"]
    """Where the channels of zeros go: after the input's (fb.resnet.torch), before, or half on each side."""

    def window(self, x: CHW) -> Window:
        return Window((1, 1), (self.stride, self.stride))

    def infer(self, x: CHW) -> CHW:
        if x.channels > self.out_channels:
            raise ShapeError(
                f"out_channels is {self.out_channels}, but the input already has {x.channels} channels",
                "option A only adds channels; option B projects to fewer",
            )
        return CHW(self.out_channels, *self.window(x).slide(x))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec.ops.option_a import subsample_and_pad

        extra = self.out_channels - fx.shapes[0].channels
        before = {"after": 0, "before": extra, "around": extra // 2}[self.zeros]
        return fx.function(subsample_and_pad, x, self.stride, before, extra - before)
