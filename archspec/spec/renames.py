"""Renaming the tensors of a checkpoint: a YAML mapping of old names to new ones. It is data, never code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from archspec.errors import Position, Problem, SpecError, did_you_mean
from archspec.spec import reader
from archspec.spec.reader import MAX_BYTES, Scalar, Value, decode, read

WILDCARD = re.compile(r"(\*\*\.|\*)")
CAPTURES = {"*": r"([^.]*)", "**.": r"((?:[^.]+\.)*)"}
EXAMPLE = 'for example "**.downsample.0.*": "**.shortcut.conv.*"'


@dataclass(frozen=True)
class Rename:
    """One rule: whole names that match `old`, whose wildcards are put in for those of `new`, in order."""

    old: str
    """`*` stands for any text within one name, `**.` for any number of names."""
    new: str
    """With the same wildcards in the same order."""
    position: Position | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("".join(CAPTURES.get(part, re.escape(part)) for part in WILDCARD.split(self.old)))

    def apply(self, name: str) -> str | None:
        """The new name, or None where the rule does not match."""
        found = self.pattern.fullmatch(name)
        if found is None:
            return None
        captured = iter(found.groups())
        return "".join(next(captured) if part in CAPTURES else part for part in WILDCARD.split(self.new))


def load_renames(path: str | os.PathLike[str]) -> tuple[Rename, ...]:
    """The rules of a file. Errors: SpecError with every mistake"""
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            source = decode(file.read(MAX_BYTES + 1), name)
    except OSError as error:
        raise SpecError([Problem("missing-file", f"{name}: {(error.strerror or str(error)).lower()}")]) from None
    root = read(source)
    if not isinstance(root, reader.Mapping):
        message = "renames are a mapping of old names to new ones"
        raise SpecError([Problem("bad-rename", message, root.position, hint=EXAMPLE)])
    problems: list[Problem] = []
    found = [_rename(key, value, problems) for key, value in root.entries.values()]
    if problems:
        raise SpecError(problems)
    return tuple(found)


def renames_of(data: Mapping[str, str]) -> tuple[Rename, ...]:
    """The rules of a mapping made in Python. Errors: SpecError"""
    found = tuple(Rename(old, new) for old, new in data.items())
    if problems := [problem for rename in found if (problem := _mistake(rename))]:
        raise SpecError(problems)
    return found


def _rename(key: Scalar, value: Value, problems: list[Problem]) -> Rename:
    new = value.text if isinstance(value, Scalar) else ""
    rename = Rename(key.text, new, value.position)
    if problem := _mistake(rename):
        problems.append(problem)
    return rename


def _mistake(rename: Rename) -> Problem | None:
    if not rename.old or not rename.new:
        return Problem("bad-rename", "a rename takes one name to another", rename.position, hint=EXAMPLE)
    old, new = (WILDCARD.findall(text) for text in (rename.old, rename.new))
    if old != new:
        has = " ".join(new) if new else "none"
        message = f"`{rename.new}` must have the wildcards of `{rename.old}` in their order, {' '.join(old) or 'none'}"
        return Problem("bad-rename", f"{message}; it has {has}", rename.position, hint=EXAMPLE)
    return None


def renamed(names: Iterable[str], renames: Iterable[Rename]) -> dict[str, str]:
    """Every name with what it becomes. Each rule is applied in turn, to what those before it made.

    Errors: SpecError if a rule matches nothing, or two names become one
    """
    found = {name: name for name in names}
    problems = []
    for rename in renames:
        changed = {name: new for name, now in found.items() if (new := rename.apply(now)) is not None}
        if not changed:
            hint = did_you_mean(rename.old, found.values())
            message = f"`{rename.old}` matches no name of the checkpoint"
            problems.append(Problem("unused-rename", message, rename.position, hint=hint))
        found |= changed
        problems += _clashes(found, rename, changed)
    if problems:
        raise SpecError(problems)
    return found


def _clashes(found: Mapping[str, str], rename: Rename, changed: Mapping[str, str]) -> list[Problem]:
    first: dict[str, str] = {}
    for name, new in found.items():
        other = first.setdefault(new, name)
        if other != name and (name in changed or other in changed):
            message = f"`{other}` and `{name}` both become `{new}`"
            return [Problem("bad-rename", message, rename.position, hint="rename them one by one")]
    return []
