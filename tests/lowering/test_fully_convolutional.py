"""Converted classifiers compute what the ordinary ones do, at their own size and slid over larger images."""

import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import verify

PASS = "fully-convolutional"
SMALL = {"classes": 10}

UNPADDED = """
archspec: 1
name: small
inputs: {image: [3, 19, 23]}
layers:
  conv1: {op: conv2d, out_channels: 8, kernel_size: 3, stride: 2, padding: 0}
  relu1: relu
  pool1: {op: max_pool2d, kernel_size: 2, stride: 2, ceil_mode: false}
  flat:  flatten
  drop:  dropout
  fc1:   {op: linear, out_features: 16}
  relu2: relu
  fc2:   {op: linear, out_features: 5}
  prob:  softmax
outputs: {prob: prob}
init:
  - {op: linear, weight: {xavier_uniform: {mode: average}}, bias: 0.5}
  - {op: conv2d, weight: {normal: {std: 0.2}}, bias: 0.1}
"""
POOLED = UNPADDED.replace("  flat:  flatten\n  drop:  dropout\n", "  gap:   global_avg_pool2d\n")
ADAPTIVE = UNPADDED.replace(
    "flat:  flatten", "pool: {op: adaptive_avg_pool2d, output_size: [2, 1]}\n  flat:  flatten"
).replace("[3, 19, 23]", "[3, 17, 23]")


def pair(spec, outputs=(), **settings):
    """The ordinary network and the converted one, in double precision and evaluation."""
    graph = archspec.compile(spec, set=settings)
    ordinary = archspec.build(graph, dtype=torch.float64, outputs=outputs)
    converted = archspec.build(graph, dtype=torch.float64, passes=[PASS], outputs=outputs)
    return ordinary.eval(), converted.eval()


def images(*size, count=2):
    return torch.randn(count, *size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet18"])
def test_the_zoo_at_its_own_size(name):
    ordinary, converted = pair(name, **SMALL)
    assert list(converted.state_dict()) == list(ordinary.state_dict())
    for key, value in converted.state_dict().items():
        assert torch.equal(value.flatten(), ordinary.state_dict()[key].flatten()), key
    x = images(3, 224, 224, count=1)
    with torch.no_grad():
        close(converted(x), ordinary(x)[:, :, None, None])


@pytest.mark.parametrize(
    ("text", "step"), [(UNPADDED, (4, 4)), (POOLED, (4, 4)), (ADAPTIVE, (8, 4))], ids=["flatten", "pool", "adaptive"]
)
def test_each_place_of_a_larger_image_is_what_its_window_gives(text, step):
    spec = archspec.load(text=text)
    ordinary, converted = pair(spec)
    _, height, width = archspec.compile(spec).inputs[0].shape.dims
    x = images(3, height + 9, width + 13)
    with torch.no_grad():
        found = converted(x)
        rows, columns = (9 // step[0] + 1, 13 // step[1] + 1)
        assert found.shape[2:] == (rows, columns)
        for i, j in [(0, 0), (1, 2), (rows - 1, columns - 1)]:
            top, left = i * step[0], j * step[1]
            window = x[:, :, top : top + height, left : left + width]
            close(found[:, :, i, j], ordinary(window))


@pytest.mark.parametrize(
    ("name", "trunk", "size"), [("alexnet", "pool5", 6), ("googlenet", "inception5b", 7), ("resnet18", "layer4", 7)]
)
def test_the_head_of_a_padded_network_slides_over_its_last_map(name, trunk, size):
    # inside a larger image a window's padding is pixels, so only what comes after the last padding is the same
    ordinary, converted = pair(name, **SMALL)
    graph = archspec.compile(name, set=SMALL)
    features = archspec.build(graph, passes=[PASS], outputs=[trunk], dtype=torch.float64).eval()
    x = images(3, 256, 288, count=1)
    with torch.no_grad():
        maps, found = features(x), converted(x)
        for i, j in [(0, 0), (1, 2)]:
            window = maps[:, :, i : i + size, j : j + size]
            close(found[:, :, i, j], head(ordinary, name, window))


def head(network, name, window):
    """What comes after the last map, written by hand."""
    if name != "alexnet":
        return network.fc(window.mean((2, 3)))
    x = window.flatten(1)
    return network.fc8(network.fc7(network.fc6(x).relu()).relu())


def test_first_values_that_look_at_fans_stay_the_same():
    spec = archspec.load(text=UNPADDED)
    ordinary, converted = archspec.build(spec, seed=4), archspec.build(spec, seed=4, passes=[PASS])
    assert converted.fc1.weight.shape == (16, 8, 4, 5)
    for key, value in ordinary.state_dict().items():
        assert torch.equal(converted.state_dict()[key].flatten(), value.flatten()), key


def test_the_expanded_spec_of_a_converted_network_builds_the_same(tmp_path):
    from archspec.spec.writer import write
    from archspec.views.expanded import expanded

    graph = archspec.compile(archspec.load(text=UNPADDED), passes=[PASS])
    again = archspec.build(archspec.load(text=write(expanded(graph))), seed=4).state_dict()
    for key, value in archspec.build(graph, seed=4).state_dict().items():
        assert torch.equal(again[key], value), key


def test_weights_of_the_ordinary_network_load(tmp_path):
    spec = archspec.load(text=UNPADDED)
    ordinary = archspec.build(spec, seed=9)
    save_file(ordinary.state_dict(), tmp_path / "a.safetensors")
    converted = archspec.build(spec, passes=[PASS], weights=tmp_path / "a.safetensors")
    x = images(3, 19, 23).float()
    with torch.no_grad():
        found, expected = converted.eval()(x), ordinary.eval()(x)
    torch.testing.assert_close(found[:, :, 0, 0], expected)
    save_file(converted.state_dict(), tmp_path / "b.safetensors")
    assert archspec.build(spec, passes=[PASS], weights=tmp_path / "b.safetensors")
    with pytest.raises(archspec.BuildError, match="different"):
        archspec.build(spec, weights=tmp_path / "b.safetensors")


@pytest.mark.parametrize("text", [UNPADDED, POOLED, ADAPTIVE], ids=["flatten", "pool", "adaptive"])
def test_the_standalone_file_does_the_same(text):
    graph = archspec.compile(archspec.load(text=text), passes=[PASS])
    assert verify(archspec.build(graph), graph, standalone_source(graph), torch.device("cpu"))
