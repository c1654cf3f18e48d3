"""Matching layers of two networks, and what then differs, on random networks and on known ones."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import archspec
from archspec.graph.difference import difference
from archspec.graph.match import match

UNARY = [
    "relu",
    "tanh",
    "batch_norm2d",
    "{op: dropout, p: 0.25}",
    "{op: dropout, p: 0.5}",
    "{op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}",
    "{op: conv2d, out_channels: 4, kernel_size: 1}",
]
"""Ops that keep 4x8x8, so that any order of them is a network."""

chains = st.lists(st.sampled_from(UNARY), min_size=1, max_size=14)


def network(layers: list[tuple[str, str]], outputs: str | None = None, rest: str = "") -> archspec.Graph:
    text = "".join(f"  {name}: {layer}\n" for name, layer in layers)
    outputs = outputs or f"{{y: {layers[-1][0]}}}"
    spec = f"archspec: 1\nname: net\ninputs: {{image: [4, 8, 8]}}\nlayers:\n{text}outputs: {outputs}\n{rest}"
    return archspec.compile(archspec.load(text=spec))


def chain(ops: list[str], prefix: str = "l") -> archspec.Graph:
    return network([(f"{prefix}{k}-", op) for k, op in enumerate(ops)])


@st.composite
def branched(draw: st.DrawFn, name: str = "l") -> list[tuple[str, str]]:
    """Layers that read any earlier ones; what nothing reads is added up at the end."""
    layers: list[tuple[str, str]] = []
    unread: set[str] = set()
    for k in range(draw(st.integers(1, 10))):
        known = ["image", *(known for known, _ in layers)]
        sources = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2))
        op = draw(st.sampled_from(UNARY)) if len(sources) == 1 else "add"
        fields = op.strip("{}") if op.startswith("{") else f"op: {op}"
        layers.append((f"{name}{chr(97 + k)}", f"{{{fields}, from: [{', '.join(sources)}]}}"))
        unread = (unread | {layers[-1][0]}) - set(sources)
    ends = [*sorted(unread), "image"]
    return [*layers, (f"{name}end", f"{{op: add, from: [{', '.join(ends)}]}}")]


def renamed(layers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same network with every layer under another name."""
    new = {name: f"other-{len(layers) - k}" for k, (name, _) in enumerate(layers)}
    found = []
    for name, layer in layers:
        head, _, sources = layer.rstrip("]}").partition("from: [")
        read = ", ".join(new.get(source, source) for source in sources.split(", "))
        found.append((new[name], f"{head}from: [{read}]}}"))
    return found


def counts(a: archspec.Graph, b: archspec.Graph) -> tuple[list[str], list[str]]:
    found = difference(a, b)
    return [node.name for node in found.removed], [node.name for node in found.added]


@given(branched())
def test_a_network_is_itself(layers):
    graph = network(layers)
    found = difference(graph, network(layers))
    assert found.same and found.same_structure
    assert found.pairs == {node.name: node.name for node in graph}


@given(branched())
def test_names_do_not_matter(layers):
    found = difference(network(layers), network(renamed(layers)))
    assert found.same_structure and not found.same
    assert len(found.renamed) == len(layers) and not found.moved


@given(branched(), branched(name="m"))
def test_the_other_way_round_is_the_opposite(one, two):
    a, b = network(one), network(two)
    there, back = match(a, b), match(b, a)
    assert there.backward == dict(back.pairs)
    assert {there.pairs[name] for name in there.moved} == back.moved
    assert counts(a, b) == counts(b, a)[::-1]


@given(branched(), st.data())
def test_every_pair_is_of_two_layers_that_both_have(layers, data):
    other = [*data.draw(st.permutations(layers[:-1]))]
    a = network(layers)
    try:
        b = network([*other, layers[-1]])
    except archspec.SpecError:
        return
    found = difference(a, b)
    assert found.same_structure, "the order in which independent layers are written changes nothing"
    assert found.pairs == {node.name: node.name for node in a}


