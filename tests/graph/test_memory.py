"""What training keeps, against what torch's hooks count; and what is alive in evaluation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

import archspec
from archspec.graph.graph import Graph
from archspec.graph.memory import intensity, memory, saved_activations
from archspec.lowering.verify import as_tuple


def counted(graph: Graph, batch: int = 2) -> int:
    """Bytes of the unique storages that torch saves for backward, parameters and buffers excluded."""
    module = archspec.build(graph)
    state = {value.untyped_storage().data_ptr() for value in module.state_dict().values()}
    found: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in state:
            found[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no address is used twice
        return tensor

    inputs = [torch.rand(batch, *node.shape.dims) for node in graph.inputs]
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = as_tuple(module(*inputs))
    assert all(output.requires_grad for output in outputs)
    return sum(found.values())


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("alexnet", {}),
        ("alexnet", {"lrn_groups": 2}),
        ("googlenet", {}),
        ("resnet18", {}),
        ("resnet18", {"shortcut": "B"}),
        ("resnet50", {}),
        ("resnet-cifar", {}),
    ],
)
def test_saved_activations_of_the_papers_networks(name: str, params: dict[str, Any]) -> None:
    graph = archspec.compile(name, set=params)
    assert memory(graph, batch=2).activations == pytest.approx(counted(graph), rel=0.05)


SMALL = """
archspec: 1
name: small
inputs: {{image: [4, 16, 16]}}
layers:
  conv: {{op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}}
{layers}
outputs: {{y: last}}
"""
KEPT = {
    "once, though two layers need it": (
        "{a: relu, b: {op: conv2d, out_channels: 4, kernel_size: 1}, c: {op: conv2d, from: a, out_channels: 4,"
        " kernel_size: 1}, last: {op: add, from: [b, c]}}",
        {"image": 1, "a": 1},
    ),
    "through a view": ("{a: relu, f: flatten, last: {op: linear, out_features: 3}}", {"image": 1, "a": 1}),
    "nothing before the first parameter": (
        "{a: {op: relu, from: image}, b: tanh, last: {op: add, from: [b, conv]}}",
        {"image": 1},
    ),
    "a mask": ("{last: {op: dropout, p: 0.5}}", {"image": 1, "last": 1}),
    "nothing of a shared sum": ("{last: {op: add, from: [conv, conv]}}", {"image": 1}),
    "both sides of a maximum": ("{last: {op: maximum, from: [conv, image]}}", {"image": 1, "conv": 1}),
    "a factor for the other's gradient": ("{last: {op: multiply, from: [conv, image]}}", {"image": 1}),
    "a shared layer's input": ("{a: {shares: conv}, last: relu}", {"image": 1, "conv": 1, "last": 1}),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept(name: str) -> None:
    layers, maps = KEPT[name]
    lines = "\n".join(f"  {line}" for line in _layers(layers))
    graph = archspec.compile(archspec.load(text=SMALL.format(layers=lines)))
    assert saved_activations(graph) == {node: count * 4 * 16 * 16 * 4 for node, count in maps.items()}
    assert memory(graph, batch=2).activations == counted(graph)


def _layers(flow: str) -> list[str]:
    """The entries of a flow mapping, one a line."""
    found, depth, start = [], 0, 1
    for number, character in enumerate(flow):
        depth += (character in "{[") - (character in "}]")
        if (character == "," and depth == 1) or depth == 0:
            found.append(flow[start:number].strip())
            start = number + 1
    return found


def test_state_and_optimizers() -> None:
    graph = archspec.compile("resnet-cifar")
    buffers = 4 * sum(shape[0] for key, shape in graph.state_shapes().items() if "running" in key)
    counters = 8 * sum(key.endswith("num_batches_tracked") for key in graph.state_shapes())
    for optimizer, copies in (("sgd", 0), ("momentum", 1), ("adam", 2)):
        found = memory(graph, optimizer=optimizer)
        assert found.weights == 4 * graph.params + buffers + counters
        assert (found.gradients, found.optimizer) == (4 * graph.params, copies * 4 * graph.params)
        assert found.training == found.weights + found.gradients + found.optimizer + found.activations


def test_batch_and_dtype() -> None:
    graph = archspec.compile("resnet-cifar")
    one, many, half = memory(graph), memory(graph, batch=8), memory(graph, dtype="float16")
    assert many.activations == 8 * one.activations
    assert many.inference == 8 * one.inference
    assert half.inference * 2 == one.inference
    assert half.gradients * 2 == one.gradients


def test_alive_in_evaluation() -> None:
    chain = (
        "\n".join(f"  a{i}: relu" for i in range(5)) + "\n  last: {op: max_pool2d, kernel_size: 2, ceil_mode: false}"
    )
    graph = archspec.compile(archspec.load(text=SMALL.format(layers=chain)))
    assert memory(graph).inference == 2 * 4 * 16 * 16 * 4  # a layer's input and its output
    skip = "  a: relu\n  b: tanh\n  last: {op: add, from: [conv, b]}"
    graph = archspec.compile(archspec.load(text=SMALL.format(layers=skip)))
    assert memory(graph).inference == 3 * 4 * 16 * 16 * 4


def test_intensity_counts_each_number_moved_once() -> None:
    graph = archspec.compile(archspec.load(text=SMALL.format(layers="  last: relu")))
    conv = graph["conv"]
    assert intensity(conv, graph) == conv.macs / (4 * (4 * 256 + 4 * 256 + conv.params))
    assert intensity(conv, graph, batch=10) > intensity(conv, graph)
    assert intensity(graph["last"], graph) == 0
