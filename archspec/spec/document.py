"""A spec as it is written: its sections as typed objects, nothing worked out yet.

Sections with fixed keys are checked here; expressions, references and shapes are the graph's business.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.errors import Position, Problem, SpecError, did_you_mean
from archspec.spec.expression import FUNCTIONS, LITERALS, REPEAT_NAMES
from archspec.spec.params import Param, parse_param
from archspec.spec.reader import Mapping, Scalar, Sequence, Value, plain, shown

VERSION = 1
RESERVED = ("op", "layers", "from", "repeat", "when", "else", "place", "shares")
"""Keys of a layer that are not fields of its block."""
SECTIONS = [
    "archspec",
    "name",
    "description",
    "paper",
    "extends",
    "use",
    "params",
    "let",
    "check",
    "inputs",
    "blocks",
    "layers",
    "outputs",
    "init",
    "expect",
    "edit",
    "requires",
]
EXAMPLES = {
    "inputs": "for example inputs: {image: [3, 224, 224]}",
    "outputs": "for example outputs: {logits: LAYER}",
    "params": "for example params: {classes: 1000}",
}
"""What to write where a section is not a mapping."""
LIBRARY_SECTIONS = ("archspec", "description", "paper", "requires", "use", "blocks")
BLOCK_SECTIONS = ("description", "params", "let", "check", "inputs", "layers")

NAME = re.compile(r"[A-Za-z0-9_-]+")
REFERENCE = re.compile(r"\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
SPEC_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
CODE_NAMES = frozenset({"self", "torch", "nn", "F"})
"""Names an input cannot have: the emitted forward, whose arguments the inputs are, uses them."""
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

MODULE_NAMES = frozenset(
    [
        "T_destination",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "input",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "optimized",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    ]
)
"""Names a layer cannot have: they are attributes of every torch module, or of every network that is built."""


@dataclass(slots=True)
class Repeat:
    """How often a layer is repeated: `count` copies as children, or `flat` beside each other from `start`."""

    count: Value
    flat: bool = False
    start: Value | None = None


@dataclass(slots=True)
class Layer:
    """A layer as written: an op with fields, an inline group of layers, or an earlier layer applied again."""

    name: str
    position: Position
    op: Scalar | None = None
    layers: Layers | None = None
    shares: Scalar | None = None
    """The earlier layer that it applies again, with the same parameters."""
    inputs: list[Scalar] | None = None
    """What `from` names."""
    repeat: Repeat | None = None
    when: Value | None = None
    otherwise: Scalar | None = None
    """What `else` names."""
    place: Value | None = None
    """Which of the devices given at build time it runs on; unsaid, its group's."""
    fields: dict[str, tuple[Scalar, Value]] = field(default_factory=dict)
    broken: bool = False
    """Whether its mistakes are already told, so that nothing more can be said of it."""


@dataclass(slots=True)
class Layers:
    """The layers of a spec, block or group, in order; `listed` ones have no names to refer to."""

    items: list[Layer]
    listed: bool = False


@dataclass(slots=True)
class Check:
    """A guard: an expression that must be true, and what to say if it is not."""

    that: Scalar
    say: str


@dataclass(slots=True)
class BlockDefinition:
    """A block written in YAML."""

    name: str
    position: Position
    params: dict[str, Param]
    let: dict[str, tuple[Scalar, Value]]
    checks: list[Check]
    inputs: list[str]
    layers: Layers
    description: str = ""


@dataclass(slots=True, repr=False)
class Spec:
    """A spec, with everything it extends and uses already joined."""

    name: str
    position: Position
    description: str
    paper: str
    params: dict[str, Param]
    let: dict[str, tuple[Scalar, Value]]
    checks: list[Check]
    inputs: dict[str, tuple[Scalar, Value]]
    blocks: dict[str, BlockDefinition]
    layers: Layers
    outputs: dict[str, tuple[Scalar, Value]]
    outputs_at: Position | None
    """Where the section stands."""
    init: list[Value]
    expect: list[Value]
    problems: list[Problem]
    """Mistakes of form; the graph adds its own, so that all are told at once."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Values given to params from outside."""
    sizes: dict[str, Any] = field(default_factory=dict)
    """Sizes given to inputs from outside."""
    removed: dict[str, Position] = field(default_factory=dict)
    """Names of layers that an `edit` removed, and where it stands."""

    def __repr__(self) -> str:
        return f"Spec({self.name}, from {self.position.source.name})"