@given(chains.filter(lambda ops: len(ops) > 1), st.data())
def test_removing_one_layer_is_exactly_that(ops, data):
    layers = [(f"l{k}-", op) for k, op in enumerate(ops)]
    k = data.draw(st.integers(0, len(layers) - 1))
    left = layers[:k] + layers[k + 1 :]
    last = f"{{y: {layers[-1][0]}}}", f"{{y: {left[-1][0]}}}"
    found = difference(network(layers, last[0]), network(left, last[1]))
    assert [node.name for node in found.removed] == [layers[k][0]]
    assert not (found.added or found.changed or found.renamed or found.moved or found.outputs)
    assert not [change for change in found.derived if change.derived != ("shape",)]


@given(chains, st.data())
def test_removing_one_layer_and_renaming_the_others_is_one_layer_less(ops, data):
    if len(ops) < 2:
        return
    k = data.draw(st.integers(0, len(ops) - 1))
    found = difference(chain(ops), chain(ops[:k] + ops[k + 1 :], "m"))
    assert len(found.removed) == 1 and not found.added
    assert found.removed[0].op == chain(ops).layers[k].op
    assert len(found.renamed) == len(ops) - 1


@given(chains, chains, chains)
@example(["relu"], ["relu", "batch_norm2d", "batch_norm2d", "tanh", "tanh"], ["batch_norm2d", "tanh", "tanh"])
def test_an_insertion_between_two_chains_is_all_there_is(front, between, back):
    a = chain(front + back)
    b = chain(front + between + back, "m")
    found = difference(a, b)
    assert not found.removed and len(found.added) == len(between)


def test_a_changed_field_is_one_change_and_what_follows_is_derived():
    ops = ["{op: conv2d, out_channels: 4, kernel_size: 3}", "batch_norm2d", "relu", "batch_norm2d"]
    wider = ["{op: conv2d, out_channels: 6, kernel_size: 3}", *ops[1:]]
    found = difference(chain(ops), chain(wider))
    assert [(change.after.name, dict(change.fields)) for change in found.changed] == [("l0-", {"out_channels": (4, 6)})]
    assert [change.derived for change in found.derived] == [("shape", "params"), ("shape",), ("shape", "params")]
    assert not found.added and not found.removed


def test_a_default_that_is_written_is_no_change():
    a = chain(["{op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}"])
    b = chain(["{op: conv2d, out_channels: 4, kernel_size: [3, 3], padding: {left: 1, right: 1, top: 1, bottom: 1}}"])
    assert difference(a, b).same


def test_another_op_under_the_same_name_is_a_change():
    found = difference(chain(["relu", "tanh", "relu"]), chain(["relu", "sigmoid", "relu"]))
    assert [dict(change.fields) for change in found.changed] == [{"op": ("tanh", "sigmoid")}]
    assert not found.added and not found.removed


def test_layers_in_another_order_are_told_as_rewired():
    a = network([("conv", UNARY[5]), ("bn", "batch_norm2d"), ("act", "relu"), ("last", "tanh")])
    b = network([("conv", UNARY[5]), ("act", "relu"), ("bn", "batch_norm2d"), ("last", "tanh")])
    found = difference(a, b)
    assert {change.after.name for change in found.changed} == {"bn", "act", "last"}
    assert all(change.rewired for change in found.changed)
    assert len(found.moved) == 1


def test_branches_in_another_order_have_moved_and_nothing_else():
    branches = [("a", "{op: tanh, from: image}"), ("b", "{op: sigmoid, from: image}")]
    end = ("end", "{op: add, from: [a, b]}")
    found = difference(network([*branches, end]), network([*branches[::-1], end]))
    assert found.same_structure and not found.same
    assert [change.after.name for change in found.moved] in (["a"], ["b"])


def test_a_swap_of_two_inputs_is_rewired():
    layers = [("a", "tanh"), ("b", "{op: tanh, from: image}")]
    one = network([*layers, ("end", "{op: concat, from: [a, b, image]}")])
    two = network([*layers, ("end", "{op: concat, from: [a, image, b]}")])
    assert [change.after.name for change in difference(one, two).changed] == ["end"]


