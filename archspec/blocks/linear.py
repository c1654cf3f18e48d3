"""Fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Primitive, Saves, Weight
from archspec.initializers import fan_in_uniform
from archspec.tensor import Features

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class Linear(Primitive, op="linear"):
    """Fully connected layer: every output reads every feature.

    Shape:  F -> out_features; kinds of plugins that have places too keep them
    Cost:   MACs = F * out_features per image, for each place
    Errors: ShapeError if the last axis of the input is not features
    """

    out_features: Count
    """Features of the output."""
    bias: bool = True
    """Whether a bias is added to every output."""

    def infer(self, x: Features) -> Features:
        return x.widened(self.out_features)

    def parameters(self, x: Features) -> dict[str, Weight]:
        init = fan_in_uniform(x.width_of_place)
        weights = {"weight": Weight((self.out_features, x.width_of_place), init)}
        return weights | {"bias": Weight((self.out_features,), init)} if self.bias else weights

    def macs(self, x: Features) -> int:
        return x.size * self.out_features

    def saves(self, x: Features) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from torch import nn

        bias = {} if self.bias else {"bias": False}
        return fx.module(nn.Linear, x, fx.shapes[0].width_of_place, self.out_features, **bias)
