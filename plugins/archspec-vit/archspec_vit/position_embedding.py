"""Learned positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Weight
from archspec.initializers import Normal
from archspec_vit.tokens import Tokens

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class PositionEmbedding(Primitive, op="position_embedding"):
    """Adds a learned vector to each token, one for each place in the sequence; the layer's path is its state-dict key.

    There are as many vectors as tokens, so weights of one image size do not load at another.

    Shape:  T tokens x F -> T tokens x F
    Source: ViT, section 3.1, equation 1; the std of 0.02 is that of the authors' code, after BERT
    """

    def infer(self, x: Tokens) -> Tokens:
        return x

    def parameters(self, x: Tokens) -> dict[str, Weight]:
        return {"": Weight((1, x.tokens, x.features), Normal(std=0.02))}

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.add, x, fx.parameter())
