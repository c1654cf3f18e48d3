"""Every block by archspec's test kit."""

from archspec.tensor import CHW, Vector
from archspec.testing import suite
from archspec_vit.class_token import ClassToken
from archspec_vit.layer_norm import LayerNorm
from archspec_vit.mean_tokens import MeanTokens
from archspec_vit.patch_embedding import PatchEmbedding
from archspec_vit.position_embedding import PositionEmbedding
from archspec_vit.select_token import SelectToken
from archspec_vit.self_attention import SelfAttention
from archspec_vit.tokens import Tokens

test_patch_embedding = suite(
    (PatchEmbedding(patch_size=4, out_features=6), CHW(3, 16, 24)),
    (PatchEmbedding(patch_size=(3, 2), out_features=5, bias=False), CHW(2, 6, 6)),
    (PatchEmbedding(patch_size=8, out_features=4), CHW(1, 8, 8)),
)

test_class_token = suite((ClassToken(), Tokens(40, 16)), (ClassToken(), Tokens(1, 3)))

test_position_embedding = suite((PositionEmbedding(), Tokens(40, 16)), (PositionEmbedding(), Tokens(1, 3)))

test_self_attention = suite(
    (SelfAttention(num_heads=2), Tokens(10, 12)),
    (SelfAttention(num_heads=8), Tokens(64, 16)),
    (SelfAttention(num_heads=3), Tokens(1, 6)),
    (SelfAttention(num_heads=4, dropout=0.3), Tokens(24, 16)),
    skip=["macs"],  # torch's counter knows no fused attention on the CPU; test_attention.py counts without it
)

test_layer_norm = suite(
    (LayerNorm(eps=1e-6), Tokens(40, 16)),
    (LayerNorm(eps=1e-3, affine=False), Tokens(300, 4)),
    (LayerNorm(eps=1e-5), Vector(9)),
)

test_select_token = suite((SelectToken(), Tokens(40, 16)), (SelectToken(index=2), Tokens(3, 4)))

test_mean_tokens = suite((MeanTokens(), Tokens(40, 16)), (MeanTokens(), Tokens(1, 3)))
