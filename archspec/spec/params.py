"""The params of a spec or a block: what they accept, and giving them values."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from archspec.errors import Position, Problem, Source, did_you_mean
from archspec.spec.reader import Mapping, Scalar, Value, plain, read, shown
from archspec.spec.validation import validated

UNKNOWN = object()
"""The value of a param whose mistakes are already told."""

TYPES = ("int", "float", "bool", "str", "list", "any")


class ParamForm(BaseModel):
    """The long form of a param."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)
    type: str | None = None
    """One of int, float, bool, str, list, any; unsaid, that of the default."""
    default: object = None
    """The value where none is given; unsaid, one must be given."""
    choices: list[object] | None = None
    """The only values allowed."""
    min: float | None = None
    """The smallest value allowed."""
    max: float | None = None
    """The largest value allowed."""
    doc: str = ""
    """What it is for."""


@dataclass(frozen=True, slots=True)
class Param:
    """One param: its type, default and limits."""

    name: str
    position: Position
    type: str
    required: bool
    default: object = None
    choices: tuple[object, ...] | None = None
    least: float | None = None
    most: float | None = None
    doc: str = ""
    default_position: Position | None = None
    """Where the default is written."""
    broken: bool = False
    """Whether its mistakes are already told, so that nothing more can be said of its value."""

    def refusal(self, value: object) -> str:
        """Why a value is not allowed, or nothing."""
        if not has_type(value, self.type):
            return f"`{self.name}` must be {TYPE_WORDS[self.type]}, found {shown(value)}"
        if self.choices is not None and value not in self.choices:
            return f"`{self.name}` must be one of {', '.join(map(shown, self.choices))}, found {shown(value)}"
        if self.least is not None and isinstance(value, int | float) and value < self.least:
            return f"`{self.name}` must be at least {self.least:g}, found {shown(value)}"
        if self.most is not None and isinstance(value, int | float) and value > self.most:
            return f"`{self.name}` must be at most {self.most:g}, found {shown(value)}"
        return ""


TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "any": "anything",
}


def has_type(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name in ("bool", "any")
    accepted: dict[str, type | tuple[type, ...]] = {
        "int": int,
        "float": (int, float),
        "bool": bool,
        "str": str,
        "list": list,
        "any": object,
    }
    return isinstance(value, accepted[name])


def type_of(value: object) -> str:
    for name in ("bool", "int", "float", "str", "list"):
        if has_type(value, name):
            return name
    return "any"


def parse_param(key: Scalar, value: Value, problems: list[Problem]) -> Param:
    """One entry of `params`: a default, a bare type, or the long form."""
    name = key.text
    if not isinstance(value, Mapping):
        data = plain(value)
        if _is_expression(data, value.position, problems):
            return Param(name, key.position, "any", required=True, broken=True)
        if isinstance(value, Scalar) and value.plain and data in TYPES:
            return Param(name, key.position, str(data), required=True)
        return Param(name, key.position, type_of(data), False, data, default_position=value.position)
    form = validated(ParamForm, plain(value), value.entries, value.position, f"param `{name}`", problems)
    if form is None:
        return Param(name, key.position, "any", required=True, broken=True)
    required = "default" not in value.entries
    if _is_expression(form.default, value.position, problems):
        return Param(name, key.position, "any", required=True, broken=True)
    if form.type is not None and form.type not in TYPES:
        hint = did_you_mean(form.type, TYPES, "types")
        at = value.entries["type"][1].position
        problems.append(Problem("bad-param", f"`{form.type}` is no type of params", at, hint=hint))
        return Param(name, key.position, "any", required=True, broken=True)
    kind = form.type or (type_of(form.default) if not required else type_of(form.choices[0]) if form.choices else "any")
    choices = tuple(form.choices) if form.choices is not None else None
    set_at = None if required else value.entries["default"][1].position
    param = Param(name, key.position, kind, required, form.default, choices, form.min, form.max, form.doc, set_at)
    if not required and (refusal := param.refusal(form.default)):
        problems.append(Problem("bad-param", f"default: {refusal}", value.entries["default"][1].position))
        return replace(param, broken=True)
    return param


def _is_expression(default: object, position: Position, problems: list[Problem]) -> bool:
    if not (isinstance(default, str) and default.startswith("=")):
        return False
    message, hint = "the default of a param cannot be an expression", "what follows from other params goes into `let`"
    problems.append(Problem("bad-param", message, position, hint=hint))
    return True


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as typed on a command line, read as YAML or, for a text param, as it stands."""

    text: str

    def data(self, param: Param) -> object:
        """Errors: SpecError if the text is not YAML"""
        if param.type == "str":
            return self.text
        if not self.text.strip():
            return None
        return plain(read(Source(f"--set {param.name}", self.text)))


def _as_yaml(given: object) -> object:
    """A value from Python as a spec has it: tuples are lists, and whole numbers of other libraries whole numbers."""
    if isinstance(given, tuple):
        return [_as_yaml(item) for item in given]
    if not isinstance(given, bool | int) and hasattr(given, "__index__"):
        return operator.index(given)
    return given


def bind(params: dict[str, Param], settings: dict[str, object], problems: list[Problem]) -> dict[str, object]:
    """Values of a spec's params: those given from outside, else the defaults."""
    for name in settings.keys() - params.keys():
        hint = did_you_mean(name, params, "params") or "this spec has no params"
        problems.append(Problem("unknown-param", f"there is no param `{name}` to set", hint=hint))
    values = {}
    for name, param in params.items():
        if name in settings:
            given = settings[name]
            data = given.data(param) if isinstance(given, Setting) else _as_yaml(given)
            if refusal := param.refusal(data):
                problems.append(Problem("bad-param", refusal, hint=param.doc))
            values[name] = UNKNOWN if refusal or param.broken else data
        elif param.broken:
            values[name] = UNKNOWN
        elif param.required:
            values[name] = UNKNOWN
            hint = f"set it: --set {name}=..., or set={{{name!r}: ...}} in Python"
            problems.append(Problem("missing-param", f"param `{name}` has no default", param.position, hint=hint))
        else:
            values[name] = param.default
    return values
