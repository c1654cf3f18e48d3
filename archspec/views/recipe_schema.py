"""The language of recipes as JSON Schema (draft 7), made from the parts that are installed, for editors.

Of a part with a known `op` every field is checked, and wherever a value stands `{assumed: VALUE, why: TEXT}` may. A
recipe that extends another may leave out sections, and ops and fields of mappings, which are joined into its parent's.
What depends on other places of a file is `archspec recipe validate`'s business.
"""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel

from archspec.length import Length
from archspec.part import Part
from archspec.recipe.document import VERSION, Recipe
from archspec.registry import RECIPE_PARTS
from archspec.views.model_schema import Schema, closed, doc, fields

EXTENDS = "The recipe that this one starts from: a file beside it, or a name from the zoo."
WHY: Schema = {"type": ["string", "number"], "minLength": 1, "description": "Why this value, and what is unsaid."}
APART = ("logger",)
"""Kinds of parts that are chosen on the command line."""
UNSAID = ("order", "schedule")
"""Sections that a recipe may leave out although they have no default of their own."""


def recipe_schema() -> Schema:
    """The schema of every recipe."""
    definitions: Schema = {}
    sections = _sections(definitions)
    for kind in RECIPE_PARTS:
        if kind not in APART:
            _add_kind(kind, definitions)
    needed = [name for name, field in Recipe.model_fields.items() if field.is_required() and name not in UNSAID]
    described = {name: {"description": form["description"]} for name, form in sections.items()}
    whole = {"properties": sections, "required": needed}
    child = {"properties": {name: _of_child(name, form) for name, form in sections.items()}, "required": ["name"]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "archspec: recipe",
        "type": "object",
        "properties": {"extends": {"type": "string", "description": EXTENDS}, **described},
        "additionalProperties": False,
        "required": ["recipe"],
        "if": {"required": ["extends"]},
        "then": child,
        "else": whole,
        "definitions": dict(sorted(definitions.items())),
    }


def _sections(definitions: Schema) -> Schema:
    """The forms of a recipe's sections; models that they hold are added to the definitions."""
    found, _ = _model(Recipe, definitions)
    found["recipe"] = {"const": VERSION, "description": found["recipe"]["description"]}
    for name, least in (("schedule", 1), ("mix", 0)):
        kind = {"$ref": f"#/definitions/{name}"}
        form = {"if": {"type": "array"}, "then": {"items": kind, "minItems": least}, "else": kind}
        found[name] = {**_or_assumed(form), "description": found[name]["description"]}
    select = {"if": {"type": "string"}, "then": {"const": "last"}, "else": _inner(found["select"])}
    found["select"] = {**_or_assumed(select), "description": found["select"]["description"]}
    definitions["Reported"]["additionalProperties"] = _or_assumed({"type": "number"})
    return found


def _inner(form: Schema) -> Schema:
    """The form of a field without mark, description and default."""
    inner: Schema = form["else"]
    return inner


def _or_assumed(form: Schema) -> Schema:
    """A form, or `{assumed: VALUE, why: TEXT}`; told apart first, so that mistakes are those of what is meant."""
    mark = closed({"assumed": form, "why": WHY}, ["assumed", "why"])
    return {"if": {"type": "object", "required": ["assumed"]}, "then": mark, "else": form}


def _marked(form: Schema) -> Schema:
    """A form in which every value may be assumed; descriptions and defaults stay outside."""
    outer: Schema = {key: form[key] for key in ("description", "default") if key in form}
    inner = _marked_inside({key: part for key, part in form.items() if key not in outer})
    return {**(_or_assumed(inner) if inner else {}), **outer}


