"""Group normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Count, Primitive, Saves, Weight, unusual
from archspec.blocks.batch_norm2d import affine_weights
from archspec.errors import ShapeError
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class GroupNorm(Primitive, op="group_norm"):
    """Normalises groups of channels by their mean and variance within the image, then scales and shifts each channel.

    Shape:  CxHxW -> CxHxW
    Errors: ShapeError if `num_groups` does not divide C, or a group is a single value
    Source: Wu and He 2018; 32 groups in the paper, eps as in torch
    """

    num_groups: Count
    """Groups of channels: 1 normalises the whole image, as many as there are channels each channel alone."""
    eps: Annotated[float, Field(gt=0)] = 1e-5
    """Added to the variance."""
    affine: bool = True
    """Whether there is a learned scale and shift of each channel."""

    def infer(self, x: CHW) -> CHW:
        if x.channels % self.num_groups:
            raise ShapeError(f"num_groups={self.num_groups} does not divide the {x.channels} channels of the input")
        if x.size == self.num_groups:
            raise ShapeError(f"group_norm needs more than one value per group, found {x} in {self.num_groups} groups")
        return x

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return affine_weights(x.channels) if self.affine else {}

    def saves(self, x: CHW) -> Saves:
        """The input, and the mean and deviation of each group."""
        return Saves(inputs=(0,), elements=2 * self.num_groups)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        rest = unusual({"eps": self.eps, "affine": self.affine}, {"eps": 1e-5, "affine": True})
        return fx.module(nn.GroupNorm, x, self.num_groups, fx.shapes[0].channels, **rest)
