"""Columns that the author of a YAML file aligned: the values of a block's entries, the fields of one-line layers.

A column counts as aligned where half of its rows or more end at the same place, some of them by padding. Then all its
rows are aligned; else one space is left. In `layers` every layer on one line takes part; elsewhere a key too long for
the column may stick out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from archspec.spec.pieces import CLOSING, OPENING, Entry, Frame, Gap, Piece, Pieces


def align(text: Pieces) -> None:
    """Set the gaps before values and fields."""
    for frame in text.frames:
        for entries in _paragraphs(frame, text):
            rows = [entry for entry in entries if _is_on_one_line(entry, text)]
            if frame.kind == "mapping":
                _align_values(rows, text, frame.name == "layers")
            _align_fields([cells for row in rows if (cells := _cells(row, text))], text)


def _paragraphs(frame: Frame, text: Pieces) -> list[list[Entry]]:
    """The entries of a block, parted by blank lines."""
    found: list[list[Entry]] = [[]]
    for entry in frame.entries:
        if any(not line for line, _ in text.gaps[entry.first].lines):
            found.append([])
        found[-1].append(entry)
    return found


def _is_on_one_line(entry: Entry, text: Pieces) -> bool:
    """Whether an entry has a value that neither begins nor ends on another line."""
    inside = range(entry.first + 1, entry.last + 1)
    return entry.first <= entry.sign < entry.last and not any(
        text.gaps[number].breaks or "\n" in text.pieces[number].text for number in inside
    )


@dataclass(slots=True)
class Cell:
    """What stands in one row of a column: how wide it is, as it is and as it is to be, and the gap that pads it."""

    before: int
    width: int
    gap: Gap
    padded: Piece
    """The piece that the gap stands before."""


def _shared_width(cells: list[Cell]) -> int:
    """The width that most rows have with their padding, if the author aligned them; else 0."""
    counts = Counter(cell.before + cell.gap.width for cell in cells)
    padded = {cell.before + cell.gap.width for cell in cells if cell.gap.width > 1}
    most = max((counts[width], width) for width in padded) if padded else (0, 0)
    return most[1] if most[0] > 1 and 2 * most[0] >= len(cells) else 0


def _pad(cells: Iterable[Cell], width: int) -> None:
    for cell in cells:
        cell.padded.gap = max(1, width - cell.width)


# Keys and their values.


def _align_values(rows: list[Entry], text: Pieces, all_take_part: bool) -> None:
    cells = [_key_cell(row, text) for row in rows]
    width = _shared_width(cells)
    if width:
        longest = max(cell.width + 1 for cell in cells) if all_take_part else 0
        _pad(cells, max(width, longest))


def _key_cell(row: Entry, text: Pieces) -> Cell:
    key = sum(len(piece.text) + 1 for piece in text.pieces[row.first : row.sign])
    return Cell(key, key, text.gaps[row.sign + 1], text.pieces[row.sign + 1])


# Fields of layers written in braces.


@dataclass(slots=True)
class FieldCell:
    """A field in braces: its key, and numbers of its `:`, its last piece, and the key that follows it, if one does."""

    key: str
    sign: int
    last: int
    following: int


def _cells(row: Entry, text: Pieces) -> list[FieldCell]:
    """The fields of a row whose value is a mapping in braces; none for other values."""
    start = row.sign + 1
    if isinstance(text.pieces[start].token, yaml.AnchorToken):
        start += 1
    if start > row.last or not isinstance(text.pieces[start].token, yaml.FlowMappingStartToken):
        return []
    found: list[FieldCell] = []
    key = start + 1
    while key < row.last:
        end = _end_of_field(key, row.last, text)
        if not isinstance(text.pieces[key + 1].token, yaml.ValueToken) or key + 1 >= end - 1:
            break
        following = end + 1 if end + 1 < row.last else -1
        found.append(FieldCell(text.pieces[key].text, key + 1, end - 1, following))
        key = end + 1
    return found


def _end_of_field(number: int, last: int, text: Pieces) -> int:
    """The `,` or bracket that ends a field."""
    depth = 0
    while number < last:
        token = text.pieces[number].token
        if depth == 0 and isinstance(token, yaml.FlowEntryToken):
            break
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        number += 1
    return number


def _align_fields(rows: list[list[FieldCell]], text: Pieces) -> None:
    """Align each column over the rows that have the same keys up to it."""
    tables = [(rows, 0)]
    while tables:
        rows, column = tables.pop()
        by_key: dict[str, list[list[FieldCell]]] = {}
        for row in rows:
            if column < len(row):
                by_key.setdefault(row[column].key, []).append(row)
        for same in by_key.values():
            if len(same) > 1:
                _align_column([row[column] for row in same], text)
                tables.append((same, column + 1))


def _align_column(fields: list[FieldCell], text: Pieces) -> None:
    """To the right by spaces before the values, or to the left by spaces after them."""
    right = [_value_cell(field, field.sign + 1, text) for field in fields]
    left = [_value_cell(field, field.following, text) for field in fields if field.following > 0]
    for cells in right, left:
        if _shared_width(cells):
            _pad(cells, max(cell.width for cell in cells) + 1)
            return


def _value_cell(field: FieldCell, padded: int, text: Pieces) -> Cell:
    value = text.pieces[field.sign + 1 : field.last + 1]
    before = value[-1].end - value[0].start
    width = sum(len(piece.text) for piece in value) + sum(piece.gap for piece in value[1:])
    return Cell(before, width, text.gaps[padded], text.pieces[padded])
