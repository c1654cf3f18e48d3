"""Local response normalisation across channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Primitive, Saves
from archspec.errors import BlockError, ShapeError
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class LocalResponseNorm(Primitive, op="lrn"):
    """Local response normalisation across channels: y = x / (k + alpha * sum of squares)^beta.

    The sum runs over the `size` channels around each one, fewer at the ends.

    Shape:  CxHxW -> CxHxW
    Errors: BlockError if `size` is even; ShapeError if `groups` does not divide C
    Source: AlexNet, section 3.3: size 5, alpha 1e-4, beta 0.75, k 2, the sum as printed
    """

    size: Count
    """Channels in the window, odd."""
    alpha: float
    """Weight of the sum of squares."""
    beta: float
    """Exponent."""
    k: float
    """Added to the sum; 2 in the AlexNet paper, 1 in Caffe."""
    divide_by_size: bool
    """Whether alpha is divided by `size`: false in AlexNet's printed formula, true in Caffe and torch."""
    groups: Count
    """Groups of channels that do not see each other: 1 for all channels, 2 for AlexNet's two GPUs."""

    def infer(self, x: CHW) -> CHW:
        if self.size % 2 == 0:
            raise BlockError(f"`size` must be odd, found {self.size}", "the window is centred on its channel")
        if x.channels % self.groups:
            raise ShapeError(f"groups={self.groups} does not divide the {x.channels} channels of the input")
        return x

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec.ops.lrn_swift import local_response_norm

        alpha = self.alpha / self.size if self.divide_by_size else self.alpha
        groups = {} if self.groups == 1 else {"groups": self.groups}
        return fx.function(local_response_norm, x, self.size, alpha, self.beta, self.k, **groups)
