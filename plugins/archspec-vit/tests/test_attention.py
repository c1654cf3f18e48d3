"""self_attention against an attention written out by hand, and against torch's MultiheadAttention."""

import math

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archspec

SIZES = [(1, 4, 2), (7, 12, 1), (7, 12, 3), (10, 8, 8)]
"""Tokens, features, heads."""


def spec_of(tokens, features, num_heads, dropout=0.0):
    return archspec.load(
        text=f"archspec: 1\nname: t\ninputs: {{x: {{tokens: [{tokens}, {features}]}}}}\nlayers:\n"
        f"  attention: {{op: self_attention, num_heads: {num_heads}, dropout: {dropout}}}\noutputs: {{y: attention}}\n"
    )


def random_network(spec):
    """The network in float64 with random values, biases too."""
    network = archspec.build(spec, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    for value in network.parameters():
        value.data.normal_(generator=generator)
    return network


def tokens_of(count, *sizes):
    return torch.randn(count, *sizes, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def by_hand(x, state, num_heads):
    """Each head of each image by itself, the softmax written out."""
    images, width = [], x.shape[2] // num_heads
    for image in x:
        q, k, v = (image @ state["attention.in_proj_weight"].T + state["attention.in_proj_bias"]).chunk(3, dim=1)
        heads = []
        for number in range(num_heads):
            own = slice(number * width, (number + 1) * width)
            exponentials = torch.exp(q[:, own] @ k[:, own].T / math.sqrt(width))
            heads.append(exponentials / exponentials.sum(dim=1, keepdim=True) @ v[:, own])
        joined = torch.cat(heads, dim=1)
        images.append(joined @ state["attention.out_proj.weight"].T + state["attention.out_proj.bias"])
    return torch.stack(images)


@pytest.mark.parametrize(("tokens", "features", "num_heads"), SIZES)
@pytest.mark.parametrize("training", [False, True])
def test_attention_is_the_one_written_out(tokens, features, num_heads, training):
    network = random_network(spec_of(tokens, features, num_heads)).train(training)
    x = tokens_of(2, tokens, features)
    torch.testing.assert_close(network(x), by_hand(x, network.state_dict(), num_heads), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("tokens", "features", "num_heads"), SIZES)
def test_attention_takes_the_state_of_torchs(tokens, features, num_heads):
    network = random_network(spec_of(tokens, features, num_heads)).eval()
    peer = nn.MultiheadAttention(features, num_heads, batch_first=True).double().eval()
    assert [key.removeprefix("attention.") for key in network.state_dict()] == list(peer.state_dict())
    peer.load_state_dict({key.removeprefix("attention."): value for key, value in network.state_dict().items()})
    x = tokens_of(3, tokens, features)
    expected, _ = peer(x, x, x, need_weights=False)
    torch.testing.assert_close(network(x), expected, rtol=1e-10, atol=1e-10)


def test_dropout_is_torchs_in_training_alone():
    """On the softmax, drawn in the same order."""
    network = random_network(spec_of(9, 8, 2, dropout=0.4))
    peer = nn.MultiheadAttention(8, 2, dropout=0.4, batch_first=True).double()
    peer.load_state_dict({key.removeprefix("attention."): value for key, value in network.state_dict().items()})
    x = tokens_of(2, 9, 8)
    outputs = []
    for run in (network, lambda x: peer(x, x, x, need_weights=False)[0]):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            outputs.append(run(x))
    torch.testing.assert_close(*outputs, rtol=1e-10, atol=1e-10)
    still = by_hand(x, network.state_dict(), 2)
    assert (outputs[0] - still).abs().max() > 0.01
    torch.testing.assert_close(network.eval()(x), still, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("tokens", "features", "num_heads"), SIZES)
def test_macs_are_torchs_count(tokens, features, num_heads):
    """torch's counter sees the two products of an attention only where they are not fused."""
    spec = spec_of(tokens, features, num_heads)
    network = archspec.build(spec)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.randn(2, tokens, features))
    assert counter.get_total_flops() == 2 * 2 * archspec.compile(spec).macs


def test_first_values_are_torchs():
    """Of the same spread, with zeros for both biases."""
    network, peer = archspec.build(spec_of(2, 128, 4)).attention, nn.MultiheadAttention(128, 4)
    for (name, ours), theirs in zip(network.named_parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(ours.abs().max(), theirs.abs().max(), rtol=0.01, atol=0, msg=name)
        torch.testing.assert_close(ours.std(), theirs.std(), rtol=0.03, atol=0, msg=name)
