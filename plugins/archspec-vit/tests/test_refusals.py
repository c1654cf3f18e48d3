"""What the ops refuse, and in which words."""

import pytest

import archspec

TOKENS = "{tokens: [6, 8]}"
IMAGE = "[3, 30, 32]"

REFUSED = [
    (IMAGE, "{op: patch_embedding, patch_size: 16, out_features: 8}", "16 does not divide the height, 30"),
    (IMAGE, "{op: patch_embedding, patch_size: [5, 7], out_features: 8}", "7 does not divide the width, 32"),
    (IMAGE, "{op: patch_embedding, patch_size: 64, out_features: 8}", "patches of 64x64 do not tile 30x32"),
    (IMAGE, "{op: patch_embedding, patch_size: 0, out_features: 8}", "a whole number from 1"),
    (IMAGE, "{op: patch_embedding, patch_size: 2}", "needs `out_features`"),
    (TOKENS, "{op: patch_embedding, patch_size: 2, out_features: 8}", "takes a feature map"),
    (TOKENS, "{op: self_attention, num_heads: 3}", "num_heads=3 does not divide the 8 features"),
    (TOKENS, "{op: self_attention, num_heads: 0}", "at least 1"),
    (TOKENS, "{op: self_attention, num_heads: 2, dropout: 1.0}", "less than 1"),
    (TOKENS, "self_attention", "needs `num_heads`"),
    (TOKENS, "{op: select_token, index: 6}", "there is no token 6, the input has 6"),
    (TOKENS, "{op: select_token, index: -1}", "at least 0"),
    (TOKENS, "layer_norm", "needs `eps`"),
    (TOKENS, "{op: layer_norm, eps: 0}", "more than 0"),
    (IMAGE, "{op: layer_norm, eps: 1e-6}", "layer_norm takes a vector"),
    (IMAGE, "{op: self_attention, num_heads: 3}", "self_attention takes tokens (tokens x features)"),
    (IMAGE, "class_token", "class_token takes tokens"),
    (IMAGE, "position_embedding", "position_embedding takes tokens"),
    (IMAGE, "select_token", "select_token takes tokens"),
    ("[8]", "mean_tokens", "mean_tokens takes tokens"),
    (TOKENS, "{op: conv2d, out_channels: 8, kernel_size: 1}", "conv2d takes a feature map"),
    (TOKENS, "global_avg_pool2d", "found 6x8, tokens (tokens x features)"),
    (TOKENS, "{op: linear, out_features: =x.channels}", "it has no `channels`"),
    ("{tokens: [6]}", "relu", "must be [tokens, features]"),
    ("{tokens: [6, 8, 9]}", "relu", "must be [tokens, features]"),
    ("{tokens: [0, 8]}", "relu", "must be [tokens, features], each from 1"),
    ("{token: [6, 8]}", "relu", "no kind of shape `token`"),
    ("[6, 8]", "relu", "it must have 1 or 3"),
]


def problem_of(shape, layer):
    text = f"archspec: 1\nname: refused\ninputs: {{x: {shape}}}\nlayers:\n  last: {layer}\noutputs: {{y: last}}\n"
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(archspec.load(text=text))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(("shape", "layer", "words"), REFUSED)
def test_it_is_refused(shape, layer, words):
    assert words in problem_of(shape, layer).message


HINTS = [
    (IMAGE, "{op: patch_embedding, patch_size: 16, out_features: 8}", "16 or 32 along this axis, or a patch of 15"),
    (IMAGE, "{op: patch_embedding, patch_size: 64, out_features: 8}", "an image of 64 along this axis"),
    ("[3, 2147483647, 2]", "{op: patch_embedding, patch_size: 999983, out_features: 1}", "or a patch of 1"),
    (TOKENS, "{op: self_attention, num_heads: 3}", "num_heads=2 would, with 4 features each"),
    ("{tokens: [2, 64]}", "{op: self_attention, num_heads: 12}", "num_heads=8 would, with 8 features each"),
    (TOKENS, "{op: select_token, index: 7}", "the last is 5"),
    (TOKENS, "layer_norm", "1e-6 in ViT's code"),
]


@pytest.mark.parametrize(("shape", "layer", "words"), HINTS)
def test_a_hint_mends_it(shape, layer, words):
    assert words in problem_of(shape, layer).hint


def test_different_numbers_of_tokens_do_not_add_up():
    text = (
        "archspec: 1\nname: refused\ninputs: {x: {tokens: [6, 8]}}\nlayers:\n"
        "  a: class_token\n  last: {op: add, from: [a, x]}\noutputs: {y: last}\n"
    )
    with pytest.raises(archspec.SpecError, match="inputs differ in shape: 7x8, 6x8"):
        archspec.compile(archspec.load(text=text))
