"""Large networks compile; too large ones are refused before they are expanded."""

import time

import pytest

import archspec


def chain(count: int) -> str:
    layers = "".join(f"  l{i}: relu\n" for i in range(count))
    return f"archspec: 1\nname: chain\ninputs: {{x: [1, 8, 8]}}\nlayers:\n{layers}outputs: {{y: l{count - 1}}}\n"


def test_a_chain_of_20000_layers_compiles():
    graph = archspec.compile(archspec.load(text=chain(20_000)))
    assert len(graph.layers) == 20_000


NESTED = """
archspec: 1
name: nested
inputs: {x: [1, 8, 8]}
blocks:
  a: {layers: {b: {op: relu, repeat: 1000}}}
  b: {layers: {a: {op: a, repeat: 1000}}}
layers: {c: {op: b, repeat: COUNT}}
outputs: {y: c}
"""


@pytest.mark.parametrize("count", ["1000", "1000000000", "=10000 * 10000"])
def test_too_many_layers_are_refused_at_once(count):
    start = time.perf_counter()
    with pytest.raises(archspec.SpecError, match="more than 200,000 layers"):
        archspec.compile(archspec.load(text=NESTED.replace("COUNT", count)))
    assert time.perf_counter() - start < 2
