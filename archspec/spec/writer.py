"""Data -> YAML text that people like to read, and that `reader` reads back as the same data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from archspec.spec.reader import core_scalar

PLAIN = re.compile(r"[A-Za-z_.][A-Za-z0-9_.-]*(?: [A-Za-z0-9_.-]+)*|[0-9]+(?:[./][0-9]+)? [a-z]+")
"""Texts that need no quotes: words, and a number with its unit such as `64000 steps`."""
WIDTH = 110


def write(data: dict[str, Any], notes: Mapping[tuple[str, ...], str] | None = None) -> str:
    """A spec's data as YAML: sections apart, a layer on a line, groups as blocks.

    `notes` are comments by path of keys; each stands above its entry.
    """
    lines: list[str] = []
    for key, value in data.items():
        if isinstance(value, dict | list) and lines:
            lines.append("")
        lines += _entry(_scalar(key), value, 0, (key,), notes or {})
    return "\n".join(lines) + "\n"


def _entry(
    head: str, value: Any, indent: int, path: tuple[str, ...], notes: Mapping[tuple[str, ...], str]
) -> list[str]:
    pad = "  " * indent
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [f"{pad}{head}:", *(f"{pad}  - {flow(item)}" for item in value)]
    noted = any(key[: len(path)] == path and len(key) > len(path) for key in notes) if len(path) < 2 else False
    if not isinstance(value, dict) or not value or (not noted and _fits(value, len(pad) + len(head))):
        return [f"{pad}{head}: {flow(value)}"]
    width = max(len(key_text(key)) for key in value) if indent == 0 else 0
    lines = [f"{pad}{head}:"]
    for key, item in value.items():
        name = key_text(key)
        inner = _entry(name, item, indent + 1, (*path, str(key)), notes)
        if len(inner) == 1 and width:
            inner = [inner[0].replace(f"{name}: ", f"{name}: ".ljust(width + 2), 1)]
        if (*path, str(key)) in notes:
            lines.append(f"{pad}  # {notes[(*path, str(key))]}")
        lines += inner
    return lines


def _fits(value: dict[str, Any], used: int) -> bool:
    """Whether a mapping reads well on one line: a layer does, a group or section does not."""
    nested = any((isinstance(item, dict) and "layers" in item) or key == "layers" for key, item in value.items())
    sections = any(isinstance(item, dict) and "op" in item for item in value.values())
    return not nested and not sections and used + len(flow(value)) <= WIDTH and bool(value)


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _scalar(value)


def key_text(key: object) -> str:
    """A key; numbers stand as they are, since names are text to us."""
    text = str(key)
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) and not text.startswith("-") else _scalar(text)


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return _number(value)
    plain = PLAIN.fullmatch(value) and isinstance(core_scalar(value), str)
    return value if plain else quoted(value)


def quoted(text: str) -> str:
    """A text in double quotes, with whatever is not printable escaped."""
    return "".join(c if c.isprintable() else _escape(c) for c in json.dumps(text, ensure_ascii=False))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _number(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    return repr(value)
