from __future__ import annotations

import pytest

from archspec.errors import Problem
from archspec.spec import files

SPEC = "archspec: 1\nname: t\nrequires: {}\ninputs: {{image: [3, 8, 8]}}\nlayers: {{a: relu}}\noutputs: {{out: a}}\n"


def problems(requires: str) -> list[Problem]:
    return files.load(text=SPEC.format(requires)).problems


@pytest.mark.parametrize(
    "requires", ['["torch>=2"]', "[pydantic, 'networkx>=3,<99']", "[\"absent; python_version < '3'\"]", "[]", "click"]
)
def test_met(requires: str) -> None:
    assert problems(requires) == []


@pytest.mark.parametrize(
    ("requires", "slug", "message", "hint"),
    [
        ("[archspec-absent]", "missing-requirement", "needs archspec-absent, which is not installed", "pip install"),
        ('["click>=1000"]', "missing-requirement", "needs click>=1000, found version ", "pip install 'click>=1000'"),
        ('["a b c"]', "bad-requires", "'a b c' does not name a distribution", "archspec-se>=1.0"),
        ("[3]", "bad-requires", "found 3", ""),
        ("[{a: 1}]", "bad-requires", "found {a: 1}", ""),
        ('["a @ https://example.org/a.whl"]', "bad-requires", "not places to fetch them from", ""),
    ],
)
def test_refused(requires: str, slug: str, message: str, hint: str) -> None:
    (problem,) = problems(requires)
    assert problem.slug == slug
    assert message in problem.message
    assert hint in problem.hint
    assert problem.position is not None and problem.position.line == 3


def test_all_are_told() -> None:
    assert [problem.slug for problem in problems("[absent-1, absent-2]")] == ["missing-requirement"] * 2
