"""Fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Primitive, Saves, Weight
from archspec.initializers import fan_in_uniform
from archspec.tensor import Vector

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Linear(Primitive, op="linear"):
    """Fully connected layer: every output reads every feature.

    Shape:  F -> out_features
    Cost:   MACs = F * out_features per image
    Errors: ShapeError if the input is not a vector
    """

    out_features: Count
    """Features of the output."""
    bias: bool = True
    """Whether a bias is added to every output."""

    def infer(self, x: Vector) -> Vector:
        return Vector(self.out_features)

    def parameters(self, x: Vector) -> dict[str, Weight]:
        init = fan_in_uniform(x.features)
        weights = {"weight": Weight((self.out_features, x.features), init)}
        return weights | {"bias": Weight((self.out_features,), init)} if self.bias else weights

    def macs(self, x: Vector) -> int:
        return x.features * self.out_features

    def saves(self, x: Vector) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        bias = {} if self.bias else {"bias": False}
        return fx.module(nn.Linear, x, fx.shapes[0].features, self.out_features, **bias)
