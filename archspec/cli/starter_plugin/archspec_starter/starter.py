"""A gate with a learned slope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Saves, Weight
from archspec.initializers import Constant
from archspec.tensor import CHW

if TYPE_CHECKING:
    from archspec.lowering.emitter import Emitter
    from torch import Tensor
    from torch.fx import Proxy


class Starter(Primitive, op="starter"):
    """x * sigmoid(slope * x), with a learned slope for each channel.

    Shape:  CxHxW -> CxHxW
    Cost:   no MACs; params: C slopes
    Source: Ramachandran et al. 2017, "Searching for activation functions", section 4
    """

    first: float = 1.0
    """First value of the slopes."""

    def infer(self, x: CHW) -> CHW:
        return x

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return {"slope": Weight((x.channels, 1, 1), Constant(value=self.first))}

    def saves(self, x: CHW) -> Saves:
        """The input, and its gate."""
        return Saves(inputs=(0,), elements=x.size)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        return fx.function(starter, x, fx.parameter("slope"))


def starter(x: Tensor, slope: Tensor) -> Tensor:
    """What the block computes; model.py carries this function along."""
    import torch

    return x * torch.sigmoid(slope * x)
