"""Properties of whole networks, over random ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.graph.graph import Graph
from archspec.graph.receptive_field import receptive_fields
from archspec.lowering.verify import as_tuple
from archspec.spec.writer import write
from archspec.views.expanded import expanded
from tests.networks import loaded, mutated, networks

UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large]
slow = settings(max_examples=30, deadline=None, suppress_health_check=UNHURRIED)


def inputs(graph: Graph, batch: int = 2, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(batch, *node.shape.dims, generator=generator, dtype=dtype) for node in graph.inputs]


@given(networks())
@slow
def test_the_module_is_what_the_graph_says(data: Any) -> None:
    graph = archspec.compile(loaded(data))
    module = archspec.build(graph)
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == graph.state_shapes()
    assert sum(parameter.numel() for parameter in module.parameters()) == graph.params
    for training, outputs in ((True, graph.outputs), (False, graph.main_outputs)):
        values = as_tuple(module.train(training)(*inputs(graph)))
        assert [tuple(value.shape[1:]) for value in values] == [graph[output.node].shape.dims for output in outputs]
    with FlopCounterMode(display=False) as counter:
        module(*inputs(graph, batch=1))
    assert counter.get_total_flops() == 2 * graph.inference().macs


@given(networks())
@slow
def test_an_expanded_network_is_the_same(data: Any) -> None:
    graph = archspec.compile(loaded(data))
    text = write(expanded(graph))
    again = archspec.compile(archspec.load(text=text))
    assert write(expanded(again)) == text
    first, second = archspec.build(graph, seed=3), archspec.build(again, seed=3)
    assert list(first.state_dict()) == list(second.state_dict())
    for ours, theirs in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(first.eval()(*inputs(graph)), second.eval()(*inputs(graph)))


def for_probing(data: Any) -> Any:
    """The network as one in which every pixel that is seen has a gradient: averages for maxima, no saturation."""
    data = copy.deepcopy(data)

    def changed(layer: Any) -> Any:
        if isinstance(layer, dict):
            if layer.get("op") == "max_pool2d":
                layer |= {"op": "avg_pool2d", "count_include_pad": True}
            return {key: changed(value) for key, value in layer.items()}
        if isinstance(layer, list):
            return [changed(item) for item in layer]
        return "relu" if layer in ("tanh", "batch_norm2d") else layer

    data["layers"], data["blocks"] = changed(data["layers"]), changed(data["blocks"])
    return data


@given(networks(size=90, channels=1, most=5))
@slow
def test_the_gradient_reaches_the_receptive_field(data: Any) -> None:
    data = for_probing(data)
    data["layers"] = {name: layer for name, layer in data["layers"].items() if name.startswith("n")}
    last = next(reversed(data["layers"]))
    assume("when" not in data["layers"][last] or isinstance(data["layers"][last], str))
    data["outputs"] = {"y": last}
    data["params"].pop("classes")
    graph = archspec.compile(loaded(data))
    seen = receptive_fields(graph)[graph.outputs[0].node]
    module = archspec.build(graph, dtype=torch.float64).eval()
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 0.5)
    (x,) = inputs(graph, 1, torch.float64)
    y = module(x.requires_grad_())
    place = (y.shape[2] // 2, y.shape[3] // 2)
    (gradient,) = torch.autograd.grad(y[0, :, place[0], place[1]].sum(), x)
    rows, columns = (gradient != 0)[0, 0].nonzero().T
    assert seen is not None
    for axis, found in enumerate((rows, columns)):
        first = place[axis] * seen.stride[axis] - seen.padding[axis]
        last_pixel, edge = first + seen.size[axis] - 1, x.shape[2 + axis] - 1
        # Where the field reaches over the image's edge, a stride may step over the pixels at the edge.
        assert int(found.min()) == first or first < 0 <= int(found.min()) < seen.stride[axis]
        assert int(found.max()) == last_pixel or last_pixel > edge >= int(found.max()) > edge - seen.stride[axis]


@given(mutated())
@settings(max_examples=150, deadline=None, suppress_health_check=UNHURRIED)
def test_a_mutated_network_is_refused_with_places_or_works(data: Any) -> None:
    try:
        graph = archspec.compile(loaded(data), max_nodes=2_000)
    except archspec.SpecError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.position is not None, problem
            assert problem.slug and problem.message
        return
    if graph.params > 1_000_000 or graph.macs > 100_000_000 or any(node.shape.size > 1_000_000 for node in graph):
        return
    module = archspec.build(graph).eval()
    values = as_tuple(module(*inputs(graph)))
    assert [tuple(value.shape[1:]) for value in values] == [graph[o.node].shape.dims for o in graph.main_outputs]


@pytest.mark.parametrize("seed", [0, 1])
def test_networks_with_the_same_seed_start_alike(seed: int) -> None:
    graph = archspec.compile("resnet-cifar")
    first, second = archspec.build(graph, seed=seed).state_dict(), archspec.build(graph, seed=seed).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
