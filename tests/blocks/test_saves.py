"""What blocks say that backward needs again, against the memory that torch holds."""

from collections import Counter

import hypothesis
import pytest
import torch
from hypothesis import assume, given

import archspec
from archspec.block import Saves
from archspec.errors import BlockError
from archspec.graph.infer import infer
from archspec.registry import BLOCKS
from archspec.tensor import CHW
from tests.strategies import CASES, case, graph_behind

BATCH = 3
ELEMENT, INDEX = 4, 8

FINE = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]
some = hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=FINE, database=None, derandomize=True)

few = hypothesis.settings(some, max_examples=20)

STATISTICS = {"batch_norm2d": 2}
"""Vectors per channel of the whole batch, which `saves` leaves out."""


def held(graph):
    """Bytes that torch holds for the backward of a network in training, without its parameters, buffers and inputs.

    By value, for outputs of modules and of the network; those of anything else under "".
    """
    module = archspec.build(graph)
    xs = [torch.randn(BATCH, *node.shape.dims) for node in graph.inputs]
    names = {place(tensor): None for tensor in [*module.parameters(), *module.buffers(), *xs]}
    kept, outputs = {}, []  # storages, held so that no later value takes their place

    def pack(tensor):
        kept[place(tensor)] = tensor.untyped_storage()
        return tensor

    def name_output(path):
        def hook(_module, _inputs, y):
            outputs.append(y.untyped_storage())
            names.setdefault(place(y), path)

        return hook

    for path, inner in module.named_modules():
        if path:
            inner.register_forward_hook(name_output(path))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = module(*xs)
    assert y.requires_grad
    names.setdefault(place(y), graph.outputs[0].node)
    found = Counter()
    for where, storage in kept.items():
        found[names.get(where, "")] += storage.nbytes()
    del found[None]
    return dict(found)


def place(tensor):
    return tensor.untyped_storage().data_ptr()


def declared(graph):
    """The same, as the blocks declare it; a value is held once, and a view is its input's memory."""
    memory = {}
    found = Counter()
    for node in graph:
        memory[node.name] = memory[node.inputs[0]] if node.saves.view else node.name
        kept = [memory[node.inputs[i]] for i in node.saves.inputs]
        kept += [memory[node.name]] if node.saves.output else []
        for name in kept:
            if graph[name].block is not None:
                found[name] = BATCH * graph[name].shape.size * ELEMENT
        found[""] += BATCH * (node.saves.elements * ELEMENT + node.saves.indices * INDEX)
    return dict(found)


def difference(block, shapes):
    """What torch holds beyond what is declared, in bytes by value."""
    graph = graph_behind(block, *shapes)
    found, claimed = held(graph), declared(graph)
    claimed[""] += STATISTICS.get(block.op, 0) * ELEMENT * shapes[0].dims[0]
    values = found.keys() | claimed.keys()
    return {name: extra for name in values if (extra := found.get(name, 0) - claimed.get(name, 0))}


def is_accepted(found):
    try:
        infer(found.block, found.shapes)
    except BlockError:
        return False
    return True


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_torch_holds_what_is_declared(op):
    @some
    @given(CASES[op])
    def holds(found):
        assume(is_accepted(found))
        assert difference(found.block, found.shapes) == {}

    holds()


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_the_output_is_a_view_if_declared(op):
    """Where the next layer needs the output, a view costs nothing beyond the input."""

    @few
    @given(CASES[op])
    def holds(found):
        assume(is_accepted(found))
        graph = graph_behind(found.block, *found.shapes, read=True)
        kept, claimed = Counter(held(graph)), Counter(declared(graph))
        claimed[""] += STATISTICS.get(op, 0) * ELEMENT * found.shapes[0].dims[0]
        for values in kept, claimed:  # a function's output has no name of its own where it is read again
            values[""] += values.pop("layer", 0)
        assert +kept == +claimed

    holds()


MAP = CHW(4, 6, 6)
WRONG = {
    "nothing": Saves(),
    "the output too": Saves(inputs=(0,), output=True, indices=36),
    "no indices": Saves(inputs=(0,)),
    "indices of 4 bytes": Saves(inputs=(0,), elements=36),
    "a view": Saves(inputs=(0,), indices=36, view=True, output=True, elements=1),
}


def max_pool():
    return case("max_pool2d", {"kernel_size": 2, "ceil_mode": False}, MAP).block


def test_a_max_pool_holds_its_input_and_where_it_found_the_maxima():
    assert max_pool().saves(MAP) == Saves(inputs=(0,), indices=36)


@pytest.mark.parametrize("claim", WRONG)
def test_a_wrong_claim_is_noticed(claim, monkeypatch):
    """The measurement tells apart what a block could claim."""
    pool = max_pool()
    assert difference(pool, [MAP]) == {}
    monkeypatch.setattr(type(pool), "saves", lambda self, x: WRONG[claim])
    assert difference(pool, [MAP]) != {}


def test_input_and_output_are_told_apart(monkeypatch):
    relu = case("relu", {}, MAP).block
    assert difference(relu, [MAP]) == {}
    monkeypatch.setattr(type(relu), "saves", lambda self, x: Saves(inputs=(0,)))
    size = BATCH * MAP.size * ELEMENT
    assert difference(relu, [MAP]) == {"before0": -size, "layer": size}


def chain(*layers):
    """A network of layers one after another."""
    text = "".join(f"  l{i}: {layer}\n" for i, layer in enumerate(layers))
    last = f"l{len(layers) - 1}"
    spec = f"archspec: 1\nname: t\ninputs: {{x: [3, 5, 5]}}\nlayers:\n{text}outputs: {{y: {last}}}\n"
    return archspec.compile(archspec.load(text=spec))


CONV = "{op: conv2d, out_channels: 4, kernel_size: 1}"


@pytest.mark.parametrize(
    "layers",
    [
        (CONV, "relu", CONV),
        (CONV, "relu", "flatten", "{op: linear, out_features: 2}"),
        (CONV, "identity", "{op: reshape, to: [20, 1, 5]}", "tanh", CONV),
    ],
)
def test_a_value_that_two_layers_need_is_held_once(layers):
    """By the activation that made it, and by the next layer with weights, even through a view."""
    graph = chain(*layers)
    assert sum(held(graph).values()) == sum(declared(graph).values()) == BATCH * 4 * 25 * ELEMENT
