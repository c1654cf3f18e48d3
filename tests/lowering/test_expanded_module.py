"""`expand` gives the same module for every spec of the zoo."""

from __future__ import annotations

import pytest
import torch

import archspec
from archspec.graph.init_rules import initializer_of
from archspec.lowering.module import plan
from archspec.lowering.verify import as_tuple
from archspec.spec.shelves import zoo_names
from archspec.spec.writer import write
from archspec.views.expanded import expanded


def again(graph: archspec.Graph) -> archspec.Graph:
    return archspec.compile(archspec.load(text=write(expanded(graph))))


@pytest.mark.parametrize("name", zoo_names())
def test_the_same_code_modules_and_first_values(name: str) -> None:
    graph = archspec.compile(name)
    other = again(graph)
    assert plan(other) == plan(graph)
    for ours, theirs in zip(graph.layers, other.layers, strict=True):
        for parameter, weight in ours.weights.items():
            mine = initializer_of(graph.rules, ours, parameter, weight)
            assert initializer_of(other.rules, theirs, parameter, weight) == mine


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("alexnet", {"classes": 10}),
        ("googlenet", {"classes": 10}),
        ("resnet18", {"shortcut": "C"}),
        ("resnet50-torchvision", {}),
        ("lenet5", {}),
        ("squeezenet1_1-torchvision", {}),
    ],
)
def test_the_same_bits(name: str, params: dict[str, object]) -> None:
    graph = archspec.compile(name, set=params)
    first, second = archspec.build(graph, seed=5), archspec.build(again(graph), seed=5)
    assert list(first.state_dict()) == list(second.state_dict())
    inputs = [torch.rand(2, *node.shape.dims) for node in graph.inputs]
    for training in (True, False):
        torch.manual_seed(0)
        ours = as_tuple(first.train(training)(*inputs))
        torch.manual_seed(0)
        theirs = as_tuple(second.train(training)(*inputs))
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