def test_a_new_branch_of_a_concat_is_no_change_of_the_concat():
    a = network([("a", "relu"), ("b", "tanh"), ("end", "{op: concat, from: [a, b]}")])
    more = ("c", "{op: sigmoid, from: a}")
    b = network([("a", "relu"), ("b", "tanh"), more, ("end", "{op: concat, from: [a, b, c]}")])
    found = difference(a, b)
    assert [node.name for node in found.added] == ["c"] and not found.changed
    assert [change.derived for change in found.derived] == [("shape",)]
    assert dict(found.readers) == {"c": ("end",)}


def test_a_shortcut_that_skips_more_is_rewired():
    layers = [("a", "relu"), ("b", "tanh"), ("c", "sigmoid")]
    one = network([*layers, ("end", "{op: add, from: [c, b]}")])
    two = network([*layers, ("end", "{op: add, from: [c, a]}")])
    assert [change.after.name for change in difference(one, two).changed] == ["end"]


def test_numbers_in_a_list_are_no_names():
    ops = ["conv", "relu", "conv", "relu", "pool", "conv", "relu", "conv", "relu", "conv", "relu", "pool"]
    write = {"conv": "{op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}", "pool": "dropout", "relu": "relu"}

    def listed(names: list[str]) -> archspec.Graph:
        items = ", ".join(write[name] for name in names)
        return network([("features", f"{{layers: [{items}]}}"), ("last", "tanh")])

    write["pool"] = "{op: dropout, p: 0.5}"
    longer = [*ops[:4], "conv", "relu", *ops[4:11], "conv", "relu", *ops[11:]]
    found = difference(listed(ops), listed(longer))
    assert not found.removed and len(found.added) == 4
    assert all(change.before.op == change.after.op for change in found.renamed)


def test_outputs_and_first_values_are_compared():
    layers = [("a", UNARY[5]), ("b", "{op: relu, from: a}"), ("c", "{op: tanh, from: a}")]
    one = network(layers, "{y: b, aux: {from: c, training_only: true}}", "init: [{op: conv2d, weight: 0, bias: 0}]")
    two = network(layers, "{aux: {from: c, loss_weight: 0.5}, y: c, z: b}", "init: [{op: conv2d, weight: 1, bias: 0}]")
    found = difference(one, two)
    told = {(change.after or change.before).name: change for change in found.outputs}
    assert set(told) == {"y", "aux", "z"} and found.reordered
    assert told["y"].rewired and not told["aux"].rewired and told["z"].before is None
    assert [(init.node.name, init.parameter, init.before.value, init.after.value) for init in found.inits] == [
        ("a", "weight", 0.0, 1.0)
    ]


def test_inputs_are_matched_by_name_then_by_shape():
    spec = "archspec: 1\nname: net\ninputs: {{{}}}\nlayers: {{a: {{op: concat, from: [{}]}}}}\noutputs: {{y: a}}\n"
    one = archspec.compile(archspec.load(text=spec.format("x: [4, 8, 8], y: [2, 8, 8]", "x, y")))
    two = archspec.compile(archspec.load(text=spec.format("z: [2, 8, 8], x: [3, 8, 8]", "x, z")))
    found = difference(one, two)
    assert dict(found.pairs) == {"x": "x", "y": "z", "a": "a"}
    assert [change.after.name for change in found.changed] == ["x"]


@pytest.mark.parametrize(
    ("one", "two", "removed", "added", "changed"),
    [
        ("plain34", "resnet34", 0, 19, 0),
        ("plain-cifar", "resnet-cifar", 0, 11, 0),
        ("resnet34", "resnet50", 3, 56, 16),
        ("resnet50", "resnet101", 0, 170, 0),
    ],
)
def test_the_zoo(one, two, removed, added, changed):
    found = difference(archspec.compile(one), archspec.compile(two))
    assert (len(found.removed), len(found.added), len(found.changed)) == (removed, added, changed)
    assert not (found.renamed or found.moved or found.outputs or found.inits)


def test_large_networks_are_matched_in_seconds():
    one = network([(f"l{k}-", UNARY[k * k % 7]) for k in range(2000)])
    ops = [UNARY[k * k % 7] for k in range(2000)]
    del ops[700:710], ops[1500:1520]
    two = network([(f"m{k}-", op) for k, op in enumerate(ops)])
    start = time.perf_counter()
    found = difference(one, two)
    assert time.perf_counter() - start < 10
    assert (len(found.removed), len(found.added)) == (30, 0)
