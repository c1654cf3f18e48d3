"""The mean of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive
from archspec.tensor import Vector
from archspec_vit.tokens import Tokens

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class MeanTokens(Primitive, op="mean_tokens"):
    """The mean of all tokens as a vector: what a classifier reads where there is no class token.

    Shape:  T tokens x F -> F
    Source: ViT, appendix D.3, where it is as good as the class token at another learning rate
    """

    def infer(self, x: Tokens) -> Vector:
        return Vector(x.features)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.mean, x, 1)
