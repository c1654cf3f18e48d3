"""Problems for machines: editors and CI."""

from __future__ import annotations

import json

from archspec.errors import Problem


def as_json(problems: list[Problem]) -> str:
    """A list of objects, one per problem, each with its stable slug; lines and columns count from 1."""
    return json.dumps([_data(problem) for problem in problems], indent=2, ensure_ascii=False)


def _data(problem: Problem) -> dict[str, object]:
    at = problem.position
    return {
        "slug": problem.slug,
        "file": at.source.name if at else None,
        "line": at.line if at else None,
        "column": at.column if at else None,
        "layer": problem.layer or None,
        "op": problem.op or None,
        "message": problem.message,
        "hint": problem.hint or None,
        "uses": [
            {
                "layer": use.layer,
                "file": use.position.source.name,
                "line": use.position.line,
                "column": use.position.column,
            }
            for use in problem.uses
        ],
        "more_uses": problem.more_uses,
    }


def as_github(problems: list[Problem]) -> str:
    """Workflow commands that GitHub shows beside the line."""
    return "\n".join(_command(problem) for problem in problems)


def _command(problem: Problem) -> str:
    text = problem.headline + (f" (hint: {problem.hint})" if problem.hint else "")
    place = f"title={problem.slug}"
    if problem.position:
        at = problem.position
        place = f"file={_escaped_property(at.source.name)},line={at.line},col={at.column},{place}"
    return f"::error {place}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    """A value in front of the `::`, where commas and colons have a meaning too."""
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
