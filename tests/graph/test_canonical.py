"""The hash of a network depends on what it is, not on how it is written."""

from __future__ import annotations

import pytest

import archspec
from archspec.graph.canonical import spec_hash
from archspec.spec.shelves import zoo_names
from archspec.spec.writer import write
from archspec.views.expanded import expanded

SPEC = """\
archspec: 1
name: one
params: {width: 8, bias: true}
inputs: {image: [3, 16, 16]}
blocks:
  unit: {params: {width: int}, layers: {conv: {op: conv2d, out_channels: =width, kernel_size: 3}, relu: relu}}
layers:
  a: {op: unit, width: =width}
  pool: {op: max_pool2d, kernel_size: 2, ceil_mode: false}
  gap: global_avg_pool2d
  fc: {op: linear, out_features: 5, bias: =bias}
outputs: {logits: fc}
init: [{op: conv2d, weight: {normal: {std: 0.01}}, bias: 0}]
"""


def hash_of(text: str, **params: object) -> str:
    return spec_hash(archspec.compile(archspec.load(text=text), set=params))


SAME = {
    "comments and blank lines": SPEC.replace("layers:\n  a", "\n# the network\nlayers:   # here\n\n  a"),
    "block form": SPEC.replace(
        "pool: {op: max_pool2d, kernel_size: 2, ceil_mode: false}",
        "pool:\n    ceil_mode: false\n    kernel_size: [2, 2]\n    op: max_pool2d",
    ),
    "defaults written out": SPEC.replace("kernel_size: 3}", "kernel_size: 3, stride: 1, dilation: [1, 1], bias: true}"),
    "words": SPEC.replace("name: one", "name: two\ndescription: other words\npaper: none"),
    "sections in another order": SPEC.replace("outputs: {logits: fc}\n", "").replace(
        "inputs:", "outputs: {logits: fc}\ninputs:"
    ),
    "other params that come to the same": SPEC.replace("width: 8,", "width: 8, unused: 3,"),
    "an expectation": SPEC + "expect: [{shapes: {fc: [5]}}]\n",
    "an init rule's defaults": SPEC.replace(
        "{op: conv2d, weight: {normal: {std", "{op: [conv2d], weight: {normal: {mean: 0.0, std"
    ),
    "an alias": SPEC.replace("bias: 0}]", "bias: &zero 0}]"),
}
OTHER = {
    "a field": SPEC.replace("kernel_size: 2", "kernel_size: 3"),
    "a name": SPEC.replace("pool:", "pool1:"),
    "an init rule": SPEC.replace("0.01", "0.02"),
    "an output's name": SPEC.replace("logits", "scores"),
    "an output's weight": SPEC.replace("{logits: fc}", "{logits: {from: fc, loss_weight: 2}}"),
    "an input": SPEC.replace("[3, 16, 16]", "[3, 17, 17]"),
    "a place": SPEC.replace("gap: global_avg_pool2d", "gap: {op: global_avg_pool2d, place: 1}"),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_network(name: str) -> None:
    assert SAME[name] != SPEC
    assert hash_of(SAME[name]) == hash_of(SPEC)


@pytest.mark.parametrize("name", OTHER)
def test_another_network(name: str) -> None:
    assert OTHER[name] != SPEC
    assert hash_of(OTHER[name]) != hash_of(SPEC)


def test_params_count_by_what_they_make() -> None:
    assert hash_of(SPEC, width=8) == hash_of(SPEC)
    assert hash_of(SPEC, width=9) != hash_of(SPEC)


@pytest.mark.parametrize("name", zoo_names())
def test_expanding_changes_nothing(name: str) -> None:
    graph = archspec.compile(name)
    text = write(expanded(graph))
    again = archspec.compile(archspec.load(text=text))
    assert spec_hash(again) == spec_hash(graph)
    assert write(expanded(again)) == text
    assert again.state_shapes() == graph.state_shapes()


def test_no_two_of_the_zoo_are_one() -> None:
    hashes = {name: spec_hash(archspec.compile(name)) for name in zoo_names()}
    assert len(set(hashes.values())) == len(hashes)
