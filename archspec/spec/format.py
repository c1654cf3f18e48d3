"""The white space of a YAML file, made regular; its data, comments and line breaks stay.

Tokens are kept as they are, and the gaps between them are written anew: what begins a line is indented by its place in
the blocks, what does not stands one space from its neighbour, unless the author aligned it. The one token that
changes is an expression that would need quotes inside braces: it gets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import yaml

from archspec.errors import ArchspecError, Source
from archspec.spec.columns import align
from archspec.spec.pieces import CLOSING, OPENING, STEP, Gap, Piece, Pieces
from archspec.spec.reader import MAX_BYTES, Mapping, Scalar, Sequence, Value, read

FAR = 8
"""Spaces that show that a comment was put into a column."""


def formatted(source: Source) -> str:
    """The text of a file in the form of the zoo's specs.

    Errors: SpecError if archspec cannot read the file; ArchspecError if its data would not stay the same
    """
    before = read(source)
    newline = "\r\n" if "\r\n" in source.text else "\n"
    text = Pieces(source.text.replace("\r\n", "\n").replace("\r", "\n"))
    found = _Writer(text).written()
    if not same_data(before, read(Source(source.name, found))) or comments(Pieces(found)) != comments(text):
        raise ArchspecError(f"{source.name}: formatting would change what this file says, so it is left as it is")
    return found.replace("\n", newline)


def comments(text: Pieces) -> list[str]:
    return [comment for gap in text.gaps for comment in gap.comments]


def same_data(first: Value, second: Value) -> bool:
    """Whether two values say the same, wherever it stands."""
    if isinstance(first, Scalar) and isinstance(second, Scalar):
        return first.text == second.text and (first.plain == second.plain or first.text.startswith("="))
    if isinstance(first, Sequence) and isinstance(second, Sequence):
        return len(first.items) == len(second.items) and all(map(same_data, first.items, second.items))
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return False
    if list(first.entries) != list(second.entries):
        return False
    pairs = zip(first.entries.values(), second.entries.values(), strict=True)
    return all(same_data(key, other) and same_data(value, changed) for (key, value), (other, changed) in pairs)


@dataclass(slots=True)
class Line:
    """A line that is written, and the comment that ends it, with the column the author gave it."""

    body: str
    comment: str = ""
    column: int = 0


class _Writer:
    """Writes the pieces of a text, each after its gap."""

    def __init__(self, text: Pieces) -> None:
        self.text = text
        self.lines: list[Line] = []
        self.base = 0
        """The indent of the line, from which lines inside its brackets are indented."""

    def written(self) -> str:
        pieces = self.text.pieces
        for number in range(1, len(pieces)):
            pieces[number].gap = spaces(pieces[number - 1], pieces[number], self.text.gaps[number])
        align(self.text)
        for number, piece in enumerate(pieces):
            self._put(number, piece)
        self._end(self.text.gaps[-1])
        return "\n".join(with_comments(self.lines)) + ("" if self._ends_in_a_text() else "\n")

    def _ends_in_a_text(self) -> bool:
        """Whether the file stops inside a text below `|` or `>`, to which a line break would be added."""
        last = self.text.pieces[-1]
        return last.style in ("|", ">") and not last.text.endswith("\n")

    def _put(self, number: int, piece: Piece) -> None:
        if self.text.gaps[number].breaks:
            indent = self._indent(piece)
            self._between(number, piece, indent)
            self.lines.append(Line(" " * indent))
            self.base = indent
        else:
            self.lines[-1].body += " " * piece.gap
        piece.place = len(self.lines[-1].body)
        if isinstance(piece.token, yaml.BlockEntryToken):
            self.base = piece.place + STEP
        if isinstance(piece.token, OPENING):
            piece.base, piece.hangs = self.base, self.text.gaps[number + 1].breaks
        self._write(piece)

    def _indent(self, piece: Piece) -> int:
        """The column of a piece that begins a line."""
        bracket = piece.bracket
        if bracket is None:
            return piece.indent
        closes = isinstance(piece.token, CLOSING)
        if bracket.hangs:
            return bracket.base + (0 if closes else STEP)
        least = piece.block.new + (0 if closes else 1)
        return max(bracket.place + piece.column - bracket.column, least, 0)

    def _between(self, number: int, piece: Piece, indent: int) -> None:
        """The comments and blank lines before a piece that begins a line."""
        gap = self.text.gaps[number]
        before = self.text.pieces[number - 1].levels if number else ()
        places = {**dict(before), **dict(piece.levels), piece.column: indent}
        self._beside(gap)
        for comment, column in gap.lines:
            if piece.bracket is None:
                self._line(comment, nearest(places, column))
            elif piece.bracket.hangs:
                self._line(comment, piece.bracket.base + STEP if column > piece.column else indent)
            else:
                self._line(comment, max(column + indent - piece.column, 0))

    def _end(self, gap: Gap) -> None:
        """What stands after the last piece; blank lines at the end of a file go."""
        self._beside(gap)
        places = {**dict(self.text.pieces[-1].levels), 0: 0}
        while gap.lines and not gap.lines[-1][0]:
            gap.lines.pop()
        for comment, column in gap.lines:
            self._line(comment, nearest(places, column))

    def _beside(self, gap: Gap) -> None:
        if gap.beside:
            self.lines[-1].comment, self.lines[-1].column = gap.beside

    def _line(self, comment: str, indent: int) -> None:
        """A comment on a line of its own, or a blank line if there is not one already."""
        if comment:
            self.lines.append(Line(" " * indent + comment))
        elif self.lines and self.lines[-1].body:
            self.lines.append(Line(""))

    def _write(self, piece: Piece) -> None:
        first, *rest = piece.text.split("\n")
        if piece.style in ("|", ">"):
            self.lines[-1].body += first.rstrip()
            self._write_block(piece, rest)
        elif rest:
            self._write_folded(piece, [first, *rest])
        else:
            self.lines[-1].body += first

    def _write_folded(self, piece: Piece, lines: list[str]) -> None:
        """A text over several lines, whose white space at line ends and beginnings is not part of it."""
        for number, line in enumerate(lines):
            bare = line.lstrip() if number else line
            if number < len(lines) - 1 and not bare.rstrip().endswith("\\"):
                bare = bare.rstrip()
            if number == 0:
                self.lines[-1].body += bare
                continue
            indent = piece.place + len(line) - len(line.lstrip()) - piece.column
            self.lines.append(Line(" " * max(indent, piece.block.new + 1, 0) + bare if bare else ""))

    def _write_block(self, piece: Piece, lines: list[str]) -> None:
        """A text below `|` or `>`, shifted as a whole; blank lines at its end are part of it only after `+`."""
        header = piece.text.split("\n", 1)[0].split("#")[0]
        room, shift = _room(header, piece, lines)
        written = [" " * shift + line if len(line) > room else "" for line in lines]
        if shift < 0:
            written = [line[-shift:] if len(line) > room else "" for line in lines]
        blanks = 0
        while written and not written[-1] and ("+" not in header or blanks == 0):
            written.pop()
            blanks += 1
        self.lines += map(Line, written)
        if blanks > 1 and (piece is not self.text.pieces[-1] or self.text.gaps[-1].comments):
            self._line("", 0)


def _room(header: str, piece: Piece, lines: list[str]) -> tuple[int, int]:
    """The indent of a text below `|` or `>`, and by how much it is to be shifted."""
    if said := [int(character) for character in header if character.isdigit()]:
        return piece.block.old + said[0], max(piece.block.new, 0) - piece.block.old
    room = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), MAX_BYTES)
    return room, piece.block.new + STEP - room


def spaces(previous: Piece, piece: Piece, gap: Gap) -> int:
    """Spaces between two pieces on one line that no column asks for."""
    before, after = previous.token, piece.token
    if isinstance(after, (*CLOSING, yaml.FlowEntryToken)):
        return min(gap.width, 1) if isinstance(before, yaml.ValueToken) else 0
    if isinstance(after, yaml.ValueToken):
        return int(isinstance(before, yaml.AliasToken | yaml.BlockEntryToken | yaml.FlowEntryToken | yaml.KeyToken))
    return 0 if isinstance(before, OPENING) else 1


def nearest(places: dict[int, int], column: int) -> int:
    """Where a comment goes that stood at a column: with the entries that it stood with, or inside."""
    return places[max((old for old in places if old <= column), default=min(places))]


def with_comments(lines: list[Line]) -> list[str]:
    """The lines as texts; comments of neighbouring lines that stood in one column stay in one."""
    found = []
    for (has_comment, column), group in groupby(lines, key=lambda line: (bool(line.comment), line.column)):
        run = list(group)
        place = comment_column(column, [len(line.body) for line in run]) if has_comment else 0
        found += [f"{line.body.ljust(place)}{line.comment}" for line in run]
    return found


def comment_column(column: int, widths: list[int]) -> int:
    """The column of the comments behind lines of these widths: the author's if it is one, else two spaces away."""
    is_column = len(widths) > 1 or column - widths[0] >= FAR
    return max(column if is_column else 0, max(widths) + 2)
