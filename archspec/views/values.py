"""Values of fields, as a spec would write them and as JSON has them; lines of a text that fits a terminal."""

from __future__ import annotations

import textwrap
from typing import Any

from archspec.spec.reader import shown
from archspec.tensor import Shape, Sides

WIDTH = 80


def field_text(value: Any) -> str:
    """A field as a spec would write it: one number where height and width, or all sides, agree."""
    if isinstance(value, Shape):
        return str(value)
    if isinstance(value, Sides):
        sides = field_data(value)
        value = value.left if len(set(sides.values())) == 1 else {name: size for name, size in sides.items() if size}
    if isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    return value if isinstance(value, str) else shown(value)


def field_data(value: Any) -> Any:
    """A field as JSON has it."""
    if isinstance(value, Shape):
        return list(value.dims)
    if isinstance(value, Sides):
        return {"left": value.left, "right": value.right, "top": value.top, "bottom": value.bottom}
    return list(value) if isinstance(value, tuple) else value


def wrapped(line: str) -> list[str]:
    """A line in as many as it needs, the further ones indented."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines = textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines or [""]
