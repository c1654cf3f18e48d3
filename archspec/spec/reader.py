"""YAML text -> values with positions.

PyYAML's C parser gives events; composing them is ours, because positions must survive, scalars are those of
the YAML 1.2 core schema (`1e-4` is a number, `no` is text), and whatever could run code or exhaust memory is an
error: tags, deep nesting, aliases that multiply, duplicate keys, merge keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from archspec.errors import Position, Problem, Source, SpecError

MAX_BYTES = 32 * 2**20
MAX_DEPTH = 100
MAX_ALIASED = 100_000
MAX_NUMBER_LENGTH = 100
FIRST_LINES = {"spec": "archspec: 1", "recipe": "recipe: 1"}
"""How what a text is meant to be begins."""


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar: its text, and what the core schema makes of it."""

    position: Position
    text: str
    value: bool | int | float | str | None
    plain: bool
    """Whether it was written without quotes."""
    size: int = 1


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    position: Position
    items: list[Value]
    size: int = 1


@dataclass(slots=True, eq=False)
class Mapping:
    """A mapping; keys are kept as text, in the order of the file."""

    position: Position
    entries: dict[str, tuple[Scalar, Value]]
    size: int = 1

    def get(self, key: str) -> Value | None:
        entry = self.entries.get(key)
        return entry[1] if entry else None


Value = Scalar | Sequence | Mapping


