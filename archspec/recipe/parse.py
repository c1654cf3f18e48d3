"""Values -> parts -> a recipe, with every mistake in its place."""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

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
    data, broken = _data(Recipe, bare, problems)
    recipe = _model_of(Recipe, data, bare, "a recipe", problems)
    if recipe is None:
        recipe, broken = _what_is_right(data, broken)
    before = len(problems)
    check(recipe, broken, bare, problems)
    return None if broken or len(problems) > before else Loaded(recipe, root, tuple(assumptions))


def _what_is_right(data: dict[str, Any], broken: set[str]) -> tuple[Recipe, set[str]]:
    """A recipe of the sections that are right by themselves, and the names of the others."""
    whole = {name: value for name, value in data.items() if name not in broken}
    try:
        Recipe.model_validate(whole)
    except ValidationError as error:
        broken = broken | {str(item["loc"][0]) for item in error.errors()}
    return Recipe.model_construct(**{name: value for name, value in whole.items() if name not in broken}), broken


def _completed(root: Mapping) -> Mapping:
    """A recipe in its long form: what is unsaid, and one phase as a list of phases."""
    entries = {name: entry for name, entry in root.entries.items() if name != "extends"}
    for section in ("order", "schedule", "mix", "select"):
        if section in entries and isinstance(entries[section][1], Scalar) and plain(entries[section][1]) is None:
            del entries[section]

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
    data, _ = _data(cls, value, problems)
    return _model_of(cls, data, value, subject, problems)


def _data(cls: type[BaseModel], value: Mapping, problems: list[Problem]) -> tuple[dict[str, Any], set[str]]:
    """What the fields of a model are given, and the names of those whose mistakes are already told."""
    hints = typing.get_type_hints(cls)
    aliases = {field.alias or name: name for name, field in cls.model_fields.items()}
    data: dict[str, Any] = {}
    for name, (_, entry) in value.entries.items():
        if name == "op" and issubclass(cls, Part):
            continue
        field = cls.model_fields.get(aliases.get(name, ""))
        if field is not None and isinstance(entry, Scalar) and entry.value is None and not field.is_required():
            continue  # as if it were not written: so a child can leave out what its parent has
        data[name] = plain(entry) if field is None else _field(hints[aliases[name]], entry, name, problems)
    return data, {name for name, found in data.items() if found is BROKEN}


def _model_of(
    cls: type[Model], data: dict[str, Any], value: Mapping, subject: str, problems: list[Problem]
) -> Model | None:
    """A model of data, or None; what is broken is already told, and the rest is checked as far as it goes."""
    rest = {name: found for name, found in data.items() if found is not BROKEN}
    told: list[Problem] = []
    made = validated(cls, rest, dict(value.entries), value.position, subject, told)
    gone = [f"{subject} needs `{name}`" for name in data.keys() - rest.keys()]
    problems += [problem for problem in told if problem.message not in gone]
    return made if len(rest) == len(data) else None


def _field(hint: Any, value: Value, name: str, problems: list[Problem]) -> Any:
    """What a field is given: parts and models made, everything else as plain data."""
    hint, is_open = _without_none(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Part):
        return _part(hint, value, name, problems)
    if isinstance(hint, type) and issubclass(hint, BaseModel) and isinstance(value, Mapping):
        made = _model(hint, value, f"`{name}`", problems)
        return BROKEN if made is None else made
    if isinstance(hint, type) and issubclass(hint, BaseModel) and not is_open:
        message = f"`{name}` must be a mapping, found {shown(plain(value))}"
        listed = f"fields: {', '.join(field.alias or key for key, field in hint.model_fields.items())}"
        problems.append(Problem("bad-field", message, value.position, hint=listed))
        return BROKEN
    if origin is list and isinstance(value, Sequence) and _holds_models(arguments[0]):
        items = [_field(arguments[0], item, name, problems) for item in value.items]
        return BROKEN if any(item is BROKEN for item in items) else items
    if origin is dict and isinstance(value, Mapping) and _holds_models(arguments[1]):
        entries = {
            key: _field(arguments[1], item, key, problems)
            for key, (_, item) in value.entries.items()
            if not (isinstance(item, Scalar) and item.value is None)  # so is taken away what a parent says
        }
        return BROKEN if any(item is BROKEN for item in entries.values()) else entries
    if origin is dict and isinstance(value, Mapping):
        return {key: data for key, (_, item) in value.entries.items() if (data := plain(item)) is not None}
    return plain(value)


def _without_none(hint: Any) -> tuple[Any, bool]:
    """A hint without `| None`, a union as the model in it, and whether it may be something else than that too."""
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    forms = [form for form in typing.get_args(hint) if form is not type(None)]
    models = [form for form in forms if _holds_models(form)]
    return (_without_none(models[0])[0], len(forms) > 1) if models else (hint, True)


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
