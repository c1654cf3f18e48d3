"""Values of a recipe before they are validated: joining, setting, and the marks of what a paper does not state.

A value may be written `{assumed: VALUE, why: TEXT}`. The mark goes when something else takes the value's place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from archspec.errors import Position, Problem, did_you_mean
from archspec.spec.reader import Mapping, Scalar, Sequence, Value, plain, shown

MARK = ("assumed", "why")
OP = re.compile(r"[a-z][a-z0-9_-]*")
"""Form of an op."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """A value that the paper does not state."""

    path: str
    value: object
    why: str


def is_marked(value: Value) -> bool:
    return isinstance(value, Mapping) and "assumed" in value.entries


def inside(value: Value) -> Value:
    """The value itself, without its mark."""
    return value.entries["assumed"][1] if isinstance(value, Mapping) and "assumed" in value.entries else value


def spread(value: Value) -> Value:
    """A value whose mark is moved to each of its entries, so that one of them can be replaced."""
    if not isinstance(value, Mapping) or "assumed" not in value.entries:
        return value
    held = inside(value)

    def marked(entry: Value) -> Value:
        return entry if is_marked(entry) else Mapping(entry.position, value.entries | {"assumed": (key, entry)})

    key = value.entries["assumed"][0]
    if isinstance(held, Sequence):
        return Sequence(held.position, [marked(item) for item in held.items], held.size)
    if isinstance(held, Mapping):
        entries = {name: (k, v if name == "op" else marked(v)) for name, (k, v) in held.entries.items()}
        return Mapping(held.position, entries, held.size)
    return value


def opened(value: Value) -> Value:
    """A value that entries can be put into: its mark is moved to these, and a bare op becomes `{op: OP}`."""
    value = spread(value)
    held = inside(value)
    if isinstance(held, Scalar) and isinstance(held.value, str) and OP.fullmatch(held.value):
        return Mapping(held.position, {"op": (Scalar(held.position, "op", "op", True), held)}, 2)
    return value


def joined(parent: Value, child: Value) -> Value:
    """A child's value in the place of its parent's: mappings are joined by key, unless the child's names an op."""
    if not isinstance(child, Mapping) or {"op", "assumed"} & child.entries.keys():
        return child
    parent = opened(parent)
    if not isinstance(parent, Mapping) or is_marked(parent):
        return child
    entries = dict(parent.entries)
    for name, (key, value) in child.entries.items():
        entries[name] = (key, joined(entries[name][1], value) if name in entries else value)
    return Mapping(child.position, entries, parent.size + child.size)


def put(root: Mapping, path: str, value: Value) -> Problem | None:
    """Set the value at a path, such as `augment.1.size`; what is wrong with the path, if anything."""
    where = f"--set {path}"
    names = path.split(".")
    at: Value = root
    for depth, name in enumerate(names[:-1]):
        found = _entry(at, name)
        if found is None and at is root and not did_you_mean(name, root.entries):
            found = Mapping(value.position, {}, 0)  # of a section that may be left out
        if found is None:
            return _no_such(where, at, name, names[:depth])
        into = opened(found)
        if isinstance(into, Scalar) or is_marked(into):
            held = f"`{'.'.join(names[: depth + 1])}` is {shown(plain(inside(into)))}"
            return Problem("unknown-key", f"{where}: {held}, which has no `{names[depth + 1]}`")
        _replace(at, name, into)
        at = into
    last = names[-1]
    if isinstance(at, Sequence) and _entry(at, last) is None:
        return _no_such(where, at, last, names[:-1])
    _replace(at, last, value)
    return None


def _entry(at: Value, name: str) -> Value | None:
    if isinstance(at, Sequence):
        return at.items[int(name)] if name.isdecimal() and int(name) < len(at.items) else None
    return at.get(name) if isinstance(at, Mapping) else None


def _replace(at: Value, name: str, value: Value) -> None:
    if isinstance(at, Sequence):
        at.items[int(name)] = value
    else:
        assert isinstance(at, Mapping)
        key = at.entries[name][0] if name in at.entries else Scalar(value.position, name, name, True)
        at.entries[name] = (key, value)


def _no_such(where: str, at: Value, name: str, above: list[str]) -> Problem:
    what = f"`{'.'.join(above)}`" if above else "the recipe"
    if isinstance(at, Sequence):
        message = f"{where}: {what} is a list of {len(at.items)}, numbered from 0; it has no `{name}`"
        return Problem("unknown-key", message)
    known = at.entries if isinstance(at, Mapping) else {}
    near = did_you_mean(name, known)
    hint = near or f"to add it, set it whole: --set '{'.'.join([*above, name])}={{...}}'"
    return Problem("unknown-key", f"{where}: {what} has no `{name}`", hint=hint)


def copied(value: Value) -> Value:
    """A copy that `put` may change."""
    if isinstance(value, Mapping):
        return Mapping(value.position, {k: (key, copied(v)) for k, (key, v) in value.entries.items()}, value.size)
    if isinstance(value, Sequence):
        return Sequence(value.position, [copied(item) for item in value.items], value.size)
    return value


def unmarked(value: Value, path: str, found: list[Assumption], problems: list[Problem]) -> Value:
    """The value without any marks, which are collected."""
    if isinstance(value, Mapping) and "assumed" in value.entries:
        held, why = value.entries["assumed"][1], value.entries.get("why")
        for name, (key, _) in value.entries.items():
            if name not in MARK:
                message = f"`{path}`: what is assumed has no `{name}`"
                hint = "{assumed: VALUE, why: TEXT}; fields of the value go inside it"
                problems.append(Problem("unknown-key", message, key.position, hint=hint))
        if why is None or not isinstance(why[1], Scalar) or not why[1].text.strip():
            position = why[1].position if why else value.position
            message = f"`{path}` is assumed, and must say why"
            problems.append(Problem("missing-field", message, position, hint="{assumed: VALUE, why: TEXT}"))
        else:
            found.append(Assumption(path, plain(_bare(held)), why[1].text))
        if is_marked(held):
            message = f"`{path}` is marked as assumed twice"
            problems.append(Problem("duplicate-key", message, held.position, hint="one reason is enough"))
        return unmarked(held, path, found, problems)
    if isinstance(value, Mapping):
        entries = {
            name: (key, unmarked(entry, f"{path}.{name}" if path else name, found, problems))
            for name, (key, entry) in value.entries.items()
        }
        return Mapping(value.position, entries, value.size)
    if isinstance(value, Sequence):
        items = [unmarked(item, f"{path}.{number}", found, problems) for number, item in enumerate(value.items)]
        return Sequence(value.position, items, value.size)
    return value


def _bare(value: Value) -> Value:
    return unmarked(value, "", [], [])


def at_path(root: Value, path: tuple[str | int, ...], key: bool = False) -> Position:
    """The place of the value at a path, or of its key; else of the nearest value around it."""
    position = root.position
    for number, part in enumerate(path):
        found = _entry(root, str(part))
        if found is None:
            break
        if key and number == len(path) - 1 and isinstance(root, Mapping):
            return root.entries[str(part)][0].position
        root, position = found, found.position
    return position