def parse_spec(root: Mapping, problems: list[Problem]) -> Spec:
    """The typed form of a joined spec. Problems are added; what they concern is left out."""
    return _Parser(problems).spec(root)


def parse_blocks(blocks: Value | None, problems: list[Problem]) -> dict[str, BlockDefinition]:
    return _Parser(problems).blocks(blocks)


def check_header(root: Value, sections: tuple[str, ...] | list[str], what: str, problems: list[Problem]) -> Mapping:
    """A file's mapping, its version and its keys. Errors: SpecError if nothing more can be said of the file."""
    if not isinstance(root, Mapping):
        message = f"{what} is a mapping of sections, found {'a list' if isinstance(root, Sequence) else 'text'}"
        raise SpecError([Problem("not-a-spec", message, root.position, hint="a spec begins with `archspec: 1`")])
    version = root.get("archspec")
    if version is None and "recipe" in root.entries:
        hint = "`archspec recipe validate` checks recipes"
        raise SpecError([Problem("not-a-spec", "this is a recipe, not a spec", root.position, hint=hint)])
    if version is None:
        message, hint = f"{what} must say `archspec: {VERSION}`", "it is the version of the language"
        problems.append(Problem("version", message, root.position, hint=hint))
    elif not isinstance(version, Scalar) or type(version.value) is not int or version.value != VERSION:
        found = shown(plain(version))
        message = f"this archspec reads version {VERSION} of the language, found {found}"
        problems.append(Problem("version", message, version.position))
    _refuse_unknown(root, sections, what, "sections", problems)
    return root


def _refuse_unknown(
    mapping: Mapping, known: tuple[str, ...] | list[str], what: str, listed: str, problems: list[Problem]
) -> None:
    for key, (scalar, _) in mapping.entries.items():
        if key not in known:
            hint = did_you_mean(key, known, listed)
            problems.append(Problem("unknown-key", f"{what} has no `{key}`", scalar.position, hint=hint))


def layer_name_refusal(name: str) -> tuple[str, str] | None:
    """Why a text cannot name a layer, with a hint; None where it can."""
    if name == "input":
        return "`input` cannot name a layer: it names what the spec or block reads", "for example `input_`"
    if not NAME.fullmatch(name):
        return f"{shown(name)} cannot name a layer", "letters, digits, `_`, `-`"
    if name in MODULE_NAMES or name.startswith("_"):
        message = f"`{name}` cannot name a layer: it is an attribute of every built module"
        return message, f"for example `{name.lstrip('_')}_`"
    if keyword.iskeyword(name):
        return f"`{name}` cannot name a layer: it is a word of Python's grammar", f"for example `{name}_`"
    return None


