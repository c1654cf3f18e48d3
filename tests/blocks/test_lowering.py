"""Every op through everything that is made of a graph: standalone source, copies, compilation, export."""

import copy
import pickle

import hypothesis
import pytest
import torch
from hypothesis import assume, given

import archspec
from archspec.errors import BlockError
from archspec.graph.infer import infer
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import standalone_module, verify
from archspec.registry import BLOCKS
from tests.strategies import CASES, graph_behind

FINE = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]


def few(count):
    return hypothesis.settings(
        max_examples=count, deadline=None, suppress_health_check=FINE, database=None, derandomize=True
    )


def accepted_graph(found):
    """The network of a case, with weights before it; cases that the block refuses are passed over."""
    try:
        infer(found.block, found.shapes)
    except BlockError:
        assume(False)
    return graph_behind(found.block, *found.shapes)


def batch(graph, size=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(size, *node.shape.dims, generator=generator) for node in graph.inputs]


def run(module, xs, training):
    torch.manual_seed(1)
    return module.train(training)(*xs)


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_the_standalone_source_gives_the_same_bits(op):
    @few(8)
    @given(CASES[op])
    def holds(found):
        graph = accepted_graph(found)
        module, source = archspec.build(graph), standalone_source(graph)
        assert verify(module, graph, source, torch.device("cpu"))
        alone = standalone_module(graph, source)
        alone.load_state_dict(module.state_dict())
        for training in (True, False):
            assert torch.equal(run(alone, batch(graph), training), run(module, batch(graph), training))

    holds()


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_a_copy_gives_the_same_bits(op):
    @few(4)
    @given(CASES[op])
    def holds(found):
        graph = accepted_graph(found)
        module = archspec.build(graph)
        for copied in copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module)):
            twin = copied(module)
            for training in (True, False):
                assert torch.equal(run(twin, batch(graph), training), run(module, batch(graph), training))

    holds()


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_it_compiles_without_graph_breaks(op):
    @few(2)
    @given(CASES[op])
    def holds(found):
        graph = accepted_graph(found)
        module = archspec.build(graph)
        for training in (True, False):
            expected = run(copy.deepcopy(module), batch(graph), training)
            torch._dynamo.reset()
            compiled = torch.compile(copy.deepcopy(module), fullgraph=True, backend="aot_eager")
            torch.testing.assert_close(run(compiled, batch(graph), training), expected, rtol=1e-5, atol=1e-5)

    holds()


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_it_exports_with_any_batch(op):
    @few(1)
    @given(CASES[op])
    def holds(found):
        graph = accepted_graph(found)
        module = archspec.build(graph).eval()
        shapes = tuple({0: torch.export.Dim("batch", min=2)} for _ in graph.inputs)
        exported = torch.export.export(copy.deepcopy(module), tuple(batch(graph)), dynamic_shapes=shapes).module()
        xs = batch(graph, 5)
        with torch.no_grad():
            torch.testing.assert_close(exported(*xs), module(*xs), rtol=1e-5, atol=1e-5)

    holds()
