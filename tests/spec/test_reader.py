from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import Source, SpecError
from archspec.spec import reader
from archspec.spec.reader import Mapping, Scalar, Sequence, decode, plain, read, shown, unbalanced
from archspec.spec.writer import flow, write


def data(text: str) -> Any:
    return plain(read(Source("t.yaml", text)))


def refusal(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        read(Source("t.yaml", text))
    return caught.value


def slugs(text: str) -> list[str]:
    return [problem.slug for problem in refusal(text).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        ("-1.5e+2", -150.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("+.5", 0.5),
        ("0.75", 0.75),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("tRUE", "tRUE"),
        ("010", 10),
        ("-07", -7),
        ("+3", 3),
        ("0o17", 15),
        ("0x1f", 31),
        ("0xFF", 255),
        ("0b11", "0b11"),
        ("0O17", "0O17"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1:20:30", "1:20:30"),
        ("2001-01-01", "2001-01-01"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("+.Inf", math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'~'", "~"),
        ("''", ""),
        ('"a\\tb\\u00e9"', "a\tbé"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("e5", "e5"),
        ("--1", "--1"),
        (".", "."),
        ("-", [None]),
        ("0x", "0x"),
        ("1 2", "1 2"),
        ("=1 + 1", "=1 + 1"),
        ("|\n  1\n  2", "1\n2"),
        (">\n  a\n  b", "a b"),
        ("٣", "٣"),
        ("1" * 100, int("1" * 100)),
    ],
)
def test_core_scalars(text: str, value: object) -> None:
    found = data(text)
    assert found == value
    assert type(found) is type(value)


def test_nan() -> None:
    assert all(math.isnan(value) for value in data("[.nan, .NaN, .NAN]"))


def test_a_number_of_many_digits_is_refused() -> None:
    assert slugs("9" * 101) == ["bad-number"]
    assert slugs("a: -" + "1" * 5000) == ["bad-number"]


def test_an_empty_value_is_null() -> None:
    assert data("{a: , b: }") == {"a": None, "b": None}
    assert data("a:\nb: 1") == {"a": None, "b": 1}


def test_keys_are_text_to_us_and_numbers_to_data() -> None:
    value = read(Source("t.yaml", "{1: a, 010: b, no: c, ~: d}"))
    assert isinstance(value, Mapping)
    assert list(value.entries) == ["1", "010", "no", "~"]
    assert plain(value) == {1: "a", 10: "b", "no": "c", None: "d"}


POSITIONS = """\
a: 1
list:
  - x
  - {k: 'v', é: [2,  3]}
text: >
  folded
"""


def test_positions() -> None:
    root = read(Source("t.yaml", POSITIONS))
    assert isinstance(root, Mapping)
    items = root.get("list")
    assert isinstance(items, Sequence)
    inner = items.items[1]
    assert isinstance(inner, Mapping)
    last = inner.get("é")
    assert isinstance(last, Sequence)
    places = [
        root,
        root.entries["list"][0],
        root.get("a"),
        items,
        items.items[0],
        inner,
        inner.get("k"),
        inner.entries["é"][0],
        last,
        last.items[1],
        root.get("text"),
    ]
    assert [str(value.position) for value in places if value is not None] == [
        "t.yaml:1:1",
        "t.yaml:2:1",
        "t.yaml:1:4",
        "t.yaml:3:3",
        "t.yaml:3:5",
        "t.yaml:4:5",
        "t.yaml:4:9",
        "t.yaml:4:14",
        "t.yaml:4:17",
        "t.yaml:4:22",
        "t.yaml:5:7",
    ]


def test_plain_and_quoted_are_told_apart() -> None:
    root = read(Source("t.yaml", "[1, '1', =x, '=x']"))
    assert isinstance(root, Sequence)
    assert [item.plain for item in root.items if isinstance(item, Scalar)] == [True, False, True, False]


def test_order_is_kept() -> None:
    assert list(data("{z: 1, a: 2, m: 3}")) == ["z", "a", "m"]


@pytest.mark.parametrize("text", ["{a: 1, a: 2}", "a: 1\nb: 2\na: 1\n", "{x: {'a': 1, a: 2}}", "{1: a, '1': b}"])
def test_duplicate_keys(text: str) -> None:
    assert slugs(text) == ["duplicate-key"]


def test_every_duplicate_is_told() -> None:
    assert slugs("{a: 1, a: 2, b: {c: 1, c: 2}, a: 3}") == ["duplicate-key"] * 3


def test_aliases_are_copies() -> None:
    assert data("{a: &x {k: [1, 2]}, b: *x, c: [*x, *x]}") == {
        "a": {"k": [1, 2]},
        "b": {"k": [1, 2]},
        "c": [{"k": [1, 2]}, {"k": [1, 2]}],
    }


def test_an_anchor_may_be_given_again() -> None:
    assert data("[&x 1, *x, &x 2, *x]") == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("*x", "unknown-alias"),
        ("[*x, &x 1]", "unknown-alias"),
        ("&x [*x]", "alias-cycle"),
        ("&x {a: {b: *x}}", "alias-cycle"),
        ("{<<: {a: 1}, b: 2}", "merge-key"),
        ("a: !t 1", "yaml-tag"),
        ("? [a, b]\n: 1", "bad-key"),
        ("? {a: 1}\n: 1", "bad-key"),
        ("", "empty-file"),
        ("# nothing\n\n", "empty-file"),
        ("a: 1\n---\nb: 2\n", "yaml"),
        ("a: 1\n...\n---\nb: 2\n", "yaml"),
        ("[" * 101 + "]" * 101, "too-deep"),
        ("a: {b: [1, 2}", "yaml"),
        ("a: @x", "yaml"),
        ("a: `x`", "yaml"),
        ("a: %x", "yaml"),
        ("a:\n\t- b", "yaml"),
        ('a: "\\q"', "yaml"),
        ("a: 'x", "yaml"),
        ("{a: =f(1, 2)}", "unquoted-expression"),
        ("{a: =[1, 2]}", "unquoted-expression"),
        ("{a: =x[1]}", "unquoted-expression"),
        ("a: =x: 3", "unquoted-expression"),
    ],
)
def test_refused(text: str, slug: str) -> None:
    assert slugs(text) == [slug]


@pytest.mark.parametrize(
    "text",
    ["{a: =max(8), b: 1}", "a: =max(8, 10)", "a: =w[0]", "{a: =x == 'a'}", '{a: "=max(8, 10)"}', "a: =1  # one"],
)
def test_expressions_that_need_no_quotes(text: str) -> None:
    assert data(text)["a"].startswith("=")


def test_depth_100_is_read() -> None:
    assert data("[" * 100 + "]" * 100) is not None


def test_aliased_values_are_counted_before_they_are_made() -> None:
    items = ", ".join(["x"] * 999)
    ten = ", ".join(["*a"] * 100)
    assert len(data(f"[&a [{items}], [{ten}]]")[1]) == 100
    assert slugs(f"[&a [{items}], [{ten}, *a]]") == ["alias-bomb"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (b"\xef\xbb\xbfa: 1\n", {"a": 1}),
        (b"a: 1\r\nb:\r\n  - 2\r\n", {"a": 1, "b": [2]}),
        (b"a: 1\rb: 2\r", {"a": 1, "b": 2}),
        ("a: 日本語\né: ü".encode(), {"a": "日本語", "é": "ü"}),
        ("a: 🙂".encode(), {"a": "🙂"}),
        (b"%YAML 1.2\n---\na: 1\n", {"a": 1}),
        (b"---\na: 1\n...\n", {"a": 1}),
    ],
)
def test_texts(written: bytes, found: object) -> None:
    assert plain(read(decode(written, "t.yaml"))) == found


def test_positions_behind_a_byte_order_mark_and_carriage_returns() -> None:
    root = read(decode(b"\xef\xbb\xbfa: 1\r\nb:\r\n  - 2\r\n", "t.yaml"))
    assert isinstance(root, Mapping)
    assert [str(key.position) for key, _ in root.entries.values()] == ["t.yaml:1:1", "t.yaml:2:1"]
    assert str(root.entries["b"][1].position) == "t.yaml:3:3"


@pytest.mark.parametrize(
    ("written", "slug"),
    [
        (b"\xff\xfea\x00", "not-text"),
        ("a: é".encode("latin-1"), "not-text"),
        (b"a: \x00", "not-text"),
        (b"a: \x1b[31m", "not-text"),
    ],
)
def test_not_text(written: bytes, slug: str) -> None:
    with pytest.raises(SpecError) as caught:
        decode(written, "t.yaml")
    assert [problem.slug for problem in caught.value.problems] == [slug]


def test_a_file_of_the_largest_size_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_BYTES", 10)
    assert decode(b"a: 1234567", "t.yaml").text == "a: 1234567"
    with pytest.raises(SpecError, match="more than"):
        decode(b"a: 12345678", "t.yaml")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("=max(8", True),
        ("b)", True),
        ("=[1", True),
        ("=x == 'a", True),
        ("=(1]", True),
        ("=max(8)", False),
        ("='('", False),
        ("=\"[\" == ')'", False),
        ("=1", False),
    ],
)
def test_unbalanced(text: str, cut: bool) -> None:
    assert unbalanced(text) is cut


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ([1, "a", 2.5], "[1, 'a', 2.5]"),
        ({"a": [False], 3: None}, "{a: [false], 3: null}"),
        ("x" * 100, "'" + "x" * 76 + "..."),
    ],
)
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
odd_texts = st.sampled_from(
    [
        "",
        " ",
        "no",
        "~",
        "1",
        "1e3",
        "true",
        "a: b",
        "a #b",
        "=max(1, 2)",
        "*x",
        "&x",
        "- a",
        "{a}",
        "0x1f",
        "'",
        '"',
        "é",
        "a\nb",
        "\t",
        "!!x",
        "%a",
        "@",
        "null",
        ".inf",
        "---",
        "...",
        "<<",
        "?",
        "-",
        ":",
        ",",
        "\u2028",
        "\x7f",
    ]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False),
    texts,
    odd_texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | odd_texts, inner, max_size=4),
    max_leaves=12,
)


