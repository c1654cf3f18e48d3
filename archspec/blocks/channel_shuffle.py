"""Shuffled channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Primitive
from archspec.errors import ShapeError
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class ChannelShuffle(Primitive, op="channel_shuffle"):
    """The channels dealt out: first the first of every group, then the second of every group, and so on.

    Shape:  CxHxW -> CxHxW
    Errors: ShapeError if `groups` does not divide C
    Source: ShuffleNet (Zhang et al. 2017), section 3.1
    """

    groups: Count
    """Groups of neighbouring channels."""

    def infer(self, x: CHW) -> CHW:
        if x.channels % self.groups:
            raise ShapeError(f"groups={self.groups} does not divide the {x.channels} channels of the input")
        return x

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.channel_shuffle, x, self.groups)
