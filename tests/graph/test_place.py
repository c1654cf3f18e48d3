"""`place`: which device a layer runs on, and what moves."""

from __future__ import annotations

import pytest
import torch

import archspec
from archspec.graph.graph import Graph

SPEC = """
archspec: 1
name: placed
inputs: {{image: [3, 8, 8]}}
blocks:
  unit: {{layers: {{conv: {{op: conv2d, out_channels: 4, kernel_size: 1}}, relu: {{op: relu, place: 0}}}}}}
layers:
  stem: {{op: conv2d, out_channels: 4, kernel_size: 1}}
{layers}
  gap: global_avg_pool2d
outputs: {{out: gap}}
"""


def compiled(*layers: str) -> Graph:
    return archspec.compile(archspec.load(text=SPEC.format(layers="\n".join(f"  {layer}" for layer in layers))))


def places(graph: Graph) -> dict[str, int]:
    return {node.name: node.place for node in graph if node.place}


def test_a_layer_says_its_place() -> None:
    graph = compiled("a: {op: relu, place: 1}")
    assert places(graph) == {"a": 1}
    assert graph.crossings == (("stem", 1), ("a", 0))


def test_groups_and_blocks_hand_their_place_down() -> None:
    graph = compiled("g: {place: 1, layers: {a: relu, b: {op: tanh, place: 2}, c: {layers: {d: relu}}}}")
    assert places(graph) == {"g.a": 1, "g.b": 2, "g.c.d": 1}
    assert places(compiled("u: {op: unit, place: 1}")) == {"u.conv": 1}


def test_copies_may_be_spread() -> None:
    graph = compiled("u: {op: tanh, repeat: 4, place: =index // 2}")
    assert places(graph) == {"u.2": 1, "u.3": 1}
    assert graph.crossings == (("u.1", 1), ("u.3", 0))


def test_a_value_moves_once_however_many_read_it() -> None:
    graph = compiled(
        "a: {op: relu, place: 1}", "b: {op: tanh, place: 1, from: stem}", "c: {op: add, from: [a, b], place: 1}"
    )
    assert graph.crossings == (("stem", 1), ("c", 0))
    source = archspec.build(graph, devices=["cpu", "cpu"])._source
    assert source.count(".to(") == 2 * len(graph.crossings)  # in the training and in the evaluation forward


def test_one_device_moves_nothing() -> None:
    assert ".to(" not in archspec.build(compiled("a: {op: relu, place: 1}"))._source


def test_a_shared_layer_runs_where_its_parameters_are() -> None:
    graph = compiled("a: {op: conv2d, out_channels: 4, kernel_size: 1, place: 1}", "b: relu", "c: {shares: a}")
    assert places(graph) == {"a": 1, "c": 1}


def test_the_module_computes_the_same_wherever_it_is() -> None:
    graph = compiled("g: {place: 1, layers: {a: {op: conv2d, out_channels: 4, kernel_size: 1}, b: batch_norm2d}}")
    x = torch.randn(2, 3, 8, 8)
    plain, placed = archspec.build(graph), archspec.build(graph, devices=["cpu", "cpu"])
    assert torch.equal(plain(x), placed(x))
    assert torch.equal(plain.eval()(x), placed.eval()(x))


def test_parameters_are_on_their_device() -> None:
    graph = compiled("g: {place: 1, layers: {a: {op: conv2d, out_channels: 4, kernel_size: 1}, b: batch_norm2d}}")
    module = archspec.build(graph, devices=["cpu", "meta"])
    assert {key for key, value in module.state_dict().items() if value.is_meta} == {
        key for key in module.state_dict() if key.startswith("g.")
    }
    everywhere = archspec.build(graph, devices=["meta", "meta"])
    assert everywhere(torch.randn(2, 3, 8, 8, device="meta")).shape == (2, 4)


def test_too_few_devices() -> None:
    with pytest.raises(archspec.BuildError, match=r"placed on 3 devices, found 2: cpu, cpu\n  hint: a has place 2"):
        archspec.build(compiled("a: {op: relu, place: 2}"), devices=["cpu", "cpu"])


def test_device_and_devices_exclude_each_other() -> None:
    graph = compiled("a: relu")
    with pytest.raises(TypeError, match="not both"):
        archspec.build(graph, device="cpu", devices=["cpu"])
    with pytest.raises(TypeError, match="a list of devices"):
        archspec.build(graph, devices="cpu")


@pytest.mark.parametrize("place", ["-1", "1.0", "gpu", "true", "[0, 1]", "99999999", "=1 / 2"])
def test_places_are_counted_from_0(place: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        compiled(f"a: {{op: relu, place: {place!r}}}" if "=" in place else f"a: {{op: relu, place: {place}}}")
    assert [problem.slug for problem in caught.value.problems] == ["bad-place"]