def _marked_inside(form: Schema) -> Schema:
    found = dict(form)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in form:
            found[key] = [_marked_inside(part) for part in form[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(form.get(key), dict):
            found[key] = _marked(form[key])
    return found


def _model(model: type[BaseModel], definitions: Schema) -> tuple[Schema, list[str]]:
    """Name -> form of a model's fields, and which must be given; models that they hold are added to the definitions."""
    found, required = fields(model)
    for held in _models_in(typing.get_type_hints(model).values()):
        if not issubclass(held, Part) and held.__name__ not in definitions:
            definitions[held.__name__] = {}
            forms, needed = _model(held, definitions)
            definitions[held.__name__] = closed(forms, needed, description=doc(held))
    for form in found.values():
        if isinstance(form.get("default"), Length):
            form["default"] = str(form["default"])
    return {name: _marked(_named(form)) for name, form in found.items()}, required


def _models_in(hints: Any) -> list[type[BaseModel]]:
    found = []
    for hint in hints:
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            found.append(hint)
        found += _models_in(typing.get_args(hint))
    return found


KINDS = {base.__name__: base.kind for base in Part.__subclasses__() if base.kind}
"""Class of a kind's parts -> kind."""


def _named(form: Any) -> Any:
    """A form whose references are to our definitions: of parts by their kind, of other models by their class."""
    if isinstance(form, list):
        return [_named(part) for part in form]
    if not isinstance(form, dict):
        return form
    found = {key: _named(part) for key, part in form.items()}
    if isinstance(found.get("$ref"), str):
        name = found["$ref"].rpartition("/")[2].removeprefix(".")
        found["$ref"] = f"#/definitions/{KINDS.get(name, name)}"
    return found


def _add_kind(kind: str, definitions: Schema) -> None:
    """The parts of one kind: each op alone or with its fields, and the mapping that a child joins into one."""
    parts, known = RECIPE_PARTS[kind].working()[0], {}
    for op, part in parts.items():
        try:
            forms, required = _model(part, definitions)
        except Exception:  # a plugin's fields that no schema describes must not cost the others theirs
            if op in RECIPE_PARTS[kind].builtin:
                raise
            continue
        known[op] = {"const": op, "description": doc(part)}
        described = {"title": op, "description": doc(part)}
        definitions[f"{kind}.{op}"] = closed({"op": True, **forms}, ["op", *required], **described)
    bare = [form for op, form in known.items() if definitions[f"{kind}.{op}"]["required"] == ["op"]]
    by_op: list[Schema] = [
        {
            "if": {"properties": {"op": {"const": op}}, "required": ["op"]},
            "then": {"$ref": f"#/definitions/{kind}.{op}"},
        }
        for op in known
    ]
    mapping = {
        "type": "object",
        "properties": {"op": _or_assumed({"anyOf": list(known.values())})},
        "required": ["op"],
        "allOf": by_op,
    }
    alone: Schema = {"anyOf": bare} if bare else {"not": {}}
    definitions[kind] = {"if": {"type": "string"}, "then": alone, "else": mapping}
    names = {name for op in known for name in definitions[f"{kind}.{op}"]["properties"]} - {"op"}
    joined = {"type": "object", "propertyNames": {"enum": sorted(names)}}
    definitions[f"child.{kind}"] = {
        "if": {"type": "object", "not": {"required": ["op"]}},
        "then": joined,
        "else": {"$ref": f"#/definitions/{kind}"},
    }


def _of_child(name: str, form: Schema) -> Schema:
    """The form of a section in a recipe that extends another: a mapping may be a part of its parent's."""
    hint = typing.get_type_hints(Recipe)[name]
    held = _models_in([hint])
    if not held or name == "reported":
        return form
    cls = held[0]
    if not issubclass(cls, Part):
        own, _ = _model(cls, {})
        part = closed(own, [])
        inner = {**_inner(form), "else": part} if name == "select" else {"anyOf": [part, {"type": "null"}]}
        return {**_or_assumed(inner), "description": form["description"]}
    if typing.get_origin(hint) is list and name not in ("schedule", "mix"):
        return form
    found: Schema = _with_children(form, cls.kind)
    return found


def _with_children(form: Any, kind: str) -> Any:
    """A form in which a part, outside lists, may be what a child joins into its parent's."""
    if not isinstance(form, dict):
        return [_with_children(part, kind) for part in form] if isinstance(form, list) else form
    if form.get("$ref") == f"#/definitions/{kind}":
        return {"$ref": f"#/definitions/child.{kind}"}
    return {key: part if key == "items" else _with_children(part, kind) for key, part in form.items()}