def plain(value: Value) -> object:
    """The value as Python data; keys too are what the core schema makes of them."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Sequence):
        return [plain(item) for item in value.items]
    return {key.value: plain(item) for key, item in value.entries.values()}


def shown(data: object) -> str:
    """Data as a spec would write it, short enough for a message."""
    if data is None or isinstance(data, bool):
        return {None: "null", True: "true", False: "false"}[data]
    if isinstance(data, list | tuple):
        text = f"[{', '.join(map(shown, data))}]"
    elif isinstance(data, dict):
        text = f"{{{', '.join(f'{key}: {shown(value)}' for key, value in data.items())}}}"
    else:
        text = repr(data) if isinstance(data, str) else str(data)
    return text if len(text) <= 80 else text[:77] + "..."


INTEGER = re.compile(r"[-+]?[0-9]+")
OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
WORDS: dict[str, bool | float | None] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
    | dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
)


def core_scalar(text: str) -> bool | int | float | str | None:
    """What the YAML 1.2 core schema makes of an unquoted scalar."""
    if text in WORDS:
        return WORDS[text]
    if len(text) > MAX_NUMBER_LENGTH or text[0] not in "-+.0123456789":
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if OCTAL_OR_HEX.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if FLOAT.fullmatch(text):
        return float(text)
    if infinite := INFINITY.fullmatch(text):
        return float(infinite[1] + "inf")
    return text


def decode(data: bytes, name: str, what: str = "spec") -> Source:
    """The text of a file that is meant to be a spec or a recipe.

    Errors: SpecError if it is too large, or not UTF-8 text
    """

    def refuse(slug: str, message: str, hint: str) -> SpecError:
        return SpecError([Problem(slug, message, Position(Source(name, ""), 1, 1), hint=hint)])

    if len(data) > MAX_BYTES:
        raise refuse("file-too-large", f"the file has more than {MAX_BYTES // 2**20} MiB", f"a {what} is a small text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        raise refuse("not-text", f"the file is not UTF-8 text: {found}", f"a {what} is a YAML text file") from None
    if control := re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        found = f"control character 0x{ord(control[0]):02x} at offset {control.start()}"
        raise refuse("not-text", f"the file is not text: {found}", f"a {what} is a YAML text file")
    return Source(name, text, what)


def read(source: Source) -> Value:
    """The one document of a YAML text. Errors: SpecError"""
    return _Composer(source).document()


class _Composer:
    """Composes the values of one text from parser events."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.anchors: dict[str, Value | None] = {}
        self.aliased = 0
        self.problems: list[Problem] = []
        self.events = self._events()

    def document(self) -> Value:
        try:
            root = self._document()
        except SpecError as error:
            self.problems += error.problems
        if self.problems:
            raise SpecError(self.problems)
        return root

    def _document(self) -> Value:
        next(self.events)  # stream start
        start = next(self.events)
        if isinstance(start, yaml.StreamEndEvent):
            begins = f"a {self.source.what} begins with `{FIRST_LINES[self.source.what]}`"
            raise self._error("empty-file", "the file is empty", start.start_mark, begins)
        root = self._value(next(self.events), 0)
        next(self.events)  # document end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            hint = f"one {self.source.what} per file"
            raise self._error("yaml", "a second document begins here", after.start_mark, hint)
        return root

    def _events(self) -> Iterator[yaml.Event]:
        loader = yaml.CSafeLoader(self.source.text)
        try:
            while loader.check_event():
                yield loader.get_event()  # type: ignore[misc]
        except yaml.MarkedYAMLError as error:
            raise SpecError([*self.problems, syntax_problem(error, self.source)]) from None
        except yaml.reader.ReaderError as error:
            message = f"character {error.character!r} is not allowed in YAML"
            raise SpecError([Problem("yaml", message, Position(self.source, 1, 1))]) from None
        finally:
            loader.dispose()

    def _position(self, mark: Any) -> Position:
        return Position(self.source, mark.line + 1, mark.column + 1)

    def _error(self, slug: str, message: str, mark: Any, hint: str = "") -> SpecError:
        return SpecError([Problem(slug, message, self._position(mark), hint=hint)])

    def _value(self, event: Any, depth: int) -> Value:
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            name = event.tag.replace("tag:yaml.org,2002:", "!!")
            message = f"tag {name}: a {self.source.what} is data, tags are not allowed"
            self.problems += self._error("yaml-tag", message, mark).problems
        if depth >= MAX_DEPTH:
            raise self._error("too-deep", f"nested more than {MAX_DEPTH} deep", mark)
        if event.anchor:
            self.anchors[event.anchor] = None
        value: Value
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, depth)
        else:
            value = self._mapping(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def _alias(self, event: yaml.AliasEvent) -> Value:
        if event.anchor not in self.anchors:
            raise self._error(
                "unknown-alias",
                f"alias *{event.anchor} has no anchor &{event.anchor} before it",
                event.start_mark,
                f'if a glob was meant, quote it: "*{event.anchor}"',
            )
        value = self.anchors[event.anchor]
        if value is None:
            raise self._error("alias-cycle", f"alias *{event.anchor} is inside its own anchor", event.start_mark)
        self.aliased += value.size
        if self.aliased > MAX_ALIASED:
            raise self._error("alias-bomb", f"aliases expand to more than {MAX_ALIASED:,} values", event.start_mark)
        return value

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text, plain_style = event.value, not event.style
        if plain_style and text.startswith("=") and unbalanced(text):
            problem = quote_the_expression(text, self._position(event.start_mark))
            self.problems.append(problem)
        if plain_style and len(text) > MAX_NUMBER_LENGTH and INTEGER.fullmatch(text):
            found = f"a number of {len(text)} digits"
            self.problems += self._error("bad-number", found, event.start_mark).problems
        return Scalar(self._position(event.start_mark), text, core_scalar(text) if plain_style else text, plain_style)

    def _sequence(self, start: yaml.SequenceStartEvent, depth: int) -> Sequence:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return Sequence(self._position(start.start_mark), items, 1 + sum(item.size for item in items))

    def _mapping(self, start: yaml.MappingStartEvent, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Value]] = {}
        size, before = 1, len(self.problems)
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            mark = event.start_mark
            key = self._value(event, depth + 1)
            if not isinstance(key, Scalar):
                raise self._error("bad-key", "a key must be a single word or number", mark)
            value = self._value(next(self.events), depth + 1)
            size += 1 + value.size
            if len(self.problems) > before and isinstance(value, Scalar) and value.text == "":
                continue  # the rest of an expression that was cut at its comma
            if key.text == "<<" and key.plain:
                hint = "write the fields out" + (", or make a block" if self.source.what == "spec" else "")
                self.problems += self._error("merge-key", "merge keys are not allowed", mark, hint).problems
            elif key.text in entries:
                first = entries[key.text][0].position
                message = f"`{key.text}` is given twice, first at line {first.line}"
                self.problems += self._error("duplicate-key", message, mark, "remove or rename one").problems
            else:
                entries[key.text] = (key, value)
        return Mapping(self._position(start.start_mark), entries, size)


