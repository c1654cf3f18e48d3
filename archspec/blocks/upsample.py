"""Upsampling."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Literal

from archspec.block import Count, Primitive, Size2d, compact
from archspec.errors import BlockError
from archspec.tensor import CHW, Sides, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Upsample(Primitive, op="upsample"):
    """A feature map at another size, its pixels repeated or interpolated.

    Shape:  CxHxW -> C x scale_factor * H x scale_factor * W, or C x output_size
    Errors: BlockError if not exactly one of `scale_factor` and `output_size` is given, or if `align_corners`
            is not said for bilinear, or said for nearest
    Source: torch's interpolate, without antialiasing; FPN (Lin et al. 2017) has nearest, FCN and U-Net bilinear
    """

    scale_factor: Count | None = None
    """How many times as high and wide the output is."""
    output_size: Size2d | None = None
    """Height and width of the output, instead."""
    mode: Literal["nearest", "bilinear"]
    """Whether a pixel of the output is the nearest of the input, or a mean of the four around it."""
    align_corners: bool | None = None
    """Whether bilinear maps the centres of corner pixels onto each other, or the corners of the image."""

    def infer(self, x: CHW) -> CHW:
        if (self.scale_factor is None) == (self.output_size is None):
            raise BlockError("upsample takes either `scale_factor` or `output_size`", "for example scale_factor: 2")
        if self.mode == "bilinear" and self.align_corners is None:
            raise BlockError(
                "bilinear upsampling needs `align_corners`",
                "frameworks disagree: false aligns the edges of corner pixels, as torch unsaid; true their centres",
            )
        if self.mode == "nearest" and self.align_corners is not None:
            raise BlockError("`align_corners` is for bilinear, found it with nearest", "leave it out")
        return CHW(x.channels, *self.size(x))

    def size(self, x: CHW) -> tuple[int, int]:
        """Height and width of the output."""
        factor = self.scale_factor or 1
        return self.output_size or (factor * x.height, factor * x.width)

    def window(self, x: CHW) -> Window:
        """What a place reads: one pixel, or two by two; with aligned corners, what the middle place reads."""
        (top, bottom, kernel_h, stride_h, spread_h), (left, right, kernel_w, stride_w, spread_w) = (
            _resample(size, places, self.mode == "bilinear")
            for size, places in zip((x.height, x.width), self.size(x), strict=True)
        )
        sides = Sides(left, right, top, bottom)
        return Window((kernel_h, kernel_w), (stride_h, stride_w), sides, spread=(spread_h, spread_w))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        size = {"scale_factor": self.scale_factor} if self.scale_factor else {"size": compact(self.size(fx.shapes[0]))}
        corners = {} if self.align_corners is None else {"align_corners": self.align_corners}
        return fx.function(F.interpolate, x, **size, mode=self.mode, **corners)


def _resample(size: int, places: int, bilinear: bool) -> tuple[int, int, int, int, int]:
    """Padding before and after, kernel, stride and spread along one axis.

    With places / size = p / q, the input is spread out by p and read at every q-th place. Nearest reads the last pixel
    at or before that place; bilinear the two pixels less than p away from half a place's width further.
    """
    p, q = places // gcd(places, size), size // gcd(places, size)
    first, last = ((q - 3 * p) // 2 + 1, -(-(q + p) // 2) - 1) if bilinear else (1 - p, 0)
    after = (places - 1) * q + last - (size - 1) * p
    return -first, after, last - first + 1, q, p
