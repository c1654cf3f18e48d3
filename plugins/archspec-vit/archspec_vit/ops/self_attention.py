"""Multi-head self-attention (Vaswani et al. 2017, section 3.2)."""

import torch
from torch import nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """Self-attention with the parameters of torch's MultiheadAttention, by torch's fused product.

    Shape: N x T x features, unchanged.
    """

    def __init__(self, features: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * features, features))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * features))
        self.out_proj = nn.Linear(features, features)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = projected.reshape(*x.shape[:2], 3, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind()
        heads = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        joined: torch.Tensor = self.out_proj(heads.transpose(1, 2).flatten(2))
        return joined
