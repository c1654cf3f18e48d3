"""The spec language as JSON Schema (draft 7), made from the installed blocks, for editors.

Of a layer with a known `op` every field is checked. An op that is not installed may be a block of the spec or of a
library, so its fields are open; the schema of one spec knows those blocks too and refuses every other op.
What depends on other places of a file (references, expressions, shapes) is `archspec validate`'s business.
"""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Iterable
from typing import Any

from archspec.block import Block
from archspec.errors import Problem
from archspec.graph.check import OutputForm
from archspec.graph.expectations import Expectation
from archspec.initializers import INITIALIZERS
from archspec.registry import BLOCKS
from archspec.spec.document import (
    BLOCK_SECTIONS,
    CODE_NAMES,
    IDENTIFIER,
    LIBRARY_SECTIONS,
    MODULE_NAMES,
    NAME,
    REFERENCE,
    RESERVED,
    SECTIONS,
    SPEC_NAME,
    VERSION,
    BlockDefinition,
    Spec,
)
from archspec.spec.expression import FUNCTIONS, LITERALS, REPEAT_NAMES
from archspec.spec.params import TYPES, Param, ParamForm
from archspec.tensor import BY_AXES, SHAPES
from archspec.views.model_schema import EXPRESSION, Schema, closed, doc, either, fields, or_expression

DOCS = {
    "archspec": "Version of the language.",
    "name": "Name of the spec: lower case letters, digits, `.`, `_` and `-`, beginning with a letter or digit.",
    "description": "What it is, for people.",
    "paper": "The paper it comes from, with figure or table.",
    "extends": "The spec that this one starts from: a file beside it, or a name from the zoo.",
    "use": "Library files whose blocks are used here.",
    "params": "Values that can be set from outside, each by a default, a bare type, or {type, default, choices, ...}.",
    "let": "Values that are worked out; they may use params and each other.",
    "check": "Conditions on params: {that: =EXPRESSION, say: TEXT}.",
    "inputs": "What the network reads: [channels, height, width] or [features] by name.",
    "blocks": "Blocks of this file: pieces of network with params of their own, used as an `op`.",
    "layers": "The layers, in order; each reads the one before it unless `from` says otherwise.",
    "outputs": "What the network gives, each the name of a layer or {from, training_only, loss_weight}.",
    "init": "First values of parameters; of the rules that match, the first that names the parameter counts.",
    "expect": "The numbers this spec promises of itself, most often the paper's; `archspec validate` checks them.",
    "edit": "Changes to what `extends` brings, in order.",
    "requires": "Plugin distributions that this spec needs.",
    "op": "The block that this layer is: built in, or one of the spec's own.",
    "from": "What the layer reads: an earlier layer or an input, a path into one, or a list of them.",
    "repeat": "How many copies to chain, each reading the one before it.",
    "when": "Whether the layer is there at all.",
    "else": "What its name stands for where the layer is left out.",
    "place": "The device, by number, that runs this layer and what is inside it.",
    "shares": "The earlier layer that is applied here again, with the same parameters.",
    "inputs of a block": "Names of what the block reads; unsaid, one value called `input`.",
}
"""What each word of the language is, for those that no Pydantic model describes."""

TEXT: Schema = {"type": ["string", "number"]}
MAYBE_TEXT: Schema = {"type": ["string", "number", "null"]}
OWN = "A block of this spec."
REFERENCE_TO = {"$ref": "#/definitions/reference"}
LAYER = {"$ref": "#/definitions/layer"}
LAYERS = {"$ref": "#/definitions/layers"}
TYPE_NAMES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "list": "array"}


def schema(spec: Spec | None = None) -> Schema:
    """The schema of every spec and library of blocks, or of one, in which only known ops are left."""
    blocks, _ = BLOCKS.working()
    own = spec.blocks if spec else {}
    definitions: Schema = {}
    for op, block in list(blocks.items()):
        try:
            definitions[op_key(op)] = _block_layer(op, block, definitions)
        except Exception:  # a plugin's fields that no schema describes must not cost the others theirs
            if op in BLOCKS.builtin:
                raise
            del blocks[op]
    for op, definition in own.items():
        definitions[op_key(op)] = _local_layer(definition)
    about = {op: doc(block) for op, block in blocks.items()}
    about |= {op: definition.description or OWN for op, definition in own.items()}
    needy = [op for op in about if "required" in definitions[op_key(op)]]
    definitions |= _language(about, needy, is_closed=spec is not None)
    definitions["expectation"] = _expectation(spec.params if spec else {})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"archspec: {spec.name or 'blocks'}" if spec else "archspec",
        **_file(),
        "definitions": dict(sorted(definitions.items())),
    }


