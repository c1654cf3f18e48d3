"""A classifier made fully convolutional, so that it takes any image from its own size on.

What turns the last map into a vector is taken out, and every linear layer after it becomes the convolution that
slides it: the first with a kernel of the whole map, the later ones with 1x1. A global pool becomes the pool that
slides a window of the map's size. Each place of an output is then what the network says of a window of its own size,
but for the zeros that padding puts at a window's edge and not inside a larger image.

Source: Long, Shelhamer, Darrell 2015, section 3.1; Sermanet et al. 2013, "OverFeat", section 3.5
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.block import Primitive
from archspec.blocks.conv2d import Conv2d
from archspec.errors import BlockError, SpecError
from archspec.graph.graph import Graph, InitRule, Node, digraph_of
from archspec.graph.init_rules import initializer_of
from archspec.graph.reinfer import inferred, problem_of
from archspec.initializers import Constant, Initializer
from archspec.registry import BLOCKS
from archspec.tensor import CHW, Vector, by

ACTIVATIONS = {"elu", "gelu", "hardsigmoid", "hardswish", "leaky_relu", "relu", "relu6", "sigmoid", "silu", "tanh"}
ELEMENTWISE = ACTIVATIONS | {"dropout", "identity"}
"""Ops that treat every element alike, so that they may stand between the map and its first linear layer."""
GLOBAL = {"global_avg_pool2d": "avg_pool2d", "global_max_pool2d": "max_pool2d"}
ADAPTIVE = {"adaptive_avg_pool2d": "avg_pool2d", "adaptive_max_pool2d": "max_pool2d"}

Size = tuple[int, int]


def fully_convolutional(graph: Graph) -> Graph:
    """The network with maps for outputs. Keys of the state dict, and first values from a seed, stay the same.

    Errors: SpecError if a layer between the last map and an output has no such form
    """
    conversion = _Conversion(graph)
    nodes = conversion.nodes()
    if not conversion.sizes:
        return graph
    changed = [nodes[name] for name in nodes if nodes[name].op != graph[name].op and nodes[name].weights]
    rules = (*(rule for node in changed if (rule := _rule(graph, node))), *graph.rules)
    name = f"{graph.name}-fully-convolutional"
    return replace(graph, name=name, rules=rules, digraph=digraph_of(nodes.values()))


class _Conversion:
    """The walk over one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.head = _head(graph)
        self.sizes: dict[str, Size] = {}
        """Of what was a vector and is a map now: the map's height and width at the network's own size."""

    def nodes(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        problems = []
        for node in self.graph:
            if node.block is None:
                found[node.name] = node
            elif all(name in found for name in node.inputs):
                try:
                    found[node.name] = inferred(self._convert(node), tuple(found[name].shape for name in node.inputs))
                except BlockError as error:
                    problems.append(problem_of(error, node))
        if problems:
            raise SpecError(problems)
        return found

    def _convert(self, node: Node) -> Node:
        """What a layer becomes. Errors: BlockError"""
        read = self.graph[node.inputs[0]].shape if node.inputs else None
        if node.op in ADAPTIVE and isinstance(read, CHW) and self._is_flattened(node):
            return self._fixed_pool(node, read)
        if node.name not in self.head:
            return node
        if isinstance(read, CHW):
            return self._leave_map(node, read)
        if read is not None and not isinstance(read, Vector):
            raise _error(f"{node.op} reads {read}, {read.kind}, which is no feature map to slide over")
        sizes = {self.sizes.get(name) for name in node.inputs}
        if sizes == {None}:
            return node
        if None in sizes or len(sizes) > 1:
            raise _error(f"{node.op} joins what becomes a map with what does not, or maps of other sizes")
        (size,) = sizes
        assert size is not None
        if node.op == "linear":
            return self._slide(node, size)
        if size != (1, 1) and (node.op not in ELEMENTWISE or len(node.inputs) > 1):
            raise _error(f"{node.op} would mix places of a {by(size)} map")
        self.sizes[node.name] = size
        return node

    def _leave_map(self, node: Node, read: CHW) -> Node:
        """What reads a map and gave a vector."""
        size = read.height, read.width
        if node.op == "flatten":
            self.sizes[node.name] = size
            return _changed(node, "identity", {})
        if node.op in GLOBAL:
            self.sizes[node.name] = (1, 1)
            return _changed(node, GLOBAL[node.op], {"kernel_size": _short(size), "stride": 1, "ceil_mode": False})
        raise _error(f"{node.op} makes a map into a vector in a way that cannot be slid")

    def _slide(self, node: Node, size: Size) -> Node:
        self.sizes[node.name] = (1, 1)
        fields = {"out_channels": node.fields["out_features"], "kernel_size": _short(size)}
        fields |= {"bias": False} if node.fields.get("bias") is False else {}
        return replace(node, op="conv2d", block=Conv2d.model_validate(fields), fields=fields)

    def _fixed_pool(self, node: Node, read: CHW) -> Node:
        """A pool to a given size as the pool of fixed windows that it is at the network's own size."""
        assert isinstance(node.shape, CHW)
        size, places = (read.height, read.width), (node.shape.height, node.shape.width)
        if size == places:
            return _changed(node, "identity", {})
        if size[0] % places[0] or size[1] % places[1]:
            raise _error(f"{node.op} makes {by(size)} into {by(places)} with windows of several sizes")
        kernel = size[0] // places[0], size[1] // places[1]
        stride = 1 if places[0] == 1 else kernel[0], 1 if places[1] == 1 else kernel[1]
        fields = {"kernel_size": _short(kernel), "stride": _short(stride), "ceil_mode": False}
        return _changed(node, ADAPTIVE[node.op], fields)

    def _is_flattened(self, node: Node) -> bool:
        """Whether a map goes into the head as it is."""
        readers = [self.graph[name] for name in self.graph.digraph.successors(node.name)]
        return any(
            reader.name in self.head or (reader.op in ELEMENTWISE and self._is_flattened(reader)) for reader in readers
        )


def _head(graph: Graph) -> frozenset[str]:
    """The vectors from which no map is made again, as a gate of channels makes one."""
    maps = {node.name for node in graph if not isinstance(node.shape, Vector)}
    before: set[str] = set()
    for name in reversed(list(graph.digraph)):
        if any(reader in maps or reader in before for reader in graph.digraph.successors(name)):
            before.add(name)
    return frozenset(node.name for node in graph.layers if node.name not in maps | before)


def _changed(node: Node, op: str, fields: dict[str, Any]) -> Node:
    block = BLOCKS[op].model_validate(fields)
    assert isinstance(block, Primitive)
    return replace(node, op=op, block=block, fields=fields)


def _short(size: Size) -> int | list[int]:
    """A size as a spec writes it."""
    return size[0] if size[0] == size[1] else list(size)


def _error(message: str) -> BlockError:
    return BlockError(message, "the fully-convolutional pass takes flatten, global pools, linear and activations")


def _rule(graph: Graph, node: Node) -> InitRule | None:
    """A rule that gives a converted layer its former first values, where the rules there are would not."""
    before = graph[node.name]
    kept: dict[str, Initializer] = {}
    for name, weight in node.weights.items():
        former = initializer_of(graph.rules, before, name, before.weights[name])
        if initializer_of(graph.rules, node, name, weight) != former or getattr(former, "mode", "fan_in") != "fan_in":
            kept[name] = former.worked_out(before.weights[name].shape)
    if not kept:
        return None
    written = {"match": node.name} | {name: _written(initializer) for name, initializer in kept.items()}
    return InitRule((node.name,), (), kept, written, node.position)


def _written(initializer: Initializer) -> Any:
    return (
        initializer.value
        if isinstance(initializer, Constant)
        else {initializer.name: initializer.model_dump(exclude_defaults=True)}
    )
