"""Running checks: all at once, or each as a test of pytest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from archspec.block import Block
from archspec.tensor import Shape
from archspec.testing.case import Case, Fault, faults
from archspec.testing.checks import CHECKS


def check_block(block: Block, *shapes: Shape, skip: str | Collection[str] = ()) -> None:
    """Hold a block against torch on inputs of some shapes, by every check but those of `skip`.

    Errors: Fault with everything that was found
    """
    case, checks = Case.of((block, *shapes)), _without(skip)
    found: dict[str, list[str]] = {}
    for name in checks:
        try:
            hold(name, case)
        except Fault as fault:
            found.setdefault(str(fault), []).append(name)
    if found:
        text = "\n".join(f"{case}, {', '.join(names)}: {fault}" for fault, names in found.items())
        count = sum(map(len, found.values()))
        raise Fault(text, f"{count} of {len(checks)} checks found something; see each")


def suite(*cases: Case | Sequence[Any], skip: str | Collection[str] = ()) -> Callable[..., None]:
    """A test function for pytest, with one test for each check of each case: `test_name = suite((block, shape))`.

    A case is (block, shape, ...), the block made with its fields; `skip` names checks that do not apply.
    """
    import pytest

    checks = _without(skip)
    if not cases:
        raise TypeError("suite takes cases: (block, shape, ...)")
    found = [Case.of(case) for case in cases]

    @pytest.mark.parametrize("check", checks)
    @pytest.mark.parametrize("case", found, ids=str)
    def test_block(case: Case, check: str) -> None:
        hold(check, case)

    return test_block


def hold(check: str, case: Case) -> None:
    """Run a check by its name. Errors: Fault, also where the check itself cannot be made"""
    with faults(f"it fails while {check} is checked", "see the cause above, and its traceback"):
        CHECKS[check](case)


def _without(skip: str | Collection[str]) -> list[str]:
    """The names of the checks but those of `skip`. Errors: TypeError if there is no such check"""
    skipped = {skip} if isinstance(skip, str) else set(skip)
    if unknown := sorted(skipped - CHECKS.keys()):
        raise TypeError(f"there is no check {', '.join(unknown)}; checks: {', '.join(CHECKS)}")
    return [name for name in CHECKS if name not in skipped]
