"""Every op through everything that is made of a graph, behind layers with weights: by the checks of the test kit."""

from dataclasses import dataclass

import hypothesis
import pytest
import torch
from hypothesis import assume, given

from archspec import build
from archspec.errors import BlockError
from archspec.graph.graph import Graph
from archspec.graph.infer import infer
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import verify
from archspec.registry import BLOCKS
from archspec.testing import CHECKS, Case
from tests.strategies import CASES, graph_behind

FINE = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]


@dataclass(frozen=True)
class Behind(Case):
    """A block whose inputs come from layers with weights, so that they depend on parameters."""

    def graph(self) -> Graph:
        return graph_behind(self.block, *self.shapes)


def check_some(op, count, *checks):
    """Hold some cases of an op by some checks; cases that the block refuses are passed over."""

    @hypothesis.settings(max_examples=count, deadline=None, suppress_health_check=FINE, database=None, derandomize=True)
    @given(CASES[op])
    def holds(found):
        try:
            infer(found.block, found.shapes)
        except BlockError:
            assume(False)
        for check in checks:
            check(Behind(found.block, found.shapes))

    holds()


def check_verified(case):
    """What `archspec build` tries: every parameter gets a gradient, too."""
    graph = case.graph()
    assert verify(build(graph), graph, standalone_source(graph), torch.device("cpu"))


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_the_standalone_source_gives_the_same_bits(op):
    check_some(op, 8, check_verified, CHECKS["standalone"])


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_a_copy_gives_the_same_bits(op):
    check_some(op, 4, CHECKS["copies"])


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_it_compiles_without_graph_breaks(op):
    check_some(op, 2, CHECKS["compile"])


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_it_exports_with_any_batch(op):
    check_some(op, 1, CHECKS["export"])
