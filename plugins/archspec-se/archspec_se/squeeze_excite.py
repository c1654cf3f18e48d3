"""A gate that weighs channels by what the whole image shows."""

from __future__ import annotations

from typing import Any, Literal

from archspec.block import Builder, Composite, Count, Value
from archspec.errors import ShapeError


class SqueezeExcite(Composite, op="squeeze_excite"):
    """Weighs the channels of a feature map by numbers that a small network works out from the channels' means.

    Its layers: `squeeze`, `fc1`, `activation`, `fc2`, `gate`, `scale`. The fully connected ones are 1x1 convolutions of
    the place that pooling leaves: so the gate is the Cx1x1 that `multiply` takes, and the keys are torchvision's.

    Shape:  CxHxW -> CxHxW
    Cost:   MACs = 2 * C * C / reduction per image, and as many weights
    Errors: ShapeError if `reduction` does not divide C
    Source: Hu et al. 2018, section 3, equations 2 to 4; `hardsigmoid` is MobileNetV3's, `silu` EfficientNet's
    """

    reduction: Count = 16
    """By how much `fc1` reduces the channels: r in the paper."""
    activation: Literal["relu", "silu", "hardswish"] = "relu"
    """What follows `fc1`."""
    gate: Literal["sigmoid", "hardsigmoid"] = "sigmoid"
    """What makes the output of `fc2` a weight between 0 and 1."""
    bias: bool = True
    """Whether `fc1` and `fc2` have biases; the paper's ablations on ResNets do better without (section 6)."""

    def expand(self, b: Builder, x: Value) -> Any:
        means = b.layer("squeeze", "adaptive_avg_pool2d", x, output_size=1)
        channels = means.shape.channels
        fc1 = b.layer("fc1", "conv2d", means, out_channels=self.reduced(channels), kernel_size=1, bias=self.bias)
        activation = b.layer("activation", self.activation, fc1)
        fc2 = b.layer("fc2", "conv2d", activation, out_channels=channels, kernel_size=1, bias=self.bias)
        gate = b.layer("gate", self.gate, fc2)
        return b.layer("scale", "multiply", x, gate)

    def reduced(self, channels: int) -> int:
        """Channels that `fc1` leaves of so many. Errors: ShapeError if they are not a whole number from 1"""
        if channels % self.reduction == 0:
            return channels // self.reduction
        nearest = next(r for r in range(min(channels, self.reduction), 0, -1) if channels % r == 0)
        wrong = "leaves none of" if channels < self.reduction else "does not divide"
        raise ShapeError(
            f"reduction={self.reduction} {wrong} the {channels} channels of the input",
            f"the nearest reduction below is {nearest}, which leaves {channels // nearest}",
        )
