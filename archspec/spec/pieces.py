"""A YAML text as its tokens, the gaps between them, and the blocks they are in: what `format` lays out anew."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from archspec.spec.writer import quoted

STEP = 2
"""Columns that a block stands inside its parent."""
BREAK = re.compile("[\n\x85\u2028\u2029]")
NEEDS_QUOTES = frozenset(",[]{}")

OPENING = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
CLOSING = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
SIGNS = (yaml.ValueToken, yaml.BlockEntryToken)
ON_THEIR_OWN = (yaml.DirectiveToken, yaml.DocumentStartToken, yaml.DocumentEndToken)


@dataclass(slots=True, eq=False)
class Piece:
    """A token with text."""

    token: yaml.Token
    start: int
    """Where it begins and ends in the text."""
    end: int
    text: str
    block: Frame
    """The innermost block that is open."""
    bracket: Piece | None
    """The opening bracket of the innermost flow that is open."""
    indent: int
    """The column it is to have if it begins a line outside brackets."""
    levels: tuple[tuple[int, int], ...]
    """Columns of the open blocks, as they are and as they are to be."""
    gap: int = 1
    """Spaces before it if it does not begin a line."""
    place: int = -1
    """The column it is written to."""
    base: int = 0
    """For a bracket: the indent of its line, from which lines inside are indented."""
    hangs: bool = False
    """For a bracket: whether what it holds begins on the next line."""

    @property
    def column(self) -> int:
        column: int = self.token.start_mark.column
        return column

    @property
    def line(self) -> int:
        line: int = self.token.start_mark.line
        return line

    @property
    def style(self) -> str:
        """For a scalar, how it is written: a quote, `|`, `>`, or nothing if it is plain."""
        return getattr(self.token, "style", None) or ""


@dataclass(slots=True, eq=False)
class Entry:
    """One entry of a block, by numbers of pieces: its first, its `:` or `-`, its last."""

    first: int
    sign: int = -1
    last: int = -1


@dataclass(slots=True, eq=False)
class Frame:
    """A block: where its entries begin, as it is and as it is to be."""

    kind: str
    """`root`, `mapping`, `list`, or `loose`: a list whose dashes stand below their key."""
    old: int
    new: int
    name: str = ""
    """The key whose value it is."""
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Gap:
    """What stands between two pieces: a comment at the end of a line, then lines."""

    width: int = 0
    """Spaces before what follows on the same line, a piece or a comment."""
    breaks: bool = False
    """Whether what follows begins a line."""
    beside: tuple[str, int] | None = None
    """The comment that ends the line, and its column."""
    lines: list[tuple[str, int]] = field(default_factory=list)
    """Comments with their columns; a blank line has no text."""

    @property
    def comments(self) -> list[str]:
        return [comment for comment, _ in [self.beside or ("", 0), *self.lines] if comment]


class Pieces:
    """The pieces of a text, the gaps before each and after the last, and its blocks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[Piece] = []
        self.frames = [Frame("root", 0, -STEP)]
        """All blocks, in order of their beginnings."""
        self._open = [self.frames[0]]
        self._brackets: list[Piece] = []
        self._is_key = False
        for token in yaml.scan(text, Loader=yaml.CSafeLoader):
            self._take(token)
        ends = [(0, 0), *((piece.end, self._column_after(piece)) for piece in self.pieces)]
        starts = [*(piece.start for piece in self.pieces), len(text)]
        self.gaps = [gap_of(text[end:start], column) for (end, column), start in zip(ends, starts, strict=True)]

    def _column_after(self, piece: Piece) -> int:
        return piece.end - (self.text.rfind("\n", 0, piece.end) + 1)

    def _take(self, token: yaml.Token) -> None:
        """Follow the blocks that tokens without text open and close."""
        if isinstance(token, yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken):
            kind = "mapping" if isinstance(token, yaml.BlockMappingStartToken) else "list"
            self._push(kind, token.start_mark.column)
        elif isinstance(token, yaml.BlockEndToken):
            self._close_loose()
            self._end_entry()
            self._open.pop()
        elif isinstance(token, yaml.KeyToken):
            if not self._brackets:
                self._close_loose()
                self._begin_entry()
            self._is_key = not token.start_mark.index < token.end_mark.index
        if token.start_mark.index < token.end_mark.index:
            self._add(token)

    def _push(self, kind: str, column: int) -> None:
        top = self._open[-1]
        name = self._name(top) if top.kind == "mapping" else ""
        self._open.append(Frame(kind, column, top.new + STEP, name))
        self.frames.append(self._open[-1])

    def _name(self, mapping: Frame) -> str:
        entry = mapping.entries[-1] if mapping.entries else None
        return self.pieces[entry.sign - 1].text if entry and entry.sign > 0 else ""

    def _close_loose(self) -> None:
        if self._open[-1].kind == "loose":
            self._end_entry()
            self._open.pop()

    def _begin_entry(self) -> None:
        self._end_entry()
        self._open[-1].entries.append(Entry(len(self.pieces)))

    def _end_entry(self) -> None:
        if self._open[-1].entries:
            self._open[-1].entries[-1].last = len(self.pieces) - 1

    def _add(self, token: yaml.Token) -> None:
        """A piece, with its place in the blocks around it."""
        is_sign = isinstance(token, SIGNS) and not self._brackets
        if is_sign:
            self._sign(token)
        bracket = self._brackets[-1] if self._brackets else None
        if isinstance(token, CLOSING):
            self._brackets.pop()
        block = self._open[-1]
        begins = is_sign or self._is_key or isinstance(token, yaml.KeyToken)
        indent = max(block.new, 0) if begins and not self._brackets else block.new + STEP
        indent = 0 if isinstance(token, ON_THEIR_OWN) else indent
        start, end = token.start_mark.index, token.end_mark.index
        levels = tuple((frame.old, frame.new) for frame in self._open[1:])
        piece = Piece(token, start, end, self.text[start:end], block, bracket, indent, levels)
        self._settle(piece)
        self._is_key = False
        self.pieces.append(piece)
        if isinstance(token, OPENING):
            self._brackets.append(piece)

    def _sign(self, token: yaml.Token) -> None:
        if isinstance(token, yaml.BlockEntryToken):
            if self._open[-1].kind == "mapping":
                self._push("loose", token.start_mark.column)
            self._begin_entry()
        else:
            self._close_loose()
            if not self._open[-1].entries:
                self._begin_entry()
        self._open[-1].entries[-1].sign = len(self.pieces)

    def _settle(self, piece: Piece) -> None:
        """The end and the text of a scalar as it is to be written."""
        token = piece.token
        if not isinstance(token, yaml.ScalarToken):
            return
        if piece.style in ("|", ">"):  # its token reaches to the next one
            lines, newline, rest = piece.text.rpartition("\n")
            piece.text = piece.text if rest.strip() else lines + newline
            piece.end = piece.start + len(piece.text)
        elif not piece.style and not self._is_key and token.value.startswith("=") and NEEDS_QUOTES & set(token.value):
            piece.text = quoted(token.value)


def gap_of(text: str, column: int) -> Gap:
    """A gap, which has nothing but white space and comments; `column` is where it begins."""
    first, *rest = BREAK.split(text)
    gap = Gap(len(first) - len(first.lstrip()), breaks=bool(rest) or column == 0)
    if first.strip():
        gap.beside = (first.strip(), column + len(first) - len(first.lstrip()))
    lines = [(line.strip(), len(line) - len(line.lstrip())) for line in rest[:-1]]
    last = rest[-1].strip() if rest else ""
    gap.lines = [*lines, (last, len(rest[-1]) - len(rest[-1].lstrip()))] if last else lines
    if column == 0 and gap.beside:  # a block scalar, or nothing, has ended the line
        gap.lines, gap.beside = [gap.beside, *gap.lines], None
    elif column == 0 and rest:
        gap.lines = [("", 0), *gap.lines]
    return gap
