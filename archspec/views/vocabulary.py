"""The vocabulary: every op with its fields, from the classes' own docstrings; and blocks of libraries."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from archspec.block import MOST, Block, Composite, Primitive
from archspec.errors import PluginError
from archspec.graph.infer import called, counted, signature
from archspec.plugins import Provider, built_in
from archspec.registry import BLOCKS
from archspec.spec.params import TYPE_WORDS, Param
from archspec.spec.shelves import Library, libraries
from archspec.view import View
from archspec.views import VIEWS
from archspec.views.model_schema import doc, fields
from archspec.views.summary import aligned
from archspec.views.values import WIDTH, wrapped

Data = dict[str, Any]


def first_line(text: str) -> str:
    """What a docstring says at first."""
    return " ".join(text.partition("\n\n")[0].split())


def block_data(op: str, cls: type[Block], owner: Provider) -> Data:
    """All that is to be said of an op. Errors: PluginError"""
    return {"op": op, "from": str(owner), "takes": takes(cls), "doc": doc(cls), "fields": _fields(cls)}


def _fields(model: type[BaseModel]) -> list[Data]:
    """What is to be said of each field of a model."""
    forms, required = fields(model)
    return [
        {
            "name": name,
            "type": type_words(form),
            "required": name in required,
            "default": form.get("default"),
            "doc": form.get("description", ""),
        }
        for name, form in forms.items()
    ]


def library_data(library: Library, name: str) -> Data:
    """All that is to be said of a block of a library."""
    block = library.blocks[name]
    return {
        "op": name,
        "from": str(library.owner),
        "use": library.path,
        "takes": f"{', '.join(block.inputs)}",
        "doc": block.description or "",
        "fields": [_param_data(param) for param in block.params.values()],
    }


def _param_data(param: Param) -> Data:
    kind = TYPE_WORDS[param.type].removeprefix("a ")
    return {
        "name": param.name,
        "type": " or ".join(map(_literal, param.choices)) if param.choices is not None else kind,
        "required": param.required,
        "default": param.default,
        "doc": param.doc,
    }


def takes(cls: type[Block]) -> str:
    """What an op reads: of a primitive the kinds of shapes, of a composite the names, which have none."""
    if issubclass(cls, Composite):
        names = [str(one).partition(":")[0] for one in list(inspect.signature(cls.expand).parameters.values())[2:]]
        return f"{counted(len(names))} ({', '.join(names)})"
    assert issubclass(cls, Primitive)
    found = signature(cls)
    kinds = [called(kind) for kind in found.inputs]
    return f"any number of: {kinds[0]}" if found.variadic else "; ".join(kinds)


def type_words(form: Data) -> str:
    """What a JSON Schema takes, in words."""
    if "enum" in form:
        return " or ".join(map(_literal, form["enum"]))
    if "const" in form:
        return _literal(form["const"])
    for union in ("anyOf", "oneOf"):
        if union in form:
            parts = [part for part in form[union] if part.get("type") != "null"]
            return " or ".join(dict.fromkeys(map(type_words, parts)))
    kind = form.get("type")
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _limits(form)
    if kind == "array":
        items = form.get("items", {})
        if isinstance(items, list):
            return f"[{', '.join('...' for _ in items)}]"
        if "maxItems" in form and form.get("minItems") == form["maxItems"]:
            return f"list of {form['maxItems']}"
        return f"list of {type_words(items)}" if items else "list"
    if kind == "object":
        return f"{{{', '.join(form['properties'])}}}" if "properties" in form else "mapping"
    return {"boolean": "true or false", "string": "text"}.get(str(kind), "anything")


def _limits(form: Data) -> str:
    words = []
    if "minimum" in form:
        words.append(f"from {form['minimum']}")
    if "exclusiveMinimum" in form:
        words.append(f"above {form['exclusiveMinimum']}")
    if "maximum" in form and form["maximum"] != MOST:
        words.append(f"up to {form['maximum']}")
    if "exclusiveMaximum" in form:
        words.append(f"below {form['exclusiveMaximum']}")
    return "".join(f" {word}" for word in words)


def _literal(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def block_page(data: Data) -> str:
    """One op as a page of plain text."""
    lines = [f"{data['op']}   ({data['from']})", ""]
    if data["doc"]:
        lines += [*_doc_lines(data["doc"]), ""]
    lines.append(f"takes   {data['takes']}")
    if "use" in data:
        lines.append(f"needs   use: [{data['use']}]")
    return "\n".join([*lines, "", *_field_lines("fields", data["fields"])])


def _field_lines(what: str, listed: list[Data]) -> Iterator[str]:
    """Fields, each with type, default and meaning."""
    yield f"{what}:" if listed else f"no {what}"
    for field in listed:
        default = "required" if field["required"] else f"default {_literal(field['default'])}"
        default = "may be left out" if default == "default null" else default
        yield from wrapped(f"  {field['name']}: {field['type']}; {default}")
        if field["doc"]:
            yield from wrapped(f"      {field['doc']}")


def view_page(name: str, cls: type[View]) -> str:
    """One view as a page of plain text."""
    lines = [f"{name}   ({VIEWS.providers(name)[0]})", "", *_doc_lines(doc(cls)), ""]
    return "\n".join([*lines, *_field_lines("options", _fields(cls))])


def views_table() -> str:
    """Every view in a line."""
    found = VIEWS.working()[0]
    rows = [("view", "what", "from")]
    rows += [(name, first_line(doc(cls)), str(VIEWS.providers(name)[0])) for name, cls in sorted(found.items())]
    return "\n".join(line.rstrip() for line in aligned(rows, right=()))


def _doc_lines(text: str) -> Iterator[str]:
    """A docstring set anew: paragraphs flow, what begins with a word and a colon hangs."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        parts = re.split(r"\n(?=[A-Z][a-z]+:)", paragraph)
        for part in parts:
            flowing = " ".join(part.split())
            if head := re.match(r"[A-Z][a-z]+: *", part):
                yield from wrapped(f"{head[0]}{flowing[len(head[0].rstrip()) :].lstrip()}")
            else:
                yield from textwrap.wrap(flowing, WIDTH, break_long_words=False, break_on_hyphens=False)


def vocabulary() -> Iterator[Data]:
    """Everything that can be used as an op: built-in, of plugins, of files, of libraries. Broken ones are left out."""
    for op in sorted(BLOCKS):
        try:
            yield block_data(op, BLOCKS[op], BLOCKS.providers(op)[0])
        except Exception:  # `broken_blocks` says what is wrong with it
            continue
    for library in libraries():
        for name in library.blocks:
            yield library_data(library, name)


def broken_blocks() -> list[str]:
    """What is wrong with each op that cannot be described, and whose it is."""
    return [wrong for op in BLOCKS if (wrong := trouble_with(op))]


def trouble_with(op: str) -> str:
    """Why an op cannot be described, or nothing: its plugin, its fields or its signature are wrong."""
    try:
        cls = BLOCKS[op]
        if op not in BLOCKS.builtin:
            block_data(op, cls, BLOCKS.providers(op)[0])
    except PluginError as error:
        return error.message
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")
        return f"op `{op}` of {BLOCKS.providers(op)[0]}: {type(error).__name__}: {first}"
    return ""


def vocabulary_table() -> str:
    """Every op in a line."""
    home = str(built_in())
    rows = [("op", "what", "from")]
    for data in vocabulary():
        where = f"use: [{data['use']}]" if "use" in data else "" if data["from"] == home else data["from"]
        rows.append((data["op"], first_line(data["doc"]), where))
    return "\n".join(line.rstrip() for line in aligned(rows, right=()))
