"""The hash of a network: the same however its spec is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, is_dataclass
from typing import Any

from archspec.graph.graph import Graph, InitRule, Node
from archspec.graph.init_rules import is_used
from archspec.spec.document import VERSION
from archspec.tensor import BY_AXES


def spec_hash(graph: Graph) -> str:
    """SHA-256 over everything that makes the module: inputs, layers with all their fields, outputs and `init` rules.

    Formatting, comments, blocks, params, defaults written out, the order of fields and what a spec says of itself
    in words do not change it; the order of layers does, since it is that of the state dict.
    """
    data = {
        "archspec": VERSION,
        "inputs": [_input(node) for node in graph.inputs],
        "layers": [_layer(node) for node in graph.layers],
        "outputs": [[output.name, output.node, output.training_only, output.loss_weight] for output in graph.outputs],
        "init": [_rule(rule) for rule in graph.rules if is_used(rule, graph)],
    }
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _input(node: Node) -> list[Any]:
    """An input's name and sizes; where these do not tell its kind, that too."""
    dims, kind = list(node.shape.dims), type(node.shape)
    return [node.name, dims] if BY_AXES.get(len(dims)) is kind else [node.name, dims, kind.name]


def _layer(node: Node) -> list[Any]:
    assert node.block is not None
    fields = {name: getattr(node.block, name) for name in type(node.block).model_fields}
    return [node.name, node.op, list(node.inputs), fields, node.place, node.shares]


def _rule(rule: InitRule) -> list[Any]:
    parameters = {name: [init.name, init.model_dump()] for name, init in rule.parameters.items()}
    return [rule.match, rule.ops, parameters]


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} has no place in a spec")