def form_problems(spec: Spec) -> list[Problem]:
    """What is wrong with the form of a file; a library of blocks may lack the sections that only specs have."""
    is_library = not (spec.name or spec.inputs or spec.layers.items or spec.outputs)
    return [problem for problem in spec.problems if not (is_library and problem.slug == "missing-section")]


def op_key(op: str) -> str:
    """The name of an op's definition."""
    return f"op.{op}"


# Files, and the parts of the language that are the same for every set of blocks.


def _file() -> Schema:
    """A spec, or a library of blocks: a file that has none but a library's sections."""
    sections: Schema = {
        "archspec": {"const": VERSION},
        "name": {**TEXT, "pattern": f"^{SPEC_NAME.pattern}$"},
        "description": MAYBE_TEXT,
        "paper": MAYBE_TEXT,
        "extends": {"type": "string"},
        "use": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "params": {"$ref": "#/definitions/params"},
        "let": {"$ref": "#/definitions/let"},
        "check": {"$ref": "#/definitions/checks"},
        "inputs": {"$ref": "#/definitions/inputs"},
        "blocks": {"$ref": "#/definitions/blocks"},
        "layers": LAYERS,
        "outputs": _named({"$ref": "#/definitions/output"}, _identifiers({"count", "index"}, "an output"), least=0),
        "init": _list_of({"$ref": "#/definitions/init_rule"}),
        "expect": _list_of({"$ref": "#/definitions/expectation"}),
        "edit": _list_of({"$ref": "#/definitions/edit"}),
        "requires": _list_of({"type": "string"}),
    }
    only_in_specs = [{"required": [section]} for section in SECTIONS if section not in LIBRARY_SECTIONS]
    needs = {"if": {"not": {"required": ["extends"]}}, "then": {"required": ["inputs", "layers", "outputs"]}}
    return {
        "type": "object",
        "properties": {section: {**sections[section], "description": DOCS[section]} for section in SECTIONS},
        "additionalProperties": False,
        "required": ["archspec"],
        "if": {"anyOf": [*only_in_specs, {"not": {"required": ["blocks"]}}]},
        "then": {"required": ["name"], **needs},
    }


def _language(about: dict[str, str], needy: list[str], is_closed: bool) -> Schema:
    """The definitions of everything but blocks: `about` describes the known ops, the `needy` need fields."""
    return {
        "expression": {
            "type": "string",
            "pattern": r"^=\s*\S",
            "patternErrorMessage": "an expression begins with `=`",
            "description": "An expression: text that begins with `=`.",
        },
        "reference": {
            "type": ["string", "number"],
            "pattern": f"^{REFERENCE.pattern}$",
            "description": "An earlier layer, a path such as `branch.conv`, or an input.",
        },
        "op": _op(about, [], is_closed),
        "bare_op": _op(about, needy, is_closed),
        "layers": _layers(),
        "layer": _layer(list(about)),
        "group": _layer_of(_reserved(("layers", "from", "when", "else", "place"))),
        "shared": _layer_of(_reserved(("shares", "from", "when", "else"))),
        "repeat": _repeat(),
        "params": _named({"$ref": "#/definitions/param"}, _identifiers({*_words(), "input"}, "a param"), least=0),
        "param": _param(),
        "inputs": _named({"anyOf": [*_input_shapes(), EXPRESSION]}, _input_names(), least=0),
        "let": _named({}, _identifiers({*_words(), "input"}, "a value"), least=0),
        "checks": _list_of(closed({"that": either({"type": "boolean"}), "say": TEXT}, ["that", "say"])),
        "blocks": _named({"$ref": "#/definitions/block"}, _names(NAME.pattern, BLOCKS, "a block: an op has this name")),
        "block": _block(),
        "output": _output(),
        "init_rule": _init_rule(),
        "initializer": _initializer(),
        "edit": _edit(),
    }


def _words() -> set[str]:
    """Words that cannot name a value, because expressions or layers give them a meaning."""
    return {*RESERVED, *FUNCTIONS, *LITERALS, *REPEAT_NAMES}


def _names(form: str, taken: Iterable[str], what: str) -> Schema:
    """Names of some form; as one pattern, since editors only warn of what `not` forbids."""
    pattern = f"^(?!(?:{'|'.join(sorted(taken))})$){form}$" if taken else f"^{form}$"
    return {"type": "string", "pattern": pattern, "patternErrorMessage": f"this cannot name {what}"}


def _identifiers(taken: set[str], what: str) -> Schema:
    return _names(IDENTIFIER.pattern, taken | set(keyword.kwlist), f"{what}: it is no identifier, or has a meaning")


def _layer_names() -> Schema:
    taken = "a layer: letters, digits, `_`, `-`; no word of Python, `input` or attribute of torch's modules"
    return _names(f"(?!_){NAME.pattern}", MODULE_NAMES | set(keyword.kwlist), taken)


