"""The expressions of a spec: what follows `=`.

Arithmetic, comparison, boolean and conditional forms, `in`, a few functions, numbers, strings, lists and indexing.
The text is parsed by Python's own parser; the tree is walked here and nothing is ever executed: a node that is
not listed is an error. Text only compares; length, depth and magnitude are capped.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from archspec.errors import ExpressionError, did_you_mean

MAX_LENGTH = 1000
MAX_DEPTH = 50
MAX_MAGNITUDE = 2**53

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "int": int,
    "round": round,
    "len": len,
    "abs": abs,
}
LITERALS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
REPEAT_NAMES = ("index", "first", "last", "count")


class Names(Protocol):
    """Where an expression finds what it names."""

    def value(self, name: str) -> object:
        """The value of a param, `let` or repeat name. Errors: ExpressionError if there is none"""

    def axis(self, path: str, axis: str) -> int:
        """One axis of the shape of an input or earlier layer. Errors: ExpressionError if there is none"""


def is_expression(text: object) -> bool:
    return isinstance(text, str) and text.startswith("=")


def evaluate(text: str, names: Names) -> object:
    """The value of an expression, given with its `=`. Errors: ExpressionError"""
    return _Walk(names, len(text) - len(text[1:].lstrip())).visit(parse(text))


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The tree of an expression, given with its `=`. Errors: ExpressionError if it is no expression"""
    body = text[1:].strip()
    if len(body) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(body)} characters, at most {MAX_LENGTH} are allowed")
    if not body:
        raise ExpressionError("nothing follows `=`", "write an expression, or quote the text in a description")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(body, mode="eval").body
    except SyntaxError as error:
        offset = min(max((error.offset or 1) - 1, 0), len(body))
        raise ExpressionError(
            f"`{' '.join(body.split())[:60]}` is not an expression", _syntax_hint(body), offset + 1
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError("the expression is nested too deep, or has a number too long") from None


def _syntax_hint(body: str) -> str:
    for wrong, right in ("&&", "and"), ("||", "or"), ("?", "a if condition else b"), ("!", "not"):
        if wrong in body.replace("!=", ""):
            return f"write `{right}` instead of `{wrong}`"
    return "arithmetic, comparison, and/or/not, `a if c else b`, in, min max int round len abs, [lists], indexing"


OPERATORS: dict[type[ast.AST], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.UAdd: ("+", operator.pos),
    ast.USub: ("-", operator.neg),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.In: ("in", lambda a, b: a in b),
    ast.NotIn: ("not in", lambda a, b: a not in b),
}

REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Pow: ("powers", "multiply instead"),
    ast.MatMult: ("matrix products", ""),
    ast.JoinedStr: ("formatted text", ""),
    ast.Lambda: ("functions of their own", ""),
    ast.NamedExpr: ("assignments", "use `let`"),
    ast.Dict: ("mappings", "write the mapping in `let`"),
    ast.Set: ("sets", "use a list: [1, 2]"),
    ast.Tuple: ("tuples", "use a list: [1, 2]"),
    ast.ListComp: ("comprehensions", ""),
    ast.SetComp: ("comprehensions", ""),
    ast.DictComp: ("comprehensions", ""),
    ast.GeneratorExp: ("comprehensions", ""),
    ast.Slice: ("slices", "index one item: list[0]"),
    ast.Starred: ("unpacking", ""),
    ast.BitAnd: ("bit operations", "use `and`"),
    ast.BitOr: ("bit operations", "use `or`"),
    ast.BitXor: ("bit operations", ""),
    ast.Invert: ("bit operations", "use `not`"),
    ast.LShift: ("shifts", "use `*`"),
    ast.RShift: ("shifts", "use `//`"),
    ast.Is: ("identity tests", "use `==`"),
    ast.IsNot: ("identity tests", "use `!=`"),
    ast.Await: ("await", ""),
    ast.Yield: ("yield", ""),
}