def as_read(value: Any) -> Any:
    """Data as the language sees it: keys are text."""
    if isinstance(value, dict):
        return {str(key): as_read(item) for key, item in value.items()}
    return [as_read(item) for item in value] if isinstance(value, list) else value


def by_text(value: Any) -> Any:
    """What was read, with keys as the text they are written as."""
    if isinstance(value, Mapping):
        return {key: by_text(item) for key, (_, item) in value.entries.items()}
    return [by_text(item) for item in value.items] if isinstance(value, Sequence) else value.value


def same(found: object, written: object) -> bool:
    return found == written and repr(found) == repr(written)


@given(values)
def test_flow_reads_back(value: Any) -> None:
    assert same(by_text(read(Source("t.yaml", f"key: {flow(value)}")))["key"], as_read(value))


@given(st.dictionaries(texts.filter(lambda key: key != "<<"), values, min_size=1, max_size=5))
def test_written_data_reads_back(value: dict[str, Any]) -> None:
    assert same(by_text(read(Source("t.yaml", write(value)))), as_read(value))


layer = st.fixed_dictionaries({"op": odd_texts}, optional={"from": st.lists(texts, max_size=3), "size": scalars})
names = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
groups = st.recursive(
    st.dictionaries(names, layer | odd_texts, max_size=4),
    lambda inner: st.dictionaries(names, st.fixed_dictionaries({"layers": inner}) | layer, max_size=4),
    max_leaves=8,
)


@given(groups)
def test_written_layers_read_back(layers: dict[str, Any]) -> None:
    spec = {"archspec": 1, "name": "t", "layers": layers, "init": [{"op": "a", "weight": 0}]}
    assert same(by_text(read(Source("t.yaml", write(spec)))), as_read(spec))
