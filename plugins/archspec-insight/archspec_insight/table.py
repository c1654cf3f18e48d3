"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Rows, the first a heading, as lines of equal columns; after the first `left`, columns end on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def number(value: float | None) -> str:
    """Three digits of a number of any size; nothing for none."""
    return "" if value is None else f"{value:.3g}" if 0.001 <= abs(value) < 1000 or not value else f"{value:.2e}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