class _Parser:
    """Turns values into typed sections, adding a problem for each mistake."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def _add(self, slug: str, message: str, position: Position, hint: str = "") -> None:
        self.problems.append(Problem(slug, message, position, hint=hint))

    def spec(self, root: Mapping) -> Spec:
        incomplete = any(problem.slug in ("missing-file", "outside-folder") for problem in self.problems)
        for section in ("name", "inputs", "layers", "outputs"):
            if root.get(section) is None and not incomplete:
                hint = "name them: outputs: {logits: LAYER}" if section == "outputs" else ""
                self._add("missing-section", f"a spec needs `{section}`", root.position, hint)
        name = self._text(root, "name")
        if name and not SPEC_NAME.fullmatch(name):
            at = root.entries["name"][1].position
            hint = "lower case letters, digits, `.`, `_` and `-`, beginning with a letter or digit"
            self._add("bad-name", f"{shown(name)} cannot name a spec", at, hint)
        given = root.get("inputs")
        inputs = self._entries(given, "inputs", identifiers="input")
        if given is not None and not inputs and not isinstance(given, Sequence) and plain(given) in (None, {}):
            self._add("bad-section", "`inputs` names no input", given.position, EXAMPLES["inputs"])
        layers = root.get("layers")
        blocks = self.blocks(root.get("blocks"))
        params = self.params(root.get("params"))
        let = self._entries(root.get("let"), "let", identifiers="value")
        self._refuse_shared(params, let)
        for name in params.keys() & inputs.keys():
            self._add("duplicate-name", f"`{name}` is both a param and an input", params[name].position, "rename one")
        return Spec(
            name=name,
            position=root.position,
            description=self._text(root, "description"),
            paper=self._text(root, "paper"),
            params=params,
            let=let,
            checks=self.checks(root.get("check")),
            inputs=inputs,
            blocks=blocks,
            layers=self.layers(layers, list(inputs)) if layers is not None else Layers([]),
            outputs_at=self._outputs_at(root),
            outputs=self._entries(root.get("outputs"), "outputs", identifiers="output"),
            init=self._items(root.get("init"), "init"),
            expect=self._items(root.get("expect"), "expect"),
            problems=self.problems,
        )

    def _outputs_at(self, root: Mapping) -> Position | None:
        key, value = root.entries.get("outputs", (None, None))
        return key.position if key and isinstance(value, Mapping) else None

    def _text(self, root: Mapping, section: str) -> str:
        value = root.get(section)
        if value is None or (isinstance(value, Scalar) and value.value is None):
            return ""
        if not isinstance(value, Scalar):
            self._add("bad-section", f"`{section}` must be text", value.position)
            return ""
        return value.text

    def _items(self, value: Value | None, section: str) -> list[Value]:
        if value is None or (isinstance(value, Scalar) and value.value is None):
            return []
        if not isinstance(value, Sequence):
            self._add("bad-section", f"`{section}` must be a list", value.position, "begin each item with `- `")
            return []
        return value.items

    def _entries(self, value: Value | None, section: str, identifiers: str = "") -> dict[str, tuple[Scalar, Value]]:
        """A section's entries by name; `identifiers` says what their names are, where those must be identifiers."""
        if value is None or (isinstance(value, Scalar) and value.value is None):
            return {}
        if not isinstance(value, Mapping):
            hint = EXAMPLES.get(section, "write NAME: ...")
            self._add("bad-section", f"`{section}` must be a mapping of names", value.position, hint)
            return {}
        if identifiers:
            for key, _ in value.entries.values():
                self._check_identifier(key, identifiers)
        return value.entries

    def _check_identifier(self, key: Scalar, what: str) -> None:
        words = {*RESERVED, *FUNCTIONS, *LITERALS, *REPEAT_NAMES}
        taken = {"output": {"count", "index"}, "input": words | CODE_NAMES}.get(what, words | {"input"})
        if not IDENTIFIER.fullmatch(key.text) or keyword.iskeyword(key.text):
            hint = "letters, digits and `_`, beginning with a letter; no word of Python's grammar"
            self._add("bad-name", f"{shown(key.text)} cannot name {_article(what)}", key.position, hint)
        elif key.text in taken:
            message = f"`{key.text}` has a meaning of its own and cannot name {_article(what)}"
            self._add("bad-name", message, key.position, f"for example `{key.text}_`")

    def params(self, value: Value | None) -> dict[str, Param]:
        found = {}
        for name, (key, entry) in self._entries(value, "params", identifiers="param").items():
            found[name] = parse_param(key, entry, self.problems)
        return found

    def checks(self, value: Value | None) -> list[Check]:
        found = []
        for item in self._items(value, "check"):
            that = item.get("that") if isinstance(item, Mapping) else None
            say = item.get("say") if isinstance(item, Mapping) else None
            if not isinstance(that, Scalar) or not isinstance(say, Scalar) or item.size != 5:
                self._add("bad-check", "a check is {that: =EXPRESSION, say: TEXT}", item.position)
            else:
                found.append(Check(that, say.text))
        return found

    def blocks(self, value: Value | None) -> dict[str, BlockDefinition]:
        found = {}
        for name, (key, entry) in self._entries(value, "blocks").items():
            block = self._block(name, key, entry)
            if block is not None:
                found[name] = block
        return found

    def _block(self, name: str, key: Scalar, value: Value) -> BlockDefinition | None:
        if not NAME.fullmatch(name):
            hint = "letters, digits, `_` and `-`"
            self._add("bad-name", f"{shown(name)} cannot name a block", key.position, hint)
        if not isinstance(value, Mapping) or value.get("layers") is None:
            message = f"block `{name}` needs `layers`"
            self._add("bad-block", message, key.position, "a block is {params: ..., layers: ...}")
            return None
        _refuse_unknown(value, BLOCK_SECTIONS, f"block `{name}`", "sections", self.problems)
        inputs = self._block_inputs(value.get("inputs"))
        layers = value.get("layers")
        assert layers is not None
        params, let = self.params(value.get("params")), self._entries(value.get("let"), "let", identifiers="value")
        self._refuse_shared(params, let)
        return BlockDefinition(
            name,
            key.position,
            params,
            let,
            self.checks(value.get("check")),
            inputs,
            self.layers(layers, inputs),
            self._text(value, "description"),
        )

    def _refuse_shared(self, params: dict[str, Param], let: dict[str, tuple[Scalar, Value]]) -> None:
        for name in params.keys() & let.keys():
            self._add("duplicate-name", f"`{name}` is both a param and in `let`", let[name][0].position)

    def _block_inputs(self, value: Value | None) -> list[str]:
        names = [item for item in self._items(value, "inputs") if isinstance(item, Scalar)]
        for name in names:
            self._check_identifier(name, "input")
        for name in names:
            if [other.text for other in names].index(name.text) != names.index(name):
                self._add("duplicate-name", f"input `{name.text}` is named twice", name.position)
        return list(dict.fromkeys(name.text for name in names)) or ["input"]

    def layers(self, value: Value, inputs: list[str]) -> Layers:
        if isinstance(value, Sequence):
            items = [
                self._layer(Scalar(item.position, "", "", True), item, inputs, str(i))
                for i, item in enumerate(value.items)
            ]
            listed = True
        elif isinstance(value, Mapping):
            for key, _ in value.entries.values():
                self._check_name(key, inputs)
            items = [self._layer(key, entry, inputs, key.text) for key, entry in value.entries.values()]
            listed = False
        else:
            self._add("bad-section", "`layers` must be a mapping of names, or a list", value.position)
            return Layers([])
        if not items:
            self._add("empty-layers", "`layers` is empty", value.position)
        return Layers(items, listed)

    def _layer(self, key: Scalar, value: Value, inputs: list[str], called: str) -> Layer:
        layer = Layer(key.text, key.position)
        before = len(self.problems)
        if isinstance(value, Mapping):
            self._fill(layer, value, inputs)
        elif isinstance(value, Scalar) and isinstance(value.value, str) and value.text:
            layer.op = value
        else:
            found = "nothing" if isinstance(value, Scalar) and value.value is None else shown(plain(value))
            self._add("bad-layer", f"a layer is an op's name or a mapping, found {found}", value.position)
        for index in range(before, len(self.problems)):
            inner = self.problems[index]
            path = f"{called}.{inner.layer}" if inner.layer else called
            self.problems[index] = replace(inner, layer=path)
        nothing = layer.op is None and layer.layers is None and layer.shares is None
        layer.broken |= len(self.problems) > before and nothing
        return layer

    def _check_name(self, key: Scalar, inputs: list[str]) -> None:
        if refusal := layer_name_refusal(key.text):
            self._add("bad-name", refusal[0], key.position, refusal[1])
        elif key.text in inputs:
            self._add("duplicate-name", f"`{key.text}` is already the name of an input", key.position)

    def _fill(self, layer: Layer, value: Mapping, inputs: list[str]) -> None:
        op, group = value.get("op"), value.get("layers")
        if "shares" in value.entries:
            self._sharing(layer, value)
            return
        if (op is None) == (group is None):
            message = "a layer has either `op` or `layers`" + (", not both" if op else "; this one has neither")
            near = "" if op else next((key for key in value.entries if did_you_mean(key, ["op", "layers"])), "")
            self._add("bad-layer", message, layer.position, did_you_mean(near, ["op", "layers"]) if near else "")
            return
        for name, (key, entry) in value.entries.items():
            if name == "from":
                layer.inputs = self._references(entry)
            elif name == "repeat":
                layer.repeat = self._repeat(entry)
            elif name == "when":
                layer.when = entry
            elif name == "else":
                layer.otherwise = self._reference(entry, "else")
            elif name == "place":
                layer.place = entry
            elif name not in RESERVED:
                layer.fields[name] = (key, entry)
        if layer.otherwise is not None and layer.when is None and layer.repeat is None:
            self._add("bad-layer", "`else` stands without `when` or `repeat`", value.entries["else"][0].position)
        if group is not None:
            self._group(layer, group, inputs)
        elif isinstance(op, Scalar) and isinstance(op.value, str) and op.text:
            layer.op = op
        elif op is not None:
            self._add("bad-layer", f"`op` must name a block, found {shown(plain(op))}", op.position)

    def _sharing(self, layer: Layer, value: Mapping) -> None:
        """A layer that has no op of its own: what it says beside `shares` is where it reads, and when it is there."""
        for name, (key, entry) in value.entries.items():
            if name == "shares":
                layer.shares = self._reference(entry, "shares")
            elif name == "from":
                layer.inputs = self._references(entry)
            elif name == "when":
                layer.when = entry
            elif name == "else":
                layer.otherwise = self._reference(entry, "else")
            else:
                message = f"a layer that `shares` another has no `{name}`"
                self._add(
                    "bad-layer", message, key.position, "it is that layer again; `from`, `when`, `else` may be said"
                )
        layer.broken = layer.shares is None

    def _group(self, layer: Layer, group: Value, inputs: list[str]) -> None:
        for name, (key, _) in layer.fields.items():
            hint = did_you_mean(name, ("from", "when", "else")) or "make it a block to give it params"
            self._add("unknown-field", f"a group of layers has no field `{name}`", key.position, hint)
        layer.fields = {}
        if layer.repeat is not None:
            hint = "make it a block and repeat that, so that `input` is each copy's"
            self._add("repeat-group", "a group of layers does not repeat", layer.position, hint)
            layer.repeat = None
        if layer.inputs is not None and len(layer.inputs) != 1:
            message = f"a group of layers reads one value, found {len(layer.inputs)}"
            self._add("wrong-arity", message, layer.position, "make it a block with several `inputs`")
            layer.broken = True
        layer.layers = self.layers(group, inputs)

    def _references(self, value: Value) -> list[Scalar] | None:
        items = value.items if isinstance(value, Sequence) else [value]
        found = [self._reference(item, "from") for item in items]
        if not found:
            self._add("bad-reference", "`from` names nothing", value.position, "leave it out, or name a layer")
        return [item for item in found if item is not None] or None

    def _reference(self, value: Value, what: str) -> Scalar | None:
        if isinstance(value, Scalar) and (REFERENCE.fullmatch(value.text) or value.text.startswith("=")):
            return value
        self._add("bad-reference", f"`{what}` names a layer, found {shown(plain(value))}", value.position)
        return None

    def _repeat(self, value: Value) -> Repeat | None:
        if not isinstance(value, Mapping):
            return Repeat(value)
        _refuse_unknown(value, ("count", "flat", "start"), "`repeat`", "keys", self.problems)
        count, flat = value.get("count"), value.get("flat")
        if count is None:
            self._add("missing-field", "`repeat` needs `count`", value.position)
            return None
        if flat is not None and not isinstance(plain(flat), bool):
            self._add("bad-field", f"`flat` must be true or false, found {shown(plain(flat))}", flat.position)
        return Repeat(count, flat is not None and plain(flat) is True, value.get("start"))


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
