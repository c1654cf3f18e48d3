"""Running checks: all at once, or each as a test of pytest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from archspec.block import Block
from archspec.tensor import Shape
from archspec.testing.case import Case, Fault
from archspec.testing.checks import CHECKS


def check_block(block: Block, *shapes: Shape, skip: Collection[str] = ()) -> None:
    """Hold a block against torch on inputs of some shapes, by every check but those of `skip`.

    Errors: Fault with everything that was found
    """
    _refuse_unknown(skip)
    case, faults = Case.of((block, *shapes)), []
    for name, check in CHECKS.items():
        if name not in skip:
            try:
                check(case)
            except Fault as fault:
                faults.append((name, fault))
    if faults:
        found = "\n".join(f"{case}, {name}: {fault}" for name, fault in faults)
        raise Fault(found, f"{len(faults)} of {len(CHECKS) - len(set(skip))} checks found something; see each")


def suite(*cases: Case | Sequence[Any], skip: Collection[str] = ()) -> Callable[..., None]:
    """A test function for pytest, with one test for each check of each case: `test_name = suite((block, shape))`.

    A case is (block, shape, ...), the block made with its fields; `skip` names checks that do not apply.
    """
    import pytest

    _refuse_unknown(skip)
    if not cases:
        raise TypeError("suite takes cases: (block, shape, ...)")
    found = [Case.of(case) for case in cases]
    checks = [name for name in CHECKS if name not in skip]

    @pytest.mark.parametrize("check", checks)
    @pytest.mark.parametrize("case", found, ids=str)
    def test_block(case: Case, check: str) -> None:
        CHECKS[check](case)

    return test_block


def _refuse_unknown(skip: Collection[str]) -> None:
    if unknown := sorted(set(skip) - CHECKS.keys()):
        raise TypeError(f"there is no check {', '.join(unknown)}; checks: {', '.join(CHECKS)}")
