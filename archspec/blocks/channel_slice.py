"""Some channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import MOST, Count, Primitive, Saves
from archspec.errors import ShapeError
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class ChannelSlice(Primitive, op="channel_slice"):
    """Neighbouring channels of a feature map, from `start` on.

    Shape:  CxHxW -> channels x H x W
    Errors: ShapeError if the input has fewer channels than `start` + `channels`
    Source: ShuffleNet V2 (Ma et al. 2018), section 3.2, splits the channels in halves
    """

    start: Annotated[int, Field(ge=0, le=MOST)]
    """The first channel, counted from 0."""
    channels: Count
    """How many channels."""

    def infer(self, x: CHW) -> CHW:
        if self.start + self.channels > x.channels:
            raise ShapeError(
                f"channels {self.start} to {self.start + self.channels - 1} of an input"
                f" with {x.channels} channels, 0 to {x.channels - 1}"
            )
        return CHW(self.channels, x.height, x.width)

    def saves(self, x: CHW) -> Saves:
        return Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.narrow, x, 1, self.start, self.channels)
