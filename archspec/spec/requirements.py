"""`requires`: the distributions a spec needs, such as plugins that bring its ops."""

from __future__ import annotations

from importlib import metadata

from archspec.errors import Problem
from archspec.plugins import known
from archspec.spec.reader import Scalar, Sequence, Value, plain, shown


def check_requirements(value: Value | None, problems: list[Problem]) -> None:
    """Add a problem for each requirement that is not one, or that nothing installed here meets."""
    if value is None:
        return
    for item in value.items if isinstance(value, Sequence) else [value]:
        if problem := _problem(item):
            problems.append(problem)


def _problem(item: Value) -> Problem | None:
    from packaging.requirements import InvalidRequirement, Requirement

    hint = 'for example requires: ["archspec-se>=1.0"]'
    if not isinstance(item, Scalar) or not isinstance(item.value, str):
        message = f"`requires` lists distributions with their versions, found {shown(plain(item))}"
        return Problem("bad-requires", message, item.position, hint=hint)
    try:
        wanted = Requirement(item.text)
    except InvalidRequirement:
        message = f"{shown(item.text)} does not name a distribution and its versions"
        return Problem("bad-requires", message, item.position, hint=hint)
    if wanted.url:
        message = f"`requires` names distributions, not places to fetch them from: {shown(item.text)}"
        return Problem("bad-requires", message, item.position, hint=hint)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    install = f"pip install '{wanted.name}{wanted.specifier}'"
    install += f", or in a clone of archspec ./plugins/{wanted.name}" if wanted.name in known() else ""
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        message = f"this spec needs {wanted.name}{wanted.specifier}, which is not installed"
        return Problem("missing-requirement", message, item.position, hint=install)
    if not wanted.specifier.contains(version, prereleases=True):
        message = f"this spec needs {wanted.name}{wanted.specifier}, found version {version}"
        return Problem("missing-requirement", message, item.position, hint=install)
    return None
