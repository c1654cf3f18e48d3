"""Tokens as a kind of shape: what flows into a network, and through the built-in ops."""

import pytest
import torch
from torch.nn import functional as F

import archspec
from archspec.tensor import Features, Vector
from archspec_vit.tokens import Tokens


def spec_of(layers, tokens=6, features=4, **sections):
    text = f"archspec: 1\nname: t\ninputs: {{x: {{tokens: [{tokens}, {features}]}}}}\nlayers:\n"
    text += "".join(f"  {layer}\n" for layer in layers)
    return archspec.load(text=text + "outputs: {y: last}\n")


def images(count=3, tokens=6, features=4):
    return torch.randn(count, tokens, features, generator=torch.Generator().manual_seed(0))


def test_tokens_are_features_with_places():
    shape = Tokens(197, 768)
    assert isinstance(shape, Features)
    assert (str(shape), shape.dims, shape.size) == ("197x768", (197, 768), 151_296)
    assert shape.axes == {"tokens": 197, "features": 768}
    assert (shape.width_of_place, shape.channel_dim, shape.places) == (768, 2, {"tokens": 197})
    assert shape.widened(10) == Tokens(197, 10)


def test_an_input_is_tokens():
    graph = archspec.compile(spec_of(["last: {op: linear, out_features: =x.tokens + x.features}"]))
    assert graph["x"].shape == Tokens(6, 4)
    assert graph["last"].shape == Tokens(6, 10)
    assert graph.macs == 6 * 4 * 10


def test_an_input_of_tokens_takes_another_size():
    spec = spec_of(["a: mean_tokens", "last: {op: linear, out_features: 2}"])
    graph = archspec.compile(spec, inputs={"x": (9, 5)})
    assert graph["x"].shape == Tokens(9, 5)
    assert graph["a"].shape == Vector(5)


def test_two_inputs_of_different_kinds():
    spec = archspec.load(
        text="archspec: 1\nname: t\ninputs: {x: {tokens: [6, 4]}, image: [3, 4, 6]}\nlayers:\n"
        "  patches: {op: patch_embedding, from: image, patch_size: 2, out_features: =x.features}\n"
        "  last: {op: add, from: [patches, x]}\noutputs: {y: last}\n"
    )
    network = archspec.build(spec)
    x, image = images(), torch.randn(3, 3, 4, 6)
    patches = F.conv2d(image, network.patches.weight, network.patches.bias, stride=2)
    expected = torch.stack([patches[:, :, row, column] for row in (0, 1) for column in (0, 1, 2)], dim=1) + x
    torch.testing.assert_close(network(x, image), expected)


BUILT_IN = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * torch.special.ndtr(x),
    "softmax": lambda x: x.exp() / x.exp().sum(dim=2, keepdim=True),
    "log_softmax": lambda x: x - x.exp().sum(dim=2, keepdim=True).log(),
    "{op: add, from: [x, x]}": lambda x: 2 * x,
    "{op: multiply, from: [x, x]}": lambda x: x * x,
    "identity": lambda x: x,
    "flatten": lambda x: x.reshape(3, 24),
    "{op: concat, from: [x, x]}": lambda x: torch.cat([x, x], dim=2),
    "{op: reshape, to: [2, 3, 4]}": lambda x: x.reshape(3, 2, 3, 4),
}


@pytest.mark.parametrize("layer", BUILT_IN)
def test_a_built_in_op_takes_tokens(layer):
    """Each feature by itself, or all the features of a token."""
    x = images()
    torch.testing.assert_close(archspec.build(spec_of([f"last: {layer}"]))(x), BUILT_IN[layer](x))


def test_linear_maps_each_token():
    network, x = archspec.build(spec_of(["last: {op: linear, out_features: 5}"])), images()
    found = network(x)
    for place in range(6):
        torch.testing.assert_close(found[:, place], x[:, place] @ network.last.weight.T + network.last.bias)


def test_scale_is_of_each_feature():
    network, x = archspec.build(spec_of(["last: {op: scale, bias: true}"])), images()
    network.last.weight.data = torch.arange(4.0)
    network.last.bias.data = torch.arange(4.0) * 10
    torch.testing.assert_close(network(x), torch.stack([x[:, :, i] * i + 10 * i for i in range(4)], dim=2))


def test_dropout_zeroes_elements():
    network, x = archspec.build(spec_of(["last: {op: dropout, p: 0.5}"])), images(64).abs() + 1
    found = network(x)
    kept = found != 0
    torch.testing.assert_close(found, 2 * x * kept)
    assert 0.4 < kept.float().mean() < 0.6
    assert not (kept == kept[:, :1, :]).all()
    assert not (kept == kept[:, :, :1]).all()
    torch.testing.assert_close(network.eval()(x), x)


def test_drop_path_zeroes_whole_images():
    network, x = archspec.build(spec_of(["last: {op: drop_path, p: 0.5}"])), images(64).abs() + 1
    found = network(x)
    kept = found[:, 0, 0] != 0
    assert 0.2 < kept.float().mean() < 0.8
    torch.testing.assert_close(found, 2 * x * kept[:, None, None])
    torch.testing.assert_close(network.eval()(x), x)


def test_layer_norm_is_of_each_token():
    network, x = archspec.build(spec_of(["last: {op: layer_norm, eps: 0.1}"])), images()
    network.last.weight.data, network.last.bias.data = torch.arange(4.0), torch.ones(4)
    centred = x - x.mean(dim=2, keepdim=True)
    variance = (centred**2).mean(dim=2, keepdim=True)
    torch.testing.assert_close(network(x), centred / (variance + 0.1).sqrt() * torch.arange(4.0) + 1)


def test_a_class_token_is_first_and_learned():
    spec = spec_of(["a: class_token", "last: {op: select_token, index: 0}"])
    network, x = archspec.build(spec), images()
    assert list(network.state_dict()) == ["a"]
    assert not network.a.any()
    network.a.data = torch.arange(4.0).reshape(1, 1, 4)
    torch.testing.assert_close(network(x), torch.arange(4.0).expand(3, 4))
    network(x).sum().backward()
    torch.testing.assert_close(network.a.grad, torch.full((1, 1, 4), 3.0))
    behind = archspec.build(spec_of(["a: class_token", "last: {op: select_token, index: 3}"]))
    torch.testing.assert_close(behind(x), x[:, 2])


def test_positions_are_added():
    network, x = archspec.build(spec_of(["last: position_embedding"], 50, 40)), images(3, 50, 40)
    assert {key: value.shape for key, value in network.state_dict().items()} == {"last": (1, 50, 40)}
    assert 0.018 < network.last.std() < 0.022
    network.last.data = torch.arange(2000.0).reshape(1, 50, 40)
    torch.testing.assert_close(network(x)[1], x[1] + torch.arange(2000.0).reshape(50, 40))


def test_the_mean_is_of_all_tokens():
    torch.testing.assert_close(archspec.build(spec_of(["last: mean_tokens"]))(images()), images().sum(dim=1) / 6)


def test_a_shared_layer_has_its_parameter_once():
    network = archspec.build(spec_of(["a: position_embedding", "last: {shares: a}"]))
    assert list(network.state_dict()) == ["a"]
    torch.testing.assert_close(network(images()), images() + 2 * network.a)
