"""The `init` rules of a spec, and which of them a parameter meets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from archspec.block import Weight
from archspec.errors import PluginError, Problem, did_you_mean
from archspec.graph.graph import Graph, InitRule, Node
from archspec.graph.scope import Poisoned, Scope
from archspec.initializers import INITIALIZERS, Constant, Initializer
from archspec.plugins import known_home
from archspec.spec.reader import Mapping, Value, shown
from archspec.spec.validation import validated

if TYPE_CHECKING:
    from archspec.graph.compile import Compiler


def read_rules(compiler: Compiler, scope: Scope) -> tuple[InitRule, ...]:
    """The rules of a spec, with expressions worked out."""
    found = []
    for item in compiler.spec.init:
        try:
            found.append(_rule(compiler, scope, item))
        except Poisoned:
            continue
    return tuple(found)


def _rule(compiler: Compiler, scope: Scope, item: Value) -> InitRule:
    if not isinstance(item, Mapping):
        hint = "for example {op: conv2d, weight: {normal: {std: 0.01}}}"
        compiler.report("bad-init", "an `init` rule is a mapping", item.position, hint=hint)
    written = compiler.resolve(item, scope)
    parameters = {}
    for name, (key, value) in item.entries.items():
        if name not in ("match", "op"):
            parameters[name] = _initializer(compiler, name, written[key.value], value)
    if not parameters:
        hint = "for example weight: {normal: {std: 0.01}}, bias: 0"
        compiler.report("bad-init", "an `init` rule names no parameter", item.position, hint=hint)
    match = _texts(compiler, written.get("match", []), item, "match")
    return InitRule(match, _texts(compiler, written.get("op", []), item, "op"), parameters, written, item.position)


def _texts(compiler: Compiler, data: object, item: Mapping, key: str) -> tuple[str, ...]:
    texts = data if isinstance(data, list) else [data]
    if not all(isinstance(text, str) and text for text in texts):
        position = item.entries[key][1].position
        compiler.report("bad-init", f"`{key}` must be a text or a list of texts, found {shown(data)}", position)
    return tuple(texts)


def _initializer(compiler: Compiler, parameter: str, data: Any, value: Value) -> Initializer:
    """A number, the name of an initializer, or {name: {fields}}."""
    if isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data):
        return Constant(value=float(data))
    name: Any = data
    fields: Any = {}
    at = value
    if isinstance(data, dict) and len(data) == 1:
        ((name, fields),) = data.items()
        assert isinstance(value, Mapping)
        ((_, at),) = value.entries.values()
    try:
        kind = INITIALIZERS[name if isinstance(name, str) else ""]
    except PluginError as error:
        compiler.refuse_plugin(error, value.position)
    except KeyError:
        hint = known_home("initializer", str(name)) or did_you_mean(str(name), INITIALIZERS, "initializers")
        message = f"`{parameter}` must be a number, an initializer or {{initializer: {{...}}}}, found {shown(data)}"
        compiler.report("bad-init", message, value.position, hint=hint)
    if not isinstance(fields, dict):
        compiler.report("bad-init", f"`{name}` takes a mapping of fields, found {shown(fields)}", at.position)
    entries = at.entries if isinstance(at, Mapping) else {}
    found = validated(kind, fields, entries, at.position, name, compiler.problems)
    if found is None:
        raise Poisoned
    return found


@cache
def glob(pattern: str) -> re.Pattern[str]:
    """A glob on paths: `*` stands for any text within one name, `**.` for any number of names."""
    parts = re.split(r"(\*\*\.|\*)", pattern)
    regex = {"**.": r"(?:[^.]+\.)*", "*": r"[^.]*"}
    return re.compile("".join(regex.get(part, re.escape(part)) for part in parts))


def matches(rule: InitRule, node: Node) -> bool:
    """Whether a rule matches a layer, whatever its parameters."""
    if rule.ops and node.op not in rule.ops:
        return False
    return not rule.match or any(glob(pattern).fullmatch(node.owner) for pattern in rule.match)


def initializer_of(rules: Iterable[InitRule], node: Node, parameter: str, weight: Weight) -> Initializer:
    """That of the first rule that matches the layer and names the parameter, else torch's default."""
    for rule in rules:
        if parameter in rule.parameters and matches(rule, node):
            return rule.parameters[parameter]
    return weight.init


def is_used(rule: InitRule, graph: Graph) -> bool:
    """Whether a rule matches a layer with a parameter that it names, even if an earlier rule decides it."""
    return any(matches(rule, node) and rule.parameters.keys() & node.weights.keys() for node in graph)


def unused_rules(graphs: list[Graph]) -> list[Problem]:
    """The rules that match nothing in any of the graphs of one spec, most likely misspelt."""
    found = []
    for number, rule in enumerate(graphs[0].rules):
        if not any(is_used(graph.rules[number], graph) for graph in graphs):
            known = {name for node in graphs[0] if matches(rule, node) for name in node.weights}
            what = " or ".join(f"`{name}`" if name else '`""`' for name in rule.parameters)
            if known:
                hint = f"the layers it matches have {', '.join(name or chr(34) * 2 for name in sorted(known))}"
            else:
                paths = [node.name for node in graphs[0] if node.weights]
                ops = dict.fromkeys(node.op for node in graphs[0] if node.weights)
                hint = did_you_mean(rule.match[0], paths) if rule.match else did_you_mean(rule.ops[0], ops, "ops here")
            message = f"this `init` rule matches no layer that has {what}"
            found.append(Problem("unused-init", message, rule.position, hint=hint))
    return found
