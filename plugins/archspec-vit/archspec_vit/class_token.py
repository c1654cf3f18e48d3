"""A learned token in front of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Primitive, Weight
from archspec.initializers import Constant
from archspec_vit.tokens import Tokens

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class ClassToken(Primitive, op="class_token"):
    """Puts a learned token before the others, the same for every image; the layer's path is its state-dict key.

    Attention gathers in it what a classifier reads: see select_token.

    Shape:  T tokens x F -> T + 1 tokens x F
    Source: ViT, section 3.1, equation 1, after BERT (Devlin et al. 2018); it starts at zero in the authors' code
    """

    def infer(self, x: Tokens) -> Tokens:
        return Tokens(x.tokens + 1, x.features)

    def parameters(self, x: Tokens) -> dict[str, Weight]:
        return {"": Weight((1, 1, x.features), Constant(value=0.0))}

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec_vit.ops.prepend_token import prepend_token

        return fx.function(prepend_token, x, fx.parameter())
