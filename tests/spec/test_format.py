"""The formatter keeps data and comments, is idempotent, and leaves the zoo as it is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.errors import ArchspecError, Source, SpecError
from archspec.spec import format as formatter
from archspec.spec.format import comments, formatted, same_data
from archspec.spec.pieces import Pieces
from archspec.spec.reader import read
from archspec.spec.writer import write

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.yaml"))
BROKEN = sorted((ROOT / "tests" / "golden" / "errors").glob("*.yaml"))


def form(text: str) -> str:
    """The formatted text, which formatting again leaves as it is."""
    found = formatted(Source("t.yaml", text))
    assert formatted(Source("t.yaml", found)) == found
    return found


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_zoo_is_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert form(text) == text


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_specs_are_formatted_or_refused_by_the_reader(path: Path) -> None:
    """What is wrong in other ways than as YAML has a form too."""
    text = path.read_text(encoding="utf-8")
    try:
        read(Source("t.yaml", text))
    except SpecError as error:
        with pytest.raises(SpecError) as caught:
            formatted(Source("t.yaml", text))
        assert str(caught.value) == str(error)
    else:
        form(text)


CASES = {
    "trailing white space": ("a: 1  \nb: 2\t\n", "a: 1\nb: 2\n"),
    "final newline": ("a: 1", "a: 1\n"),
    "blank lines": ("\n\na: 1\n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n"),
    "indentation": ("a:\n    b:\n     c: 1\n    d: 2\n", "a:\n  b:\n    c: 1\n  d: 2\n"),
    "dashes below their key": ("a:\n- b\n-   c: 1\n    d: 2\ne: 3\n", "a:\n  - b\n  - c: 1\n    d: 2\ne: 3\n"),
    "list in a list": ("-   - 1\n    -   2\n- 3\n", "- - 1\n  - 2\n- 3\n"),
    "braces": ("a: { b : 1 ,c:   [ 1,2 ,3 ] }\n", "a: {b: 1, c: [1, 2, 3]}\n"),
    "colon": ("a : 1\nb :   2\n", "a: 1\nb: 2\n"),
    "json": ('a: {"b":1,"c":{}}\n', 'a: {"b": 1, "c": {}}\n'),
    "empty values": ("a: {b: , c : }\nd:\n", "a: {b: , c: }\nd:\n"),
    "anchors and aliases": ("a:   &x   {b: 1}\nc: [ *x,*x ]\n", "a: &x {b: 1}\nc: [*x, *x]\n"),
    "tab between": ("a:\t1\nb: {c:\t2}\n", "a: 1\nb: {c: 2}\n"),
    "windows": ("a:\r\n    b: 1\r\n", "a:\r\n  b: 1\r\n"),
    "expression with a call": ("a: =max(1, 2)\nb: =c[0]\nd: =1 + 2\n", 'a: "=max(1, 2)"\nb: "=c[0]"\nd: =1 + 2\n'),
    "expression over lines": ("a: =max(1,\n  2)\n", 'a: "=max(1, 2)"\n'),
    "value on the next line": ("a:\n     {b: 1}\nc:\n  1\n", "a:\n  {b: 1}\nc:\n  1\n"),
    "braces over lines": (
        "a: {\n      b: 1,\n    c: [\n  1, 2\n    ]\n}\n",
        "a: {\n  b: 1,\n  c: [\n    1, 2\n  ]\n}\n",
    ),
    "braces in a list": ("a:\n- {\n  b: 1\n  }\n", "a:\n  - {\n      b: 1\n    }\n"),
    "continued line": ("a:\n    b: {c: 1,\n        d: 2}\n", "a:\n  b: {c: 1,\n      d: 2}\n"),
    "continued line that gets too near": ("a:\n    b: [1,\n     2]\n", "a:\n  b: [1,\n   2]\n"),
    "text over lines": ("a: 'b\n\n      c'\nd:   e\n   f\n", "a: 'b\n\n      c'\nd: e\n f\n"),
    "quoted line break": ('a:\n    b: "c \\\n      d"\n', 'a:\n  b: "c \\\n    d"\n'),
    "block text": ("a:\n    b: |\n        c\n          d\n\n\n    e: 1\n", "a:\n  b: |\n    c\n      d\n\n  e: 1\n"),
    "block text with its blank lines": ("a:  |+\n    b\n\n\n", "a: |+\n  b\n\n\n"),
    "block text of a said indent": ("a:\n    b: |2\n         c\n", "a:\n  b: |2\n       c\n"),
    "block text at the end": ("a: |\n     b", "a: |\n  b"),
    "block text of nothing": ("a: |\n\n\n", "a: |\n"),
    "block text with spaces at its end": ("a: |\n      b\n  \n        \nc: 1\n", "a: |\n  b\n\n    \nc: 1\n"),
    "folded block text in a list": ("a:\n-   >-\n      b\n\n\n# c\n", "a:\n  - >-\n    b\n\n# c\n"),
    "document marks": ("%YAML 1.2\n---\na:   1\n...\n", "%YAML 1.2\n---\na: 1\n...\n"),
    "marked key": ("? a\n:   b\n", "? a\n: b\n"),
    "comment behind": ("a: 1 # b\nc:   2      # d\n", "a: 1  # b\nc: 2        # d\n"),
    "comment near a line": ("a:   1     # b\n", "a: 1  # b\n"),
    "comment far from a line": ("a: 1               # b\n", "a: 1               # b\n"),
    "comments in a column": ("a:   1   # b\ncd:  222 # e\n", "a:   1    # b\ncd:  222  # e\n"),
    "comment lines": (
        "# a\nb:\n     # c\n     d: 1\n     # e\n  # f\n# g\nh: 1\n# i\n",
        "# a\nb:\n  # c\n  d: 1\n  # e\n# f\n# g\nh: 1\n# i\n",
    ),
    "comment lines in braces": ("a: {\n    # b\n    c: 1,\n    # d\n}\n", "a: {\n  # b\n  c: 1,\n  # d\n}\n"),
    "comment after a bracket": ("a: { # b\n  c: 1 }\n", "a: {  # b\n  c: 1}\n"),
    "comment that hugs a dash list": ("a:\n# b\n- c\n# d\n- e\n# f\n", "a:\n  # b\n  - c\n  # d\n  - e\n# f\n"),
    "byte-order marks of lines": ("a: 1\x85b: 2\u2028c: 3\n", "a: 1\nb: 2\nc: 3\n"),
    "beyond the basic plane": ("a: {b: '\U0001f600' ,c: é }\n", "a: {b: '\U0001f600', c: é}\n"),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_form(text: str, expected: str) -> None:
    assert form(text) == expected


COLUMNS = {
    "aligned values stay": ("layers:\n  a:   relu\n  bcd: tanh\n", None),
    "a value out of its column comes back": (
        "layers:\n  a:   relu\n  b: tanh\n  bcd: relu\n",
        "layers:\n  a:   relu\n  b:   tanh\n  bcd: relu\n",
    ),
    "a longer layer moves the column": (
        "layers:\n  a:   relu\n  b:   tanh\n  bcd: relu\n  longer: relu\n",
        "layers:\n  a:      relu\n  b:      tanh\n  bcd:    relu\n  longer: relu\n",
    ),
    "a longer param sticks out": ("params:\n  a:   1\n  b:   2\n  bcd: 3\n  longer: 4\n", None),
    "values that no column holds": ("layers:\n  a:  relu\n  bcd:   tanh\n", "layers:\n  a: relu\n  bcd: tanh\n"),
    "one value alone": ("layers:\n  a:   relu\n", "layers:\n  a: relu\n"),
    "unaligned values stay": ("layers:\n  a: relu\n  bcd: tanh\n  ef: relu\n", None),
    "values over lines do not count": ("layers:\n  a:   relu\n  longer:\n    op: tanh\n  bcd: relu\n", None),
    "blank lines part columns": ("layers:\n  a:   relu\n  bcd: tanh\n\n  b:  relu\n  de: relu\n", None),
    "a wide column stays": ("a:    1\nbcd:  2\n", None),
    "numbers to the right": (
        "layers:\n  a: {op: x, n:  64, m:   8}\n  b: {op: x, n: 128, m:  16}\n  c: {op: x, n: 256, m: 128, k: 1}\n",
        None,
    ),
    "a wider number moves its column": (
        "a: {n:  64, m: 1}\nb: {n: 128, m: 1}\nc: {n: 64, m: 1}\nd: {n: 1024, m: 1}\n",
        "a: {n:   64, m: 1}\nb: {n:  128, m: 1}\nc: {n:   64, m: 1}\nd: {n: 1024, m: 1}\n",
    ),
    "a number out of its column comes back": (
        "a: {n:  64, m: 1}\nb: {n: 128, m: 1}\nc: {n: 32, m: 1}\n",
        "a: {n:  64, m: 1}\nb: {n: 128, m: 1}\nc: {n:  32, m: 1}\n",
    ),
    "words to the left": ("- {op: conv2d,     n: 1}\n- {op: max_pool2d, n: 2}\n", None),
    "lists as cells": ("- {s: [1, 2],   n: 1}\n- {s: [10, 20], n: 2}\n", None),
    "a stray space": (
        "- {op: a,  n: 1}\n- {op: b, n: 2}\n- {op: c, n: 3}\n",
        "- {op: a, n: 1}\n- {op: b, n: 2}\n- {op: c, n: 3}\n",
    ),
    "other keys": ("- {op: a,  n: 1}\n- {kind: bcd, n: 2}\n", "- {op: a, n: 1}\n- {kind: bcd, n: 2}\n"),
}


@pytest.mark.parametrize(("text", "expected"), COLUMNS.values(), ids=COLUMNS)
def test_columns(text: str, expected: str | None) -> None:
    assert form(text) == (expected or text)


def test_a_rewritten_spec_of_the_zoo_comes_back() -> None:
    """Indents, spaces and blank lines that an author may have left."""
    text = (ROOT / "specs" / "alexnet.yaml").read_text(encoding="utf-8")
    rough = text.replace("\n  ", "\n    ").replace("{op: ", "{ op : ").replace("]}\n", "] }\n")
    rough = rough.replace("\n\n", "   \n\n\n\n").replace("relu1:  ", "relu1: ")
    assert rough != text
    assert form(rough) == text


@pytest.mark.parametrize("text", ["a: [1", "a: !!str 1", "a: 1\na: 2\n", "a:\n\tb: 1\n", "", "a: {b: =max(1, 2)}\n"])
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        formatted(Source("t.yaml", text))
    with pytest.raises(SpecError) as read_error:
        read(Source("t.yaml", text))
    assert str(caught.value) == str(read_error.value)


@pytest.mark.parametrize("change", ["a: 2\n", "a: 1\nb: 2\n", "a: '1'\n", "a: 1  # d\n", "a: 1\n", "[a, 1]\n"])
def test_a_change_of_data_or_comments_is_refused(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(formatter._Writer, "written", lambda self: change)
    with pytest.raises(ArchspecError, match=r"t\.yaml: formatting would change what this file says"):
        formatted(Source("t.yaml", "a:   1 # c\n"))


# Any data, written and then mangled in white space.

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
words = st.sampled_from(
    ["a", "conv1", "x y", "=n // 2", "=max(a, b)", "='a' if b[0] else c", "#", "- a", "é", "it's", ""]
)
keys = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True) | st.text(min_size=1, max_size=4).filter(
    lambda key: key != "<<"
)
values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(keys, values, min_size=1, max_size=5), st.integers(1, 4), st.randoms(use_true_random=False))
def test_mangled_white_space(data: dict[str, Any], factor: int, dice: random.Random) -> None:
    text = write(data)
    mangled = mangle(text, factor, dice)
    before = read(Source("t.yaml", mangled))
    assert same_data(read(Source("t.yaml", text)), before)
    found = form(mangled)
    assert same_data(before, read(Source("t.yaml", found)))
    assert comments(Pieces(found)) == comments(Pieces(mangled))


def mangle(text: str, factor: int, dice: random.Random) -> str:
    """The same data with other indents, spaces, blank lines, comments, and lines broken inside brackets."""
    tokens = [
        token for token in yaml.scan(text, Loader=yaml.CSafeLoader) if token.start_mark.index < token.end_mark.index
    ]
    found, depth = "", 0
    for number, token in enumerate(tokens):
        start = tokens[number - 1].end_mark.index if number else 0
        gap, mark = text[start : token.start_mark.index], token.start_mark
        breakable = depth > 0 and number > 0 and isinstance(tokens[number - 1], INSIDE)
        if "\n" in gap:
            found += junk(dice) + "\n" * gap.count("\n") + lines(dice) + " " * (factor * mark.column)
        elif breakable and dice.random() < 0.2:
            found += junk(dice) + "\n" + lines(dice) + " " * dice.randint(200, 230)
        else:
            found += gap + " " * (dice.choice([0, 0, 0, 1, 3]) if gap or breakable else 0)
        found += text[mark.index : token.end_mark.index]
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
    return found + junk(dice) + "\n" + lines(dice)


OPENING = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
CLOSING = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
INSIDE = (*OPENING, yaml.FlowEntryToken)


def junk(dice: random.Random) -> str:
    """What may end a line."""
    return dice.choice(["", "", "", "   ", "\t", " # c", "      # d: {e}  "])


def lines(dice: random.Random) -> str:
    """Lines that may stand between others."""
    return "".join(
        dice.choice(["\n", "  \n", f"{' ' * dice.randint(0, 9)}# f\n"]) for _ in range(dice.choice([0, 0, 0, 1, 3]))
    )