def _named(value: Schema, names: Schema, least: int = 1) -> Schema:
    """A section with an entry per name; one that may be empty may also be left blank."""
    kind = {"type": "object", "minProperties": least} if least else {"type": ["object", "null"]}
    return {**kind, "additionalProperties": value, "propertyNames": names}


def _list_of(item: Schema) -> Schema:
    return {"type": ["array", "null"], "items": item}


def _input_names() -> Schema:
    return _identifiers({*_words(), *CODE_NAMES}, "an input")


def _input_shapes() -> list[Schema]:
    size = either({"type": "integer", "minimum": 1})

    def sizes(axes: int) -> Schema:
        return {"type": "array", "items": size, "minItems": axes, "maxItems": axes}

    kinds, _ = SHAPES.working()
    named = {
        name: {**sizes(len(dataclasses.fields(kind))), "description": f"{kind.kind[:1].upper()}{kind.kind[1:]}."}
        for name, kind in kinds.items()
    }
    return [*map(sizes, BY_AXES), closed(named, [], minProperties=1, maxProperties=1)]


# Layers.


def _op(about: dict[str, str], but: list[str], is_closed: bool) -> Schema:
    """The name of a block; not an `enum`, so that an editor describes each one."""
    known = [{"const": op, "description": text} for op, text in about.items() if op not in but]
    return {"anyOf": [*known, EXPRESSION if is_closed else _names(".+", but, "a layer: this op needs fields")]}


def _layers() -> Schema:
    named = _named(LAYER, _layer_names())
    return {"anyOf": [named, {"type": "array", "items": LAYER, "minItems": 1}]}


def _reserved(keys: tuple[str, ...] = RESERVED) -> Schema:
    """The keys of a layer that are not fields of its block."""
    count = either({"type": "integer", "minimum": 0})
    forms: Schema = {
        "op": {"$ref": "#/definitions/op"},
        "layers": LAYERS,
        "from": {"anyOf": [REFERENCE_TO, {"type": "array", "items": REFERENCE_TO, "minItems": 1}]},
        "repeat": {"$ref": "#/definitions/repeat"},
        "when": either({"type": "boolean"}),
        "else": REFERENCE_TO,
        "place": count,
        "shares": REFERENCE_TO,
    }
    return {key: {**_inside(forms[key]), "description": DOCS[key]} for key in keys}


def _inside(form: Schema) -> Schema:
    """A form that can stand beside a description: draft 7 ignores whatever stands beside a `$ref`."""
    return {"anyOf": [form]} if "$ref" in form else form


def _layer(ops: list[str]) -> Schema:
    """An op's name alone, or a mapping with `op`, `layers` or `shares`, whose other keys follow from that."""
    by_op = [
        {
            "if": {"properties": {"op": {"const": op}}, "required": ["op"]},
            "then": {"$ref": f"#/definitions/{op_key(op)}"},
        }
        for op in ops
    ]
    undecided = {"title": "layer", "properties": _reserved(), "required": ["op"]}
    with_op = {"properties": _reserved(OP_KEYS), "allOf": by_op}
    mapping = {
        "type": "object",
        "dependencies": {"else": {"anyOf": [{"required": ["when"]}, {"required": ["repeat"]}]}},
        **_first_of(
            ("layers", {"$ref": "#/definitions/group"}),
            ("shares", {"$ref": "#/definitions/shared"}),
            ("op", with_op),
            otherwise=undecided,
        ),
    }
    return {"anyOf": [{"$ref": "#/definitions/bare_op"}, mapping]}


def _layer_of(properties: Schema, **more: Any) -> Schema:
    """A layer that has these keys and no others."""
    return {"properties": properties, "additionalProperties": False, **more}


def _first_of(*cases: tuple[str, Schema], otherwise: Schema) -> Schema:
    """The form that belongs to the first of some keys that is there."""
    for key, form in reversed(cases):
        otherwise = {"if": {"required": [key]}, "then": form, "else": otherwise}
    return otherwise


OP_KEYS = ("op", "from", "repeat", "when", "else", "place")
"""Keys of the language that a layer with an `op` may have."""


def _block_layer(op: str, block: type[Block], definitions: Schema) -> Schema:
    """A layer of one op, with the fields of its class; what these refer to is added to the definitions."""
    properties, required = fields(block, op, definitions)
    return _op_layer(op, properties, required, doc(block))


def _local_layer(definition: BlockDefinition) -> Schema:
    """A layer of a block that is written in YAML."""
    fields = {name: or_expression(_value(param)) for name, param in definition.params.items()}
    required = [name for name, param in definition.params.items() if param.required]
    return _op_layer(definition.name, fields, required, definition.description or OWN)


