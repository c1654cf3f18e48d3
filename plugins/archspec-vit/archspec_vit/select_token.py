"""One token of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.block import Primitive, Saves
from archspec.errors import ShapeError
from archspec.tensor import Vector
from archspec_vit.tokens import Tokens

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class SelectToken(Primitive, op="select_token"):
    """One token as a vector: with a class token, the first is what a classifier reads.

    Shape:  T tokens x F -> F
    Errors: ShapeError if there is no such token
    Source: ViT, section 3.1, equation 4
    """

    index: Annotated[int, Field(ge=0)] = 0
    """Which token, from 0."""

    def infer(self, x: Tokens) -> Vector:
        if self.index >= x.tokens:
            raise ShapeError(f"there is no token {self.index}, the input has {x.tokens}", f"the last is {x.tokens - 1}")
        return Vector(x.features)

    def saves(self, x: Tokens) -> Saves:
        return Saves(view=True)

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        import torch

        return fx.function(torch.select, x, 1, self.index)
