"""Parametric rectified linear unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves, Weight
from archspec.errors import ShapeError
from archspec.initializers import Constant
from archspec.tensor import Shape

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class PRelu(Primitive, op="prelu"):
    """Rectified linear unit with learned slopes below zero: max(x, 0) + slope * min(x, 0).

    Shape:  any, unchanged
    Errors: ShapeError if `per_channel` and channels or features are not the first axis
    Source: He et al. 2015, "Delving deep into rectifiers", equation 1; slopes start at 0.25
    """

    per_channel: bool
    """Whether every channel or feature has its own slope (the paper, Caffe), or all share one (torch)."""

    def infer(self, x: Shape) -> Shape:
        if self.per_channel and x.channel_dim != 1:
            raise ShapeError(f"`per_channel` takes channels or features as the first axis, found {x}, {x.kind}")
        return x

    def parameters(self, x: Shape) -> dict[str, Weight]:
        return {"weight": Weight((self.slopes(x),), Constant(value=0.25))}

    def slopes(self, x: Shape) -> int:
        """How many slopes are learned."""
        return x.width_of_place if self.per_channel else 1

    def saves(self, x: Shape) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        slopes = self.slopes(fx.shapes[0])
        return fx.module(nn.PReLU, x, **({} if slopes == 1 else {"num_parameters": slopes}))