def _op_layer(op: str, fields: Schema, required: list[str], doc: str) -> Schema:
    """A layer of one op; what the keys of the language hold is checked beside it.

    Editors offer the title: it stands for all the fields that must be given.
    """
    more = {"required": required} if required else {}
    return _layer_of({**{key: True for key in OP_KEYS}, **fields}, title=op, description=doc, **more)


def _repeat() -> Schema:
    count = either({"type": "integer", "minimum": 0})
    properties = {
        "count": {**count, "description": "How many copies."},
        "flat": {"type": "boolean", "description": "Whether the copies stand beside each other, not inside."},
        "start": {**count, "description": "Number of the first copy.", "default": 0},
    }
    return {"anyOf": [*count["anyOf"], closed(properties, ["count"])]}


# The other sections.


def _param() -> Schema:
    plain = {"pattern": "^(?!=)", "patternErrorMessage": "a default is no expression; those go into `let`"}
    properties, _ = fields(ParamForm)
    properties["type"] = {**properties["type"], "enum": list(TYPES)}
    properties["default"] = {**properties["default"], **plain}
    bare = {"enum": list(TYPES), "description": "A bare type: the param must be given."}
    default = {**plain, "type": ["number", "boolean", "null", "string", "array"], "description": "A default."}
    return {"anyOf": [bare, default, closed(properties, [])]}


def _value(param: Param) -> Schema:
    """What a param accepts."""
    found: Schema = {"description": param.doc} if param.doc else {}
    if param.type in TYPE_NAMES and not param.broken:
        found["type"] = TYPE_NAMES[param.type]
    if param.choices is not None:
        found["enum"] = list(param.choices)
    if param.least is not None:
        found["minimum"] = param.least
    if param.most is not None:
        found["maximum"] = param.most
    if param.default is not None:
        found["default"] = param.default
    return found


def _block() -> Schema:
    names = {"type": "array", "items": _input_names()}
    sections: Schema = {
        "description": MAYBE_TEXT,
        "params": {"$ref": "#/definitions/params"},
        "let": {"$ref": "#/definitions/let"},
        "check": {"$ref": "#/definitions/checks"},
        "inputs": names,
        "layers": LAYERS,
    }
    docs = {**DOCS, "inputs": DOCS["inputs of a block"]}
    described = {key: {**_inside(sections[key]), "description": docs[key]} for key in BLOCK_SECTIONS}
    return closed(described, ["layers"])


def _output() -> Schema:
    properties, required = fields(OutputForm)
    properties = {name: or_expression(field) for name, field in properties.items()}
    properties["from"] = {"allOf": [REFERENCE_TO], "description": properties["from"]["description"]}
    return {"anyOf": [REFERENCE_TO, closed(properties, required)]}


def _init_rule() -> Schema:
    def one_or_more(item: Schema, text: str) -> Schema:
        return {"anyOf": [item, {"type": "array", "items": item}], "description": text}

    glob = {"type": "string", "minLength": 1}
    ops = {"anyOf": [{"enum": sorted(BLOCKS)}, EXPRESSION]}
    return {
        "type": "object",
        "properties": {
            "match": one_or_more(glob, "Globs on paths of layers: `*` within one name, `**.` any number of names."),
            "op": one_or_more(ops, "Ops of the layers that it is for."),
        },
        "additionalProperties": {"$ref": "#/definitions/initializer"},
        "not": {"propertyNames": {"enum": ["match", "op"]}},
    }


def _initializer() -> Schema:
    forms: Schema = {}
    for name, kind in INITIALIZERS.working()[0].items():
        properties, required = fields(kind)
        taken = {field: or_expression(form) for field, form in properties.items()}
        forms[name] = closed(taken, required, description=doc(kind))
    bare = [name for name, form in forms.items() if "required" not in form]
    named = closed(forms, [], minProperties=1, maxProperties=1)
    return either({"type": "number", "description": "Every element the same."}, *[{"enum": bare}] * bool(bare), named)


def _expectation(params: dict[str, Param]) -> Schema:
    """A case of `expect`; the params of one spec are described, but may have grown since."""
    properties, required = fields(Expectation)
    if params:
        properties["set"]["properties"] = {name: _value(param) for name, param in params.items()}
    return closed(properties, required)


def _edit() -> Schema:
    path = {"type": "string", "description": "A path that begins with `layers.` or `blocks.`."}
    forms: list[tuple[str, Schema]] = [
        ("set", {"to": {"description": "The field's new value."}}),
        ("replace", {"with": LAYER}),
        ("remove", {}),
        ("insert_after", {"layers": LAYERS}),
        ("insert_before", {"layers": LAYERS}),
    ]
    return {"anyOf": [closed({verb: path, **more}, [verb, *more]) for verb, more in forms]}
