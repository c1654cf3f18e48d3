"""Receptive fields against the papers, and against what the gradient reaches."""

import pytest
import torch

import archspec
from archspec.graph.receptive_field import receptive_fields

ALEXNET = {"conv1": 11, "pool1": 19, "conv2": 51, "pool2": 67, "conv3": 99, "conv4": 131, "conv5": 163, "pool5": 195}


@pytest.fixture(scope="module")
def alexnet():
    return receptive_fields(archspec.compile("alexnet"))


@pytest.mark.parametrize("layer", ALEXNET)
def test_alexnet(alexnet, layer):
    assert alexnet[layer].size == (ALEXNET[layer], ALEXNET[layer])


@pytest.mark.parametrize(("layer", "before"), [("relu1", "conv1"), ("norm1", "relu1"), ("relu5", "conv5")])
def test_what_acts_on_each_place_alone_sees_no_more(alexnet, layer, before):
    assert alexnet[layer] == alexnet[before]


STACKS = {
    "strides": """
  a: {op: conv2d, out_channels: 2, kernel_size: 3, stride: 2}
  b: {op: max_pool2d, kernel_size: 2, ceil_mode: false}
  c: {op: conv2d, out_channels: 1, kernel_size: [3, 2]}
""",
    "dilation": """
  a: {op: conv2d, out_channels: 2, kernel_size: 3, dilation: 2}
  b: {op: avg_pool2d, kernel_size: [2, 3], stride: 1, ceil_mode: false}
  c: {op: conv2d, out_channels: 1, kernel_size: [1, 3], dilation: 3}
""",
    "branches": """
  a: {op: conv2d, out_channels: 2, kernel_size: 3}
  b: {op: conv2d, from: a, out_channels: 2, kernel_size: 5, padding: 2}
  c: {op: conv2d, from: a, out_channels: 3, kernel_size: [1, 7], padding: [0, 3]}
  d: {op: concat, from: [b, c]}
""",
    "shortcut": """
  a: {op: conv2d, out_channels: 4, kernel_size: 1, stride: 2}
  b: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}
  c: {op: add, from: [a, b]}
  d: {op: option_a, out_channels: 6, stride: 2, zeros: after}
""",
}
LAST = {"strides": "c", "dilation": "c", "branches": "d", "shortcut": "d"}


