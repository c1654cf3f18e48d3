from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import ExpressionError
from archspec.spec.expression import MAX_MAGNITUDE, evaluate, is_expression, parse


class Known:
    """A scope of a few values."""

    values: ClassVar[dict[str, Any]] = {
        "n": 3,
        "x": 1.5,
        "yes": True,
        "kind": "B",
        "w": [8, 16],
        "by": {18: [2, 2], "A": 1},
    }

    def value(self, name: str) -> object:
        if name not in self.values:
            raise ExpressionError(f"there is no `{name}`")
        return self.values[name]

    def axis(self, path: str, axis: str) -> int:
        if (path, axis) == ("a.b-c", "height"):
            raise AssertionError("a `-` is minus in an expression")
        if (path, axis) not in {("input", "channels"), ("g.conv", "height")}:
            raise ExpressionError(f"there is no `{path}.{axis}`")
        return 64


def worked_out(body: str) -> object:
    return evaluate(f"={body}", Known())


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("1", 1),
        (" 1 ", 1),
        ("1.5", 1.5),
        ("1e-4", 1e-4),
        ("'a'", "a"),
        ('"a"', "a"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("[]", []),
        ("[1, 'a', [true]]", [1, "a", [True]]),
        ("n", 3),
        ("kind", "B"),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 3", 1),
        ("-7 % 3", 2),
        ("8 / 2", 4.0),
        ("7.5 // 2", 3.0),
        ("+n", 3),
        ("-n", -3),
        ("--n", 3),
        ("n * x", 4.5),
        ("n == 3", True),
        ("n != 3", False),
        ("n == 3.0", True),
        ("n < 4", True),
        ("n <= 3", True),
        ("n > 3", False),
        ("n >= 3", True),
        ("1 < n < 5", True),
        ("1 < n < 2 < nothing", False),
        ("kind == 'B'", True),
        ("kind != 'B'", False),
        ("kind < 'C'", True),
        ("kind == 3", False),
        ("null == null", True),
        ("w == [8, 16]", True),
        ("n in [1, 3]", True),
        ("n not in [1, 3]", False),
        ("kind in ['A', 'B']", True),
        ("18 in by", True),
        ("19 in by", False),
        ("yes and n > 2", True),
        ("false and nothing", False),
        ("yes or nothing", True),
        ("false or yes", True),
        ("not yes", False),
        ("not n == 2", True),
        ("1 if yes else nothing", 1),
        ("nothing if not yes else 2", 2),
        ("1 if n == 1 else 2 if n == 2 else 3", 3),
        ("w[0]", 8),
        ("w[-1]", 16),
        ("w[n - 2]", 16),
        ("by[18][1]", 2),
        ("by['A']", 1),
        ("[1, 2, 3][1]", 2),
        ("min(1, 2)", 1),
        ("max(1, 2.5, 2)", 2.5),
        ("min(w)", 8),
        ("max([3])", 3),
        ("int(3.9)", 3),
        ("int(-3.9)", -3),
        ("round(2.4)", 2),
        ("round(2.6)", 3),
        ("round(0.5)", 0),
        ("len(w)", 2),
        ("len(by)", 2),
        ("len([])", 0),
        ("abs(-2)", 2),
        ("input.channels", 64),
        ("g.conv.height // 2", 32),
        ("input.channels != 4 * n", True),
        ("9007199254740992", MAX_MAGNITUDE),
        ("-9007199254740992", -MAX_MAGNITUDE),
    ],
)
def test_values(body: str, value: object) -> None:
    found = worked_out(body)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "nothing follows `=`"),
        ("  ", "nothing follows `=`"),
        ("nothing", "there is no `nothing`"),
        ("1 +", "`1 \\+` is not an expression"),
        ("1 / 0", "division by zero in `1 / 0`"),
        ("n % (n - 3)", "division by zero"),
        ("kind + 'C'", "`\\+` takes numbers, found text"),
        ("n * yes", "`\\*` takes numbers, found true or false"),
        ("-kind", "`-` takes a number, found text"),
        ("not n", "`not` takes true or false, found a whole number"),
        ("n and yes", "`and` takes true or false, found a whole number"),
        ("yes and n", "`and` takes true or false, found a whole number"),
        ("1 if n else 2", "`if` takes true or false"),
        ("n < kind", "`<` compares a whole number with text"),
        ("w < w", "`<` compares a list with a list"),
        ("yes < false", "`<` compares true or false with true or false"),
        ("'a' in 'abc'", "`in` looks into a list, found text"),
        ("w in [w]", "`in` looks for one value, found a list"),
        ("w[2]", "index 2 is outside a list of 2"),
        ("w[-3]", "index -3 is outside"),
        ("w[yes]", "indexed by a whole number, found true or false"),
        ("w[1.0]", "indexed by a whole number, found a number"),
        ("by[19]", "there is no entry 19"),
        ("by[w]", "there is no entry"),
        ("n[0]", "only lists and mappings are indexed, found a whole number"),
        ("kind[0]", "only lists and mappings are indexed, found text"),
        ("input.batch", "there is no `input.batch`"),
        ("w[0].channels", "follows something that is no layer"),
        ("sum(w)", "there is no function `sum`"),
        ("w.index(8)", "there is no function `w.index`"),
        ("min()", "`min` takes"),
        ("max([])", "`max` takes"),
        ("max('a', 'b')", "`max` takes"),
        ("len(n)", "`len` takes one list, found a whole number"),
        ("len(kind)", "`len` takes one list, found text"),
        ("int('3')", "`int` takes one number, found text"),
        ("abs(yes)", "`abs` takes one number, found true or false"),
        ("round(1.5, 1)", "`round` takes one number"),
        ("min(1, 2, key=n)", "functions take no named arguments"),
        ("2 ** 3", "expressions have no powers"),
        ("9007199254740993", "larger than 9007199254740992"),
        ("9007199254740992 * 2", "larger than 9007199254740992"),
        ("1e308 * 1e308", "larger than"),
        ("1" + " + 1" * 100, "nested more than 50 deep"),
        ("1" * 1001, "has 1001 characters, at most 1000"),
        ("True", "`True` is not a value"),
        ("None", "`None` is not a value"),
        ("n is 3", "no identity tests"),
        ("[*w]", "no unpacking"),
        ("w[0:1]", "no slices"),
        ("f'{n}'", "no formatted text"),
    ],
)
def test_refused(body: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        worked_out(body)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("=nothing", 1),
        ("=  1 + kind", 7),
        ("=n // (n - 3)", 7),
        ("=[1, 2][n]", 8),
        ("=min(1, 2 ** 3)", 8),
    ],
)
def test_where_the_mistake_is(text: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, Known())
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("n > 1 && yes", "`and` instead of `&&`"),
        ("n > 1 || yes", "`or` instead of `||`"),
        ("!yes", "`not` instead of `!`"),
        ("yes ? 1 : 2", "a if condition else b"),
        ("maxx(1, 2)", "did you mean `max`"),
        ("True", "write true"),
        ("None", "write null"),
        ("2 ** 2", "multiply"),
        ("(1, 2)", "use a list"),
        ("kind + 'a'", "text only compares"),
    ],
)
def test_hints(body: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        worked_out(body)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "yes"), [("=1", True), ("=", True), (" =1", False), ("a=1", False), (1, False), (None, False)]
)
def test_is_expression(text: object, yes: bool) -> None:
    assert is_expression(text) is yes


def test_equal_texts_are_parsed_once() -> None:
    assert parse("=n + 1") is parse("=n + 1")


numbers = st.integers(-1000, 1000)
arithmetic = st.recursive(
    numbers.map(lambda n: f"({n})"),
    lambda inner: (
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(["+", "-", "*"]), inner)
        | st.builds(lambda a, b: f"min({a}, {b})", inner, inner)
    ),
    max_leaves=5,
)


@given(arithmetic)
def test_arithmetic_is_pythons(body: str) -> None:
    assert worked_out(body) == eval(body, {"__builtins__": {}, "min": min})


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_an_expression_error(body: str) -> None:
    try:
        found = worked_out(body)
    except ExpressionError as error:
        assert str(error)
    else:
        assert found is None or isinstance(found, bool | int | float | str | list | dict)


@given(st.text("()[]{}'\"+-*/%<>=!&|^~.,:;@#\\ \n0123456789abefijklmnorstuwxy_", max_size=40))
def test_texts_like_expressions_too(body: str) -> None:
    try:
        assert worked_out(body) is not ...
    except ExpressionError as error:
        assert error.offset >= 0
