"""Pydantic models as JSON Schema (draft 7): fields described by their docstrings, expressions allowed in values."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from archspec.block import compact
from archspec.spec.docs import field_docs
from archspec.tensor import Sides

Schema = dict[str, Any]
EXPRESSION: Schema = {"$ref": "#/definitions/expression"}


def closed(properties: Schema, required: list[str], **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
        **more,
    }


def either(*forms: Schema) -> Schema:
    """One of some forms, or an expression."""
    flat = [part for form in forms for part in (form["anyOf"] if set(form) == {"anyOf"} else [form])]
    return {"anyOf": [*flat, EXPRESSION]}


def doc(cls: type) -> str:
    """A class's own docstring."""
    return inspect.cleandoc(cls.__doc__ or "")


def _docs(model: type[BaseModel]) -> dict[str, str]:
    """Field -> its docstring, inherited ones included."""
    return {name: text for cls in reversed(model.__mro__) for name, text in field_docs(cls).items()}


def fields(model: type[BaseModel], op: str = "", definitions: Schema | None = None) -> tuple[Schema, list[str]]:
    """Name -> form of a model's fields, described by their docstrings, and which must be given.

    An op's fields take expressions, at any depth.
    """
    made = model.model_json_schema(ref_template=f"#/definitions/{op}.{{model}}")
    if definitions is not None:
        for name, form in made.get("$defs", {}).items():
            definitions[f"{op}.{name}"] = or_expression(_draft7(form))
    docs = _docs(model)
    found = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        form = _draft7(made["properties"][key])
        form = {"anyOf": [form]} if "$ref" in form else form
        form.pop("default", None)
        if text := field.description or docs.get(name, ""):
            form["description"] = text
        if not field.is_required() and (default := _default(field.get_default())) is not None:
            form["default"] = default
        found[key] = or_expression(form) if op else form
    return found, made.get("required", [])


def _default(value: object) -> object:
    """A default as a spec would write it."""
    if isinstance(value, Sides):
        return 0 if value.is_zero else asdict(value)
    return compact(value) if isinstance(value, tuple) and len(value) == 2 else value


def _draft7(form: Any) -> Any:
    """What Pydantic writes, without titles, its tuples as draft 7 has them."""
    if isinstance(form, list):
        return [_draft7(part) for part in form]
    if not isinstance(form, dict):
        return form
    found = {key: _draft7(part) for key, part in form.items() if key != "title" or not isinstance(part, str)}
    if "prefixItems" in found:
        found["items"] = found.pop("prefixItems")
    return found


def or_expression(form: Schema) -> Schema:
    """A form in which every value may also be an expression; descriptions and defaults stay outside."""
    outer: Schema = {key: form[key] for key in ("description", "default") if key in form}
    inner = _with_expressions_inside({key: part for key, part in form.items() if key not in outer})
    return {**either(inner), **outer} if inner else outer


def _with_expressions_inside(form: Schema) -> Schema:
    found = dict(form)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in form:
            found[key] = [_with_expressions_inside(part) for part in form[key]]
    if isinstance(form.get("items"), list):
        found["items"] = [or_expression(part) for part in form["items"]]
    for key in ("items", "additionalProperties"):
        if isinstance(form.get(key), dict):
            found[key] = or_expression(form[key])
    if "properties" in form:
        found["properties"] = {name: or_expression(part) for name, part in form["properties"].items()}
    return found
