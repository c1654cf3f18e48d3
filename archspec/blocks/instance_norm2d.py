"""Instance normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Buffer, Primitive, Saves, Weight, unusual
from archspec.blocks.batch_norm2d import affine_weights, running_stats
from archspec.errors import ShapeError
from archspec.tensor import CHW

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class InstanceNorm2d(Primitive, op="instance_norm2d"):
    """Normalises every channel by its mean and variance within the image.

    Shape:  CxHxW -> CxHxW
    Errors: ShapeError if the input is a single place, which has no variance
    Source: Ulyanov et al. 2016; the defaults are torch's
    """

    eps: Annotated[float, Field(gt=0)] = 1e-5
    """Added to the variance."""
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the new batch in the moving averages, where they are tracked."""
    affine: bool = False
    """Whether there is a learned scale and shift of each channel."""
    track_running_stats: bool = False
    """Whether moving averages are kept, and used in evaluation instead of the image's own."""

    def infer(self, x: CHW) -> CHW:
        if x.height * x.width == 1:
            raise ShapeError(f"instance_norm2d needs more than one place per channel, found {x}")
        return x

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return affine_weights(x.channels) if self.affine else {}

    def buffers(self, x: CHW) -> dict[str, Buffer]:
        return running_stats(x.channels) if self.track_running_stats else {}

    def saves(self, x: CHW) -> Saves:
        """The input; and per channel of each image its mean and deviation, torch's copies of scale and averages."""
        per_channel = 2 + self.affine + 2 * self.track_running_stats
        return Saves(inputs=(0,), elements=per_channel * x.channels)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        given = {name: getattr(self, name) for name in ("eps", "momentum", "affine", "track_running_stats")}
        usual = {"eps": 1e-5, "momentum": 0.1, "affine": False, "track_running_stats": False}
        return fx.module(nn.InstanceNorm2d, x, fx.shapes[0].channels, **unusual(given, usual))
