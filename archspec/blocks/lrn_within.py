"""Local response normalisation within each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Primitive, Saves
from archspec.errors import BlockError
from archspec.tensor import CHW, Sides, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class LocalResponseNormWithin(Primitive, op="lrn_within"):
    """Local response normalisation within each channel: y = x / (k + alpha * sum of squares)^beta.

    The sum runs over the `size` x `size` window around each place, with zeros beyond the edges.

    Shape:  CxHxW -> CxHxW
    Errors: BlockError if `size` is even
    Source: Caffe's WITHIN_CHANNEL: k 1, and alpha divided by the window's area, at the edges too;
            by default size 5, alpha 1, beta 0.75, and size 3, alpha 5e-5 in its CIFAR-10 network
    """

    size: Count
    """Height and width of the window, odd."""
    alpha: float
    """Weight of the sum of squares."""
    beta: float
    """Exponent."""
    k: float
    """Added to the sum; 1 in Caffe."""
    divide_by_size: bool
    """Whether alpha is divided by the window's area, `size` * `size`: true in Caffe."""

    def window(self, x: CHW) -> Window:
        half = self.size // 2
        return Window((self.size, self.size), padding=Sides(half, half, half, half))

    def infer(self, x: CHW) -> CHW:
        if self.size % 2 == 0:
            raise BlockError(f"`size` must be odd, found {self.size}", "the window is centred on its place")
        return x

    def saves(self, x: CHW) -> Saves:
        """The input, its squares, the denominator and its power."""
        return Saves(inputs=(0,), elements=3 * x.size)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec.ops.lrn_within import local_response_norm_within

        alpha = self.alpha if self.divide_by_size else self.alpha * self.size * self.size
        return fx.function(local_response_norm_within, x, self.size, alpha, self.beta, self.k)
