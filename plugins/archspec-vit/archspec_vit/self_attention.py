"""Multi-head self-attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.block import Count, Primitive, Probability, Saves, Weight
from archspec.errors import ShapeError
from archspec.initializers import Constant, XavierUniform, fan_in_uniform
from archspec_vit.divisors import nearest_divisor
from archspec_vit.tokens import Tokens

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter


class SelfAttention(Primitive, op="self_attention"):
    """Every token reads every token: softmax(QK^T / sqrt(F / num_heads)) V in each head, then a linear map of them all.

    Q, K and V are one linear map of the tokens, in this order, each with its heads one after another. The state-dict
    keys are those of torch's MultiheadAttention.

    Shape:  T tokens x F -> T tokens x F
    Cost:   MACs = 4 * T * F^2 for the linear maps, and 2 * T^2 * F for the two products of QK^T and V
    Errors: ShapeError if `num_heads` does not divide F
    Source: Vaswani et al. 2017, section 3.2; ViT, appendix A
    """

    num_heads: Count
    """Heads, each of F / num_heads features."""
    dropout: Probability = 0.0
    """Probability that a weight of the softmax is zeroed in training."""

    def infer(self, x: Tokens) -> Tokens:
        if x.features % self.num_heads:
            near = nearest_divisor(x.features, self.num_heads)
            message = f"num_heads={self.num_heads} does not divide the {x.features} features of the input"
            raise ShapeError(message, f"num_heads={near} would, with {x.features // near} features each")
        return x

    def parameters(self, x: Tokens) -> dict[str, Weight]:
        features, zeros = x.features, Constant(value=0.0)
        return {
            "in_proj_weight": Weight((3 * features, features), XavierUniform(mode="average")),
            "in_proj_bias": Weight((3 * features,), zeros),
            "out_proj.weight": Weight((features, features), fan_in_uniform(features)),
            "out_proj.bias": Weight((features,), zeros),
        }

    def macs(self, x: Tokens) -> int:
        return 4 * x.size * x.features + 2 * x.size * x.tokens

    def saves(self, x: Tokens) -> Saves:
        """The input, Q, K, V and what the heads give; with dropout the softmax, its mask and their product too.

        Without, a number for each head and token is kept, from which the softmax is worked out again.
        """
        rows = self.num_heads * x.tokens
        return Saves(inputs=(0,), elements=4 * x.size + (3 * rows * x.tokens if self.dropout else rows))

    def lower(self, fx: Emitter, x: Proxy) -> Proxy:
        from archspec_vit.ops.self_attention import SelfAttention as Module

        dropout = {"dropout": self.dropout} if self.dropout else {}
        return fx.module(Module, x, fx.shapes[0].features, self.num_heads, **dropout)
