"""Values -> parts -> a recipe, with every mistake in its place."""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel

from archspec.errors import PluginError, Problem, did_you_mean
from archspec.part import Part
from archspec.plugins import known_home
from archspec.recipe.check import check
from archspec.recipe.document import VERSION, Loaded, Recipe
from archspec.recipe.tree import Assumption, unmarked
from archspec.registry import RECIPE_PARTS
from archspec.spec.reader import Mapping, Scalar, Sequence, Value, plain, shown
from archspec.spec.validation import validated

Model = TypeVar("Model", bound=BaseModel)
BROKEN = object()
"""A value whose mistakes are already told."""


def parse_recipe(root: Mapping, problems: list[Problem]) -> Loaded | None:
    """The recipe of a joined file, or None after adding problems."""
    assumptions: list[Assumption] = []
    bare = unmarked(root, "", assumptions, problems)
    assert isinstance(bare, Mapping)
    bare = _completed(bare)
    before = len(problems)
    recipe = _model(Recipe, bare, "a recipe", problems)
    if recipe is None or len(problems) > before:
        return None
    check(recipe, bare, problems)
    return Loaded(recipe, root, tuple(assumptions))


def _completed(root: Mapping) -> Mapping:
    """A recipe in its long form: what is unsaid, and one phase as a list of phases."""
    entries = {name: entry for name, entry in root.entries.items() if name != "extends"}

    def default(section: str, op: str) -> None:
        if section not in entries:
            word = Scalar(root.position, section, section, True)
            entries[section] = (word, Scalar(root.position, op, op, True))

    default("order", "shuffle")
    default("schedule", "constant")
    for section in ("schedule", "mix"):
        if section in entries and not isinstance(entries[section][1], Sequence):
            key, value = entries[section]
            entries[section] = (key, Sequence(value.position, [value]))
    select = entries.get("select")
    if select and isinstance(select[1], Scalar) and select[1].value == "last":
        del entries["select"]
    return Mapping(root.position, entries, root.size)


def _model(cls: type[Model], value: Mapping, subject: str, problems: list[Problem]) -> Model | None:
    """A model of a mapping, whose parts are made first, each from the registry of its kind."""
    hints = typing.get_type_hints(cls)
    aliases = {field.alias or name: name for name, field in cls.model_fields.items()}
    data: dict[str, Any] = {}
    broken = False
    for name, (_, entry) in value.entries.items():
        if name == "op" and issubclass(cls, Part):
            continue
        found = _field(hints[aliases[name]], entry, name, problems) if name in aliases else plain(entry)
        broken = broken or found is BROKEN
        data[name] = found
    if not broken:
        at = {name: entry for name, entry in value.entries.items() if name != "op" or not issubclass(cls, Part)}
        return validated(cls, data, at, value.position, subject, problems)
    # What is broken is already told; the rest is checked as far as it goes.
    rest = {name: found for name, found in data.items() if found is not BROKEN}
    told: list[Problem] = []
    validated(cls, rest, dict(value.entries), value.position, subject, told)
    gone = data.keys() - rest.keys()
    problems += [p for p in told if p.slug != "missing-field" or not any(f"`{name}`" in p.message for name in gone)]
    return None


def _field(hint: Any, value: Value, name: str, problems: list[Problem]) -> Any:
    """What a field is given: parts and models made, everything else as plain data."""
    hint = _without_none(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Part):
        return _part(hint, value, name, problems)
    if isinstance(hint, type) and issubclass(hint, BaseModel) and isinstance(value, Mapping):
        made = _model(hint, value, f"`{name}`", problems)
        return BROKEN if made is None else made
    if origin is list and isinstance(value, Sequence) and _holds_models(arguments[0]):
        items = [_field(arguments[0], item, name, problems) for item in value.items]
        return BROKEN if any(item is BROKEN for item in items) else items
    if origin is dict and isinstance(value, Mapping) and _holds_models(arguments[1]):
        entries = {key: _field(arguments[1], item, key, problems) for key, (_, item) in value.entries.items()}
        return BROKEN if any(item is BROKEN for item in entries.values()) else entries
    return plain(value)


def _without_none(hint: Any) -> Any:
    """A hint without `| None`, and without what is annotated."""
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        models = [arg for arg in typing.get_args(hint) if _holds_models(arg)]
        return _without_none(models[0]) if models else hint
    return hint


def _holds_models(hint: Any) -> bool:
    if isinstance(hint, type):
        return issubclass(hint, BaseModel)
    return any(_holds_models(argument) for argument in typing.get_args(hint))


def _part(kind: type[Part], value: Value, name: str, problems: list[Problem]) -> Any:
    """The part that a value names: its op alone, or a mapping with `op`."""
    registry = RECIPE_PARTS[kind.kind]
    article = "an" if kind.kind[0] in "aeiou" else "a"
    op = value.get("op") if isinstance(value, Mapping) else value
    if not isinstance(op, Scalar) or not isinstance(op.value, str):
        found = "no `op`" if isinstance(value, Mapping) and op is None else shown(plain(op or value))
        message = f"`{name}` must be {article} {kind.kind}: its op, or {{op: ..., fields}}, found {found}"
        listed = did_you_mean("", registry, f"{kind.kind} ops")
        problems.append(Problem("bad-part", message, value.position, hint=listed))
        return BROKEN
    try:
        cls = registry[op.value]
    except KeyError:
        hint = known_home(kind.kind, op.value) or did_you_mean(op.value, registry, f"{kind.kind} ops")
        message = f"there is no {kind.kind} `{op.value}`"
        problems.append(Problem("unknown-op", message, op.position, hint=hint))
        return BROKEN
    except PluginError as error:
        problems.append(error.problem(op.position))
        return BROKEN
    fields = value if isinstance(value, Mapping) else Mapping(value.position, {})
    made = _model(cls, fields, op.value, problems)
    return BROKEN if made is None else made


def check_version(root: Value, what: str, problems: list[Problem]) -> Mapping:
    """A recipe's mapping. Errors: SpecError if nothing more can be said of the file"""
    from archspec.errors import SpecError

    if not isinstance(root, Mapping):
        found = "a list" if isinstance(root, Sequence) else "text"
        message = f"{what} is a mapping of sections, found {found}"
        raise SpecError([Problem("not-a-recipe", message, root.position, hint="a recipe begins with `recipe: 1`")])
    version = root.get("recipe")
    if version is None:
        message, hint = f"{what} must say `recipe: {VERSION}`", "it is the version of the language"
        if "archspec" in root.entries:
            message, hint = "this is a spec, not a recipe", f"{what} begins with `recipe: {VERSION}`"
        raise SpecError([Problem("not-a-recipe", message, root.position, hint=hint)])
    if not isinstance(version, Scalar) or type(version.value) is not int or version.value != VERSION:
        message = f"this archspec reads version {VERSION} of the language of recipes, found {shown(plain(version))}"
        raise SpecError([Problem("version", message, version.position)])
    return root