def kind(value: object) -> str:
    """The type of a value in the words of specs."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "a mapping")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass
class _Walk:
    """Works out one tree; `offset` is where its text begins after the `=`."""

    names: Names
    offset: int = 1
    depth: int = 0

    def visit(self, node: ast.expr) -> Any:
        if self.depth >= MAX_DEPTH:
            raise self._error(node, f"the expression is nested more than {MAX_DEPTH} deep")
        self.depth += 1
        value = self._work_out(node)
        self.depth -= 1
        return value

    def _work_out(self, node: ast.expr) -> Any:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._refused(node, node)
        value = method(node)
        if _is_number(value) and not abs(value) <= MAX_MAGNITUDE:
            raise self._error(node, f"the result is larger than {MAX_MAGNITUDE}")
        return value

    def _error(self, node: ast.expr, message: str, hint: str = "") -> ExpressionError:
        return ExpressionError(message, hint, self.offset + node.col_offset)

    def _refused(self, what: ast.AST, node: ast.expr) -> ExpressionError:
        name, hint = REFUSED.get(type(what), (f"{type(what).__name__} forms", ""))
        return self._error(node, f"expressions have no {name}", hint)

    def _constant(self, node: ast.Constant) -> object:
        if type(node.value) in (int, float, str):
            return node.value
        found = ast.unparse(node)
        right = {"True": "true", "False": "false", "None": "null"}.get(found)
        raise self._error(node, f"`{found}` is not a value of expressions", f"write {right}" if right else "")

    def _name(self, node: ast.Name) -> object:
        if node.id in LITERALS:
            return LITERALS[node.id]
        try:
            return self.names.value(node.id)
        except ExpressionError as error:
            raise self._error(node, error.message, error.hint) from None

    def _attribute(self, node: ast.Attribute) -> int:
        path, at = [], node.value
        while isinstance(at, ast.Attribute):
            path.append(at.attr)
            at = at.value
        if not isinstance(at, ast.Name):
            raise self._error(node, f"`.{node.attr}` follows something that is no layer", "write NAME.channels")
        path.append(at.id)
        try:
            return self.names.axis(".".join(reversed(path)), node.attr)
        except ExpressionError as error:
            raise self._error(node, error.message, error.hint) from None

    def _list(self, node: ast.List) -> list[object]:
        return [self.visit(item) for item in node.elts]

    def _subscript(self, node: ast.Subscript) -> object:
        holder, key = self.visit(node.value), self.visit(node.slice)
        if isinstance(holder, list):
            if not isinstance(key, int) or isinstance(key, bool):
                raise self._error(node.slice, f"a list is indexed by a whole number, found {kind(key)}")
            if not -len(holder) <= key < len(holder):
                raise self._error(node.slice, f"index {key} is outside a list of {len(holder)}")
            return holder[key]
        if isinstance(holder, dict):
            if isinstance(key, list | dict) or key not in holder:
                known = ", ".join(map(str, holder))
                raise self._error(node.slice, f"there is no entry {key!r}", f"there are: {known}")
            return holder[key]
        raise self._error(node, f"only lists and mappings are indexed, found {kind(holder)}")

    def _binop(self, node: ast.BinOp) -> object:
        if type(node.op) not in OPERATORS:
            raise self._refused(node.op, node)
        sign, function = OPERATORS[type(node.op)]
        left, right = self.visit(node.left), self.visit(node.right)
        for value, at in (left, node.left), (right, node.right):
            if not _is_number(value):
                hint = "text only compares" if isinstance(value, str) else ""
                raise self._error(at, f"`{sign}` takes numbers, found {kind(value)}", hint)
        try:
            return function(left, right)
        except ZeroDivisionError:
            raise self._error(node.right, f"division by zero in `{ast.unparse(node)}`") from None
        except OverflowError:
            raise self._error(node, f"the result is larger than {MAX_MAGNITUDE}") from None

    def _unaryop(self, node: ast.UnaryOp) -> object:
        value = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return not self._truth(value, node.operand, "not")
        if type(node.op) not in OPERATORS:
            raise self._refused(node.op, node)
        sign, function = OPERATORS[type(node.op)]
        if not _is_number(value):
            raise self._error(node.operand, f"`{sign}` takes a number, found {kind(value)}")
        return function(value)

    def _truth(self, value: object, node: ast.expr, what: str) -> bool:
        if not isinstance(value, bool):
            raise self._error(node, f"`{what}` takes true or false, found {kind(value)}", "compare it with something")
        return value

    def _boolop(self, node: ast.BoolOp) -> bool:
        word, stop = ("and", False) if isinstance(node.op, ast.And) else ("or", True)
        for item in node.values:
            if self._truth(self.visit(item), item, word) is stop:
                return stop
        return not stop

    def _ifexp(self, node: ast.IfExp) -> object:
        return self.visit(node.body if self._truth(self.visit(node.test), node.test, "if") else node.orelse)

    def _compare(self, node: ast.Compare) -> bool:
        left = self.visit(node.left)
        for op, at in zip(node.ops, node.comparators, strict=True):
            if type(op) not in OPERATORS:
                raise self._refused(op, node)
            right = self.visit(at)
            if not self._compares(op, left, right, at):
                return False
            left = right
        return True

    def _compares(self, op: ast.cmpop, left: object, right: object, at: ast.expr) -> bool:
        sign, function = OPERATORS[type(op)]
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, list | dict):
                raise self._error(at, f"`{sign}` looks into a list, found {kind(right)}")
            if isinstance(left, list | dict):
                raise self._error(at, f"`{sign}` looks for one value, found {kind(left)}")
        elif not isinstance(op, ast.Eq | ast.NotEq):
            alike = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
            if not alike:
                raise self._error(at, f"`{sign}` compares {kind(left)} with {kind(right)}")
        return bool(function(left, right))

    def _call(self, node: ast.Call) -> object:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            hint = did_you_mean(name, FUNCTIONS, "functions") if name else f"functions: {', '.join(FUNCTIONS)}"
            raise self._error(node, f"there is no function `{ast.unparse(node.func)}`", hint)
        if node.keywords:
            raise self._error(node, "functions take no named arguments")
        arguments = [self.visit(argument) for argument in node.args]
        if not self._fits(name, arguments):
            several = "two or more numbers, or a list of them"
            takes = {"len": "one list", "min": several, "max": several}.get(name, "one number")
            found = ", ".join(map(kind, arguments)) or "nothing"
            raise self._error(node, f"`{name}` takes {takes}, found {found}")
        return FUNCTIONS[name](*arguments)

    def _fits(self, name: str, arguments: list[object]) -> bool:
        if name == "len":
            return len(arguments) == 1 and isinstance(arguments[0], list | dict)
        if name in ("min", "max"):
            if len(arguments) == 1:
                items = arguments[0]
                return isinstance(items, list) and bool(items) and all(map(_is_number, items))
            return len(arguments) > 1 and all(map(_is_number, arguments))
        return len(arguments) == 1 and _is_number(arguments[0])