PAIRS = {")": "(", "]": "[", "}": "{"}


def unbalanced(text: str) -> bool:
    """Whether brackets or quotes of a text do not match: a sign that YAML cut an expression."""
    open_brackets: list[str] = []
    quoted = ""
    for character in text:
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"":
            quoted = character
        elif character in "([{":
            open_brackets.append(character)
        elif character in PAIRS and (not open_brackets or open_brackets.pop() != PAIRS[character]):
            return True
    return bool(open_brackets or quoted)


def quote_the_expression(text: str, position: Position) -> Problem:
    """The problem of an expression whose `,` `[` `]` `{` `}` `: ` or ` #` YAML took for its own."""
    message = f"the expression is cut short: YAML ends it after `{text}`"
    hint = 'quote the whole expression: "=..."; YAML gives `,` `[` `]` `{` `}` `: ` and ` #` a meaning of their own'
    return Problem("unquoted-expression", message, position, hint=hint)


EXPLAINED: tuple[tuple[str, str, str], ...] = (
    (
        "cannot start any token",
        "`{character}` cannot begin a value",
        "quote the text, if it is one",
    ),
    ("violates indentation", "a tab where YAML takes spaces", "indent with spaces only"),
    (
        "mapping values are not allowed",
        "`:` where no key can be",
        "indent the keys of one mapping alike; quote a text that contains `: `",
    ),
    ("find expected key", "this line is indented like no mapping above it", "indent the keys of one mapping alike"),
    ("find expected '-'", "this line is indented like no list above it", "indent the `-` of one list alike"),
    (
        "find expected ',' or '}'",
        "the mapping opened by `{{` at line {opened} is not continued or closed here",
        "separate its entries by `,` and close it by `}}`",
    ),
    (
        "find expected ',' or ']'",
        "the list opened by `[` at line {opened} is not continued or closed here",
        "separate its items by `,` and close it by `]`",
    ),
    ("alphabetic or numeric", "`*` or `&` begins an alias or anchor, and no name follows", 'quote a glob: "*.fc"'),
    ("could not find expected ':'", "no `:` after this key", "write `key: value`"),
    ("unexpected end of stream", "the quote opened at line {opened} is not closed", "close it"),
    ("node content", "a value is missing here", "a bracket may be left over, or not closed"),
)
"""Part of libyaml's message -> what we say, and how to mend it."""

EXPRESSION = re.compile(r"(?:^|[:,\[{]|- )\s*=")


def _explained(problem: str) -> tuple[str, str]:
    for part, message, hint in EXPLAINED:
        if part in problem:
            return message, hint
    return problem.replace("{", "{{").replace("}", "}}"), ""


def syntax_problem(error: yaml.MarkedYAMLError, source: Source) -> Problem:
    """A YAML syntax error in words of ours."""
    mark: Any = error.problem_mark or error.context_mark
    opened = (error.context_mark or mark).line
    if error.context_mark and (mark.line >= len(source.lines) or "expected ':'" in str(error.problem)):
        mark = error.context_mark  # at the end of the text, or on the next key, there is nothing to show
    line = source.lines[mark.line] if mark.line < len(source.lines) else ""
    character = line[mark.column : mark.column + 1]
    position = Position(source, mark.line + 1, mark.column + 1)
    message, hint = _explained(str(error.problem))
    if character == "\t":
        message, hint = "a tab where YAML takes spaces", "indent with spaces only"
    message, hint = (text.format(character=character, opened=opened + 1) for text in (message, hint))
    last = error.problem_mark.line if error.problem_mark else opened
    if any(EXPRESSION.search(written) for written in source.lines[min(opened, mark.line) : last + 1]):
        hint = 'an expression with `,` `[` `]` `{` `}` `: ` or ` #` must be quoted: "=..."'
        return Problem("unquoted-expression", message, position, hint=hint)
    return Problem("yaml", message, position, hint=hint)
