"""Data against a Pydantic model, with every mistake placed in the file and told in the words of specs."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from archspec.errors import Position, Problem, did_you_mean
from archspec.spec.reader import Mapping, Scalar, Sequence, Value, shown

Model = TypeVar("Model", bound=BaseModel)

EXPECTED: dict[str, str] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
FORMS = {*EXPECTED, "literal_error"}
"""Kinds of mistakes that say what else a value might be."""
LIMITS: dict[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def validated(
    model: type[Model],
    data: object,
    at: Dict[str, tuple[Scalar, Value]] | None,
    whole: Position,
    subject: str,
    problems: list[Problem],
    **context: Any,
) -> Model | None:
    """The model of some data, or None after adding problems.

    `at` gives the places of the data's entries, `whole` the place of the data itself, `subject` what it is called;
    `context` goes into the problems (layer, op, uses).
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        items = _one_for_each_value([_placed(item, data) for item in error.errors(include_url=False)])
        misspelt = {_near(item, model) for item in items if item["type"] == "extra_forbidden"}
        for item in items:
            if item["type"] != "missing" or item["loc"][0] not in misspelt:
                problems.append(_problem(item, model, at or {}, whole, subject, context))
    return None


def _placed(item: Any, data: object) -> dict[str, Any]:
    """A mistake with its path in the data alone: Pydantic also names the branches of unions and the like."""
    path: list[str | int] = []
    value = data
    for number, part in enumerate(item["loc"]):
        if isinstance(value, dict | list) and _has(value, part):
            value = value[part]
        elif item["type"] != "missing" or number < len(item["loc"]) - 1:
            continue
        path.append(part)
    return {**item, "loc": tuple(path)}


def _has(value: dict[Any, Any] | list[Any], part: Any) -> bool:
    return part in value if isinstance(value, dict) else isinstance(part, int) and part < len(value)


def _one_for_each_value(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mistakes of a union's branches as one: the branch that a value comes nearest to, or all that it may be."""
    by_place: dict[tuple[str | int, ...], list[dict[str, Any]]] = {}
    for item in items:
        by_place.setdefault(item["loc"], []).append(item)
    deeper = {loc[:length] for loc in by_place for length in range(len(loc))} - {()}
    found = []
    for loc, here in by_place.items():
        near = [item for item in here if item["type"] not in FORMS]
        if near:
            found += near
        elif loc not in deeper:
            found.append(here[0] if len(here) == 1 else {**here[0], "forms": [_form(item) for item in here]})
    return found


def _form(item: dict[str, Any]) -> str:
    """What a value must be, where its type or word is wrong."""
    return EXPECTED.get(item["type"]) or str(item["ctx"]["expected"]).replace("'", "")


def _near(item: Any, model: type[BaseModel]) -> str:
    """The field that an unknown one was most likely meant to be."""
    return did_you_mean(str(item["loc"][-1]), model.model_fields).removeprefix("did you mean `").removesuffix("`?")


def refuse_unknown_fields(
    model: type[BaseModel],
    data: Dict[str, object],
    at: Dict[str, tuple[Scalar, Value]],
    whole: Position,
    subject: str,
    problems: list[Problem],
    **context: Any,
) -> None:
    """Add a problem for each field that the model does not have, where the values cannot be checked yet."""
    for name in at:
        if name not in model.model_fields:
            item = {"type": "extra_forbidden", "loc": (name,), "input": data.get(name)}
            problems.append(_problem(item, model, at, whole, subject, context))


def _problem(
    item: Any,
    model: type[BaseModel],
    at: Dict[str, tuple[Scalar, Value]],
    whole: Position,
    subject: str,
    context: dict[str, Any],
) -> Problem:
    path = list(item["loc"])
    kind, name = item["type"], ".".join(map(str, path))
    if kind == "extra_forbidden":
        known = [field.alias or key for key, field in model.model_fields.items()]
        key = at[str(path[0])][0].position if path and str(path[0]) in at else whole
        keys = ["from", "repeat", "when", "else"] if "layer" in context else []
        hint = did_you_mean(str(path[-1]), [*known, *keys])
        hint = hint or (f"fields: {', '.join(known)}" if known else f"{subject} has no fields")
        return Problem("unknown-field", f"{subject} has no field `{name}`", key, hint=hint, **context)
    if kind == "missing":
        return Problem("missing-field", f"{subject} needs `{name}`", whole, hint=_doc(model, path), **context)
    what = f"`{name}`" if name else "it" if context else subject
    hint = _hint(item, kind, whole.source.what)
    return Problem("bad-field", _message(item, kind, what), place(at, path, whole), hint=hint, **context)


def _message(item: Any, kind: str, what: str) -> str:
    found = shown(item["input"])
    if "forms" in item:
        return f"{what} must be {_either(item['forms'])}, found {found}"
    if kind in EXPECTED:
        return f"{what} must be {EXPECTED[kind]}, found {found}"
    if kind in LIMITS:
        word, limit = LIMITS[kind]
        return f"{what} must be {word} {item['ctx'][limit]}, found {found}"
    if kind in ("too_short", "too_long"):
        word, limit = ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        count = item["ctx"][limit]
        return f"{what} must have {word} {count} {'entry' if count == 1 else 'entries'}, found {found}"
    if kind == "literal_error":
        return f"{what} must be {item['ctx']['expected'].replace(chr(39), '')}, found {found}"
    if kind == "value_error":
        return f"{what} must be {item['ctx']['error']}, found {found}"
    return f"{what}: {item['msg'][0].lower()}{item['msg'][1:]}, found {found}"


def _either(forms: list[str]) -> str:
    comma = "," if any(" or " in form for form in forms[:-1]) else ""
    return f"{', '.join(forms[:-1])}{comma} or {forms[-1]}"


def _hint(item: Any, kind: str, what: str) -> str:
    if kind == "literal_error" and isinstance(item["input"], str):
        choices = item["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return did_you_mean(item["input"], choices)
    if isinstance(item["input"], str) and kind == "bool_type" and item["input"].lower() in ("yes", "no", "on", "off"):
        return f"write true or false: in YAML 1.2 `{item['input']}` is text"
    if isinstance(item["input"], str) and kind in ("int_type", "float_type", "bool_type"):
        if item["input"].startswith("="):
            return "expressions are not taken here" if what == "spec" else f"a {what} has no expressions"
        if any(c.isalpha() for c in item["input"]):
            return "an expression begins with `=`" if what == "spec" else ""
        return "leave out the quotes"
    return ""


def _doc(model: type[BaseModel], path: list[Any]) -> str:
    """What a missing field is for, where the model says."""
    from archspec.spec.docs import field_docs

    return field_docs(model).get(str(path[0]), "") if path else ""


def place(at: Dict[str, tuple[Scalar, Value]], path: list[Any], whole: Position) -> Position:
    """The place of the value at a path, or of the nearest thing around it."""
    position, entries = whole, at
    value: Value | None = None
    for part in path:
        if isinstance(value, Sequence):
            value = value.items[part] if isinstance(part, int) and part < len(value.items) else None
        else:
            entries = value.entries if isinstance(value, Mapping) else entries if value is None else {}
            value = entries[str(part)][1] if str(part) in entries else None
        if value is None:
            break
        position = value.position
    return position
