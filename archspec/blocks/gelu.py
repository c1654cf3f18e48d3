"""Gaussian error linear unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from archspec.block import Primitive, Saves, unusual
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Gelu(Primitive, op="gelu"):
    """Gaussian error linear unit: x times the probability that a standard normal variable is below x.

    Shape:  any, unchanged
    Source: Hendrycks and Gimpel 2016
    """

    approximate: Literal["none", "tanh"] = "none"
    """Whether the probability is exact (`none`), or approached with a tanh."""

    def infer(self, x: Shape) -> Shape:
        return x

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch.nn import functional as F

        return fx.function(F.gelu, x, **unusual({"approximate": self.approximate}, {"approximate": "none"}))
