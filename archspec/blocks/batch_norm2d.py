"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Buffer, Primitive, Saves, Weight, unusual
from archspec.initializers import Constant
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class BatchNorm2d(Primitive, op="batch_norm2d"):
    """Normalises every channel by its mean and variance over batch and places, then scales and shifts it.

    In evaluation the moving averages of mean and variance are used.

    Shape:  CxHxW -> CxHxW
    Source: Ioffe and Szegedy 2015; eps and momentum as in torch
    """

    eps: Annotated[float, Field(gt=0)] = 1e-5
    """Added to the variance."""
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the new batch in the moving averages."""
    affine: bool = True
    """Whether there is a learned scale and shift."""

    def infer(self, x: CHW) -> CHW:
        return x

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return affine_weights(x.channels) if self.affine else {}

    def buffers(self, x: CHW) -> dict[str, Buffer]:
        return running_stats(x.channels)

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        given = {"eps": self.eps, "momentum": self.momentum, "affine": self.affine}
        usual = {"eps": 1e-5, "momentum": 0.1, "affine": True}
        return fx.module(nn.BatchNorm2d, x, fx.shapes[0].channels, **unusual(given, usual))


def affine_weights(channels: int) -> dict[str, Weight]:
    """The learned scale and shift of a normalisation."""
    shape = (channels,)
    return {"weight": Weight(shape, Constant(value=1.0)), "bias": Weight(shape, Constant(value=0.0))}


def running_stats(channels: int) -> dict[str, Buffer]:
    """The moving averages of a normalisation."""
    shape = (channels,)
    return {
        "running_mean": Buffer(shape),
        "running_var": Buffer(shape),
        "num_batches_tracked": Buffer((), "int64"),
    }
