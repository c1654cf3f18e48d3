"""Provenance: which file and line set each value of a network.

A field is set where it is written; if it is an expression, so are the params and `let` values it names, each
followed to where its own value is written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archspec.errors import Position
from archspec.graph.compile import MAX_NODES, Compiler
from archspec.graph.expectations import refuse_unused_rules
from archspec.graph.graph import Graph
from archspec.graph.scope import Frame, Layout, Scope
from archspec.graph.use import Call
from archspec.spec.document import Spec
from archspec.spec.expression import is_expression, parse
from archspec.spec.params import Param
from archspec.spec.pause import no_collection
from archspec.spec.reader import Mapping as ValueMapping
from archspec.spec.reader import Scalar, Value


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value is from."""

    name: str
    """The field, param or `let` value."""
    text: str
    """The expression it is written as; empty where it is written plainly."""
    position: Position | None
    """Where it is written; None where it is given from outside, as by --set."""
    needs: tuple[Origin, ...] = ()
    """The params and `let` values that its expression names."""


def provenance(
    spec: Spec, settings: dict[str, Any], sizes: Mapping[str, Any], max_nodes: int = MAX_NODES
) -> tuple[Graph, dict[str, tuple[Origin, ...]]]:
    """The graph of a spec, and by node where the layer and each of its fields are written. Errors: SpecError"""
    with no_collection():
        compiler = Compiler(spec, settings, max_nodes, sizes)
        compiler.calls = {}
        graph = compiler.graph()
        refuse_unused_rules(spec, graph, max_nodes)
        tracer = _Tracer(spec, settings)
        return graph, {name: tuple(tracer.fields(call, graph[name].position)) for name, call in compiler.calls.items()}


@dataclass(frozen=True)
class _Tracer:
    spec: Spec
    settings: Mapping[str, Any]

    def fields(self, call: Call, position: Position) -> Iterator[Origin]:
        """First the layer itself, then its fields."""
        op = call.layer.op
        if call.shares:
            yield Origin("op", "", position)
            return
        text = op.text if op is not None and is_expression(op.text) else ""
        yield Origin("op", text, call.layer.position, self.needs(op, call.scope) if op is not None else ())
        if call.layer.place is not None:
            yield self.origin("place", call.layer.place, call.scope)
        for name, (_, value) in call.layer.fields.items():
            yield self.origin(name, value, call.scope)

    def origin(self, name: str, value: Value, scope: Scope) -> Origin:
        text = value.text if isinstance(value, Scalar) and is_expression(value.value) else ""
        return Origin(name, text, value.position, self.needs(value, scope))

    def needs(self, value: Value, scope: Scope) -> tuple[Origin, ...]:
        """Where the values are from that expressions in a value name."""
        found: dict[str, Origin] = {}
        for name in names_in(value):
            if name in scope.frame.params or name in scope.frame.let:
                found.setdefault(name, self.named(name, scope.frame))
        return tuple(found.values())

    def named(self, name: str, frame: Frame) -> Origin:
        """Where a param or `let` value of a spec or block is from."""
        if name in frame.let:
            return self.origin(name, frame.let[name][1], Scope(frame, Layout()))
        if frame.call is None:
            param: Param = self.spec.params[name]
            return Origin(name, "", None if name in self.settings else param.default_position or param.position)
        if name in frame.call.layer.fields:
            return self.origin(name, frame.call.layer.fields[name][1], frame.call.scope)
        param = self.spec.blocks[frame.call.op].params[name]
        return Origin(name, "", param.default_position or param.position)


def names_in(value: Value) -> Iterator[str]:
    """The names that the expressions in a value use, but for those of layers."""
    if isinstance(value, Scalar):
        if is_expression(value.value):
            for node in ast.walk(parse(value.text)):
                if isinstance(node, ast.Name):
                    yield node.id
        return
    items = [item for _, item in value.entries.values()] if isinstance(value, ValueMapping) else value.items
    for item in items:
        yield from names_in(item)
