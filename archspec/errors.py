"""What archspec says when something is wrong.

    ArchspecError
    ├── SpecError         the problems of a spec, all at once, each with its place
    ├── BlockError        a block refuses its fields or inputs; the graph adds where
    │   └── ShapeError    the shapes of its inputs do not fit
    ├── ExpressionError   an expression cannot be read or worked out; the spec adds where
    ├── PluginError       what a plugin brings cannot be had; what names it adds where
    ├── BuildError        a module cannot be built, or does not do what its spec says
    ├── DataError         a dataset, or an image of it, cannot be read
    └── RunError          a training run cannot begin, go on, or be read

The helper that finds a mistake says what is wrong; the layer above adds where.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Source:
    """A text that positions point into, under the name the user knows it by."""

    name: str
    text: str = field(repr=False)
    what: str = "spec"
    """What the text is meant to be: a spec or a recipe."""

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source; line and column count from 1, as editors do."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def shifted(self, columns: int) -> Position:
        return replace(self, column=self.column + columns)


@dataclass(frozen=True, slots=True)
class Use:
    """Where a block is used: its layer's path, and the place of the layer."""

    layer: str
    position: Position


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: what kind, where, what was found and expected, and how to mend it."""

    slug: str
    """The stable name of this kind of mistake, such as `unknown-op`."""
    message: str
    position: Position | None = None
    layer: str = ""
    """Path of the layer concerned, where there is one."""
    op: str = ""
    hint: str = ""
    uses: tuple[Use, ...] = ()
    """For a mistake inside a block: where the block is used, outermost first."""
    more_uses: int = 0
    """How many further uses of the block meet the same mistake."""
    cause: BaseException | None = field(default=None, compare=False, repr=False)
    """What went wrong below, for `--debug`."""

    @property
    def headline(self) -> str:
        what = f"{self.layer} ({self.op}): " if self.layer and self.op else f"{self.layer}: " if self.layer else ""
        return what + self.message

    def __str__(self) -> str:
        """The problem as it is shown: place, headline, source line with a caret, uses, hint."""
        if self.position is None:
            lines = [self.headline]
        else:
            lines = [f"{self.position}: {self.headline}", *excerpt(self.position)]
        uses = [f"  used at {self._place(use.position)}: {use.layer}" for use in self.uses]
        if len(uses) > MOST_USES:
            uses[1:-2] = [f"  ... and {len(uses) - 3} uses between"]
        lines += uses
        if self.more_uses:
            lines[-1] += f", and in {self.more_uses} more {'use' if self.more_uses == 1 else 'uses'}"
        if self.hint:
            lines += wrapped_hint(self.hint)
        return "\n".join(lines)

    def _place(self, position: Position) -> str:
        same = self.position is not None and position.source.name == self.position.source.name
        return f"line {position.line}" if same else str(position)


MOST_USES = 6
"""Uses of blocks inside blocks that are shown one by one."""
WIDEST_HINT = 100
"""Columns of a hint, which goes on in further lines."""
WIDEST_EXCERPT = 160
"""Columns of a source line that are shown around a caret."""


def wrapped_hint(hint: str) -> list[str]:
    """The lines of a hint."""
    import textwrap

    return textwrap.wrap(
        hint,
        WIDEST_HINT,
        initial_indent="  hint: ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def excerpt(position: Position) -> list[str]:
    """The source line of a position and a caret below the column."""
    lines = position.source.lines
    if not 1 <= position.line <= len(lines):
        return []
    text, column = lines[position.line - 1].replace("\t", " "), position.column - 1
    if len(text) > WIDEST_EXCERPT:
        start = max(0, min(column - WIDEST_EXCERPT // 2, len(text) - WIDEST_EXCERPT))
        text, column = text[start : start + WIDEST_EXCERPT], column - start
    text = "".join(c if c.isprintable() else "?" for c in text)
    return [f"    {position.line} | {text.rstrip()}", f"    {' ' * len(str(position.line))} | {' ' * column}^"]


class ArchspecError(Exception):
    """Everything archspec raises on purpose."""


class SpecError(ArchspecError):
    """The problems of a spec, all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
        causes = [problem.cause for problem in self.problems if problem.cause]
        self.__cause__ = next((cause for cause in causes if cause.__cause__), causes[0] if causes else None)

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Problem, ...]]]:
        return SpecError, (tuple(replace(problem, cause=None) for problem in self.problems),)


class BlockError(ArchspecError):
    """A block refuses its fields or inputs."""

    slug = "bad-field"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class ShapeError(BlockError):
    """The shapes of a block's inputs do not fit the block or each other."""

    slug = "shape-mismatch"


class ExpressionError(ArchspecError):
    """An expression cannot be read or worked out; `offset` counts characters from its start."""

    def __init__(self, message: str, hint: str = "", offset: int = 0) -> None:
        super().__init__(message)
        self.message, self.hint, self.offset = message, hint, offset


class PluginError(ArchspecError):
    """What a plugin brings cannot be had: two bring it, it cannot be imported, or it is for another version."""

    def __init__(self, slug: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.slug, self.message, self.hint = slug, message, hint

    def __reduce__(self) -> tuple[type[PluginError], tuple[str, str, str]]:
        return PluginError, (self.slug, self.message, self.hint)

    def problem(self, position: Position | None = None, **context: Any) -> Problem:
        """This as a problem of what names it."""
        return Problem(self.slug, self.message, position, hint=self.hint, cause=self, **context)


class BuildError(ArchspecError):
    """A module cannot be built, or does not do what its spec says."""


class DataError(ArchspecError):
    """A dataset, or an image of it, cannot be read."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.message, self.hint = message, hint

    def __reduce__(self) -> tuple[type[DataError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class RunError(DataError):
    """A training run cannot begin, go on, or be read."""


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems in the order of their files, files as they are first named; those without a place come first."""
    found = list(problems)
    files = list(dict.fromkeys(problem.position.source.name for problem in found if problem.position))

    def order(problem: Problem) -> tuple[int, int, int]:
        at = problem.position
        return (files.index(at.source.name), at.line, at.column) if at else (-1, 0, 0)

    return sorted(found, key=order)


def did_you_mean(name: str, known: Iterable[str], listed: str = "") -> str:
    """A hint: the nearest known name or, where none is near, the known names after `listed`."""
    names = list(dict.fromkeys(known))
    if near := nearest(name, names):
        return f"did you mean `{near}`?"
    if not listed or not names:
        return ""
    shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
    return f"{listed}: {shown}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like this one, or nothing where none is near."""
    import difflib

    return next(iter(difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)), "")