def reached(graph):
    """Height and width of the pixels that the gradient of the middle place of the output reaches."""
    module = archspec.build(graph, dtype=torch.float64).eval()
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    x = torch.rand(1, *graph.inputs[0].shape.dims, dtype=torch.float64)
    seen = torch.zeros_like(x, dtype=torch.bool)
    for _ in range(20):  # one draw shows only the largest pixel of each window of a max pool
        y = module(x := torch.rand_like(x).requires_grad_())
        (gradient,) = torch.autograd.grad(y[..., y.shape[2] // 2, y.shape[3] // 2].sum(), x)
        seen |= gradient != 0
    rows, columns = seen.flatten(0, 1).any(0).nonzero().T
    return tuple(int(found.max() - found.min()) + 1 for found in (rows, columns))


@pytest.mark.parametrize("name", STACKS)
def test_the_gradient_reaches_the_receptive_field(name):
    text = f"archspec: 1\nname: stack\ninputs: {{x: [1, 41, 41]}}\nlayers:{STACKS[name]}outputs: {{y: {LAST[name]}}}"
    graph = archspec.compile(archspec.load(text=text))
    assert receptive_fields(graph)[graph.layers[-1].name].size == reached(graph)


def test_a_vector_has_seen_the_whole_map():
    graph = archspec.compile("resnet-cifar")
    fields = receptive_fields(graph)
    last = graph.layers[-4]
    assert last.shape.dims == (64, 8, 8)
    assert fields["avgpool"].size == tuple(side + 7 * 4 for side in fields[last.name].size)
    assert fields["fc"] == fields["flatten"] == fields["avgpool"]


def test_a_vector_from_the_start_has_no_receptive_field():
    text = "archspec: 1\nname: mlp\ninputs: {x: [8]}\nlayers:\n  fc: {op: linear, out_features: 2}\noutputs: {y: fc}\n"
    assert set(receptive_fields(archspec.compile(archspec.load(text=text))).values()) == {None}


RESIZED = {
    "nearest": """
  a: {op: conv2d, out_channels: 2, kernel_size: 3, stride: 2, padding: 1}
  b: {op: upsample, scale_factor: 2, mode: nearest}
  c: {op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}
""",
    "bilinear": """
  a: {op: conv2d, out_channels: 2, kernel_size: 3, stride: 2, padding: 1}
  b: {op: upsample, scale_factor: 2, mode: bilinear, align_corners: false}
  c: {op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}
""",
    "transposed": """
  a: {op: conv2d, out_channels: 2, kernel_size: 3, stride: 2, padding: 1}
  b: {op: conv_transpose2d, out_channels: 2, kernel_size: 2, stride: 2}
  c: {op: conv2d, out_channels: 2, kernel_size: 5, stride: 3}
""",
    "transposed with overlap": """
  a: {op: avg_pool2d, kernel_size: 3, stride: 3, ceil_mode: false}
  b: {op: conv_transpose2d, out_channels: 2, kernel_size: 5, stride: 3, padding: 1}
  c: {op: conv2d, out_channels: 2, kernel_size: 3}
""",
    "down and up beside a shortcut": """
  a: {op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}
  b: {op: avg_pool2d, kernel_size: 2, ceil_mode: false}
  c: {op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}
  d: {op: conv_transpose2d, out_channels: 2, kernel_size: 2, stride: 2}
  e: {op: concat, from: [d, a]}
  f: {op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}
""",
}


@pytest.mark.parametrize("name", RESIZED)
def test_behind_upsampling_the_place_that_sees_most_counts(name):
    layers = RESIZED[name]
    last = [line.split(":")[0].strip() for line in layers.strip().splitlines()][-1]
    text = f"archspec: 1\nname: up\ninputs: {{x: [1, 48, 48]}}\nlayers:{layers}outputs: {{y: {last}}}"
    graph = archspec.compile(archspec.load(text=text))
    found = receptive_fields(graph)[last]
    module = archspec.build(graph, dtype=torch.float64).eval()
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    x = torch.rand(1, 1, 48, 48, dtype=torch.float64).requires_grad_()
    y = module(x)
    sizes = set()
    for place in range(y.shape[2] // 3, 2 * y.shape[2] // 3):
        (gradient,) = torch.autograd.grad(y[..., place, y.shape[3] // 2].sum(), x, retain_graph=True)
        rows = (gradient != 0)[0, 0].any(1).nonzero()
        sizes.add(int(rows.max() - rows.min()) + 1)
    assert max(sizes) == found.size[0] == found.size[1]


GATED = """
archspec: 1
name: gated
inputs: {x: [4, 24, 24]}
blocks:
  se:
    layers:
      pool: {op: adaptive_avg_pool2d, output_size: 1}
      conv: {op: conv2d, out_channels: 4, kernel_size: 1}
      gate: hardsigmoid
      mul:  {op: multiply, from: [input, gate]}
layers:
  a: {op: conv2d, out_channels: 4, kernel_size: 3, stride: 2, padding: 1}
  b: se
  c: {op: conv2d, out_channels: 4, kernel_size: 3, stride: 2, padding: 1}
  d: {op: se, repeat: 3}
  e: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}
outputs: {y: e}
"""


def test_behind_a_gate_every_place_sees_the_same_and_steps_go_on():
    fields = receptive_fields(archspec.compile(archspec.load(text=GATED)))
    whole = fields["b.mul"].size
    assert whole[0] >= 24
    assert [fields[name].stride[0] for name in ("a", "b.mul", "c", "d.2.mul", "e")] == [2, 2, 4, 4, 4]
    assert {fields[name].size for name in ("c", "d.0.mul", "d.2.mul", "e")} == {whole}
    assert [fields[name].fixed for name in ("a", "b.pool", "b.mul", "c", "e")] == [False, False, True, True, True]
