"""Every built-in block by the checks of the test kit that tests/blocks does not make itself."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import assume, given

from archspec.errors import BlockError
from archspec.graph.infer import infer
from archspec.registry import BLOCKS
from archspec.testing import CHECKS, Case
from tests.strategies import CASES

ONCE = ["documentation", "torch-free"]
"""What is the same for all cases of a block, nearly."""
SOME = [
    "schema",
    "signature",
    "gradients",
    "evaluation",
    "determinism",
    "moves",
    "channels-last",
    "round-trip",
]
ELSEWHERE = {
    "shape": "tests/blocks/test_blocks.py",
    "state": "tests/blocks/test_blocks.py",
    "macs": "tests/blocks/test_blocks.py",
    "saves": "tests/blocks/test_saves.py",
    "copies": "tests/blocks/test_lowering.py",
    "compile": "tests/blocks/test_lowering.py",
    "export": "tests/blocks/test_lowering.py",
    "standalone": "tests/blocks/test_lowering.py",
}
FINE = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]


def test_every_check_is_made_somewhere() -> None:
    assert {*ONCE, *SOME, *ELSEWHERE} == set(CHECKS)


def why_not(check: str, found: Case) -> str:
    """Why a check cannot be made of a case, or nothing."""
    dilation = getattr(found.block, "dilation", (1, 1))
    if check == "channels-last" and found.block.op.endswith("conv2d") and dilation[1] > 1 and found.shapes[0].width < 3:
        return "torch 2.13's convolution on the CPU reads out of bounds here, and the process ends"
    return ""


def check_some(op: str, count: int, checks: list[str]) -> None:
    """Hold some cases of an op by some checks; cases that the block refuses are passed over."""

    @hypothesis.settings(max_examples=count, deadline=None, suppress_health_check=FINE, database=None, derandomize=True)
    @given(CASES[op])
    def holds(found):
        try:
            infer(found.block, found.shapes)
        except BlockError:
            assume(False)
        one = Case(found.block, found.shapes)
        for check in checks:
            if not why_not(check, one):
                CHECKS[check](one)

    holds()


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_it_is_documented_and_does_without_torch(op):
    check_some(op, 1, ONCE)


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_it_passes_the_kit(op):
    check_some(op, 2, SOME)
