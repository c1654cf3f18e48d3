"""A compiled graph for inputs of other sizes: every shape and cost inferred again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from archspec.errors import BlockError, Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph, Node, digraph_of
from archspec.graph.infer import infer
from archspec.spec.reader import shown
from archspec.tensor import Shape


def with_inputs(graph: Graph, inputs: Mapping[str, Sequence[int]]) -> Graph:
    """The same layers for other sizes of some inputs, each of as many axes as before.

    Fields keep the values that expressions gave when the spec was compiled; a spec whose fields depend on the size of
    its input is compiled again instead.
    Errors: SpecError with every layer that does not take its new input
    """
    problems: list[Problem] = []
    sizes = {name: _size(graph, name, dims, problems) for name, dims in inputs.items()}
    if problems:
        raise SpecError(problems)
    nodes: dict[str, Node] = {}
    for node in graph:
        if node.block is None:
            nodes[node.name] = replace(node, shape=sizes.get(node.name) or node.shape)
        elif all(name in nodes for name in node.inputs):
            try:
                nodes[node.name] = inferred(node, tuple(nodes[name].shape for name in node.inputs))
            except BlockError as error:
                problems.append(problem_of(error, node))
    if problems:
        raise SpecError(problems)
    changed = {name: "x".join(map(str, dims)) for name, dims in inputs.items()}
    return replace(graph, changed={**graph.changed, **changed}, digraph=digraph_of(nodes.values()))


def inferred(node: Node, shapes: tuple[Shape, ...]) -> Node:
    """A layer with shape, state and costs as these inputs make them. Errors: BlockError"""
    block = node.block
    assert block is not None
    return replace(
        node,
        shape=infer(block, shapes),
        weights={} if node.shares else block.parameters(*shapes),
        buffers={} if node.shares else block.buffers(*shapes),
        macs=block.macs(*shapes),
        window=block.window(*shapes),
        saves=block.saves(*shapes),
    )


def problem_of(error: BlockError, node: Node) -> Problem:
    """What a block says, at the layer it says it of."""
    return Problem(error.slug, error.message, node.position, layer=node.name, op=node.op, hint=error.hint)


def _size(graph: Graph, name: str, dims: Sequence[int], problems: list[Problem]) -> Shape | None:
    """The shape of an input, or None after adding a problem."""
    known = {node.name: node for node in graph.inputs}
    if name not in known:
        hint = did_you_mean(name, known, "inputs")
        problems.append(Problem("unknown-input", f"there is no input `{name}`", hint=hint))
        return None
    kind = type(known[name].shape)
    sizes = list(dims) if isinstance(dims, tuple | list) else []
    if len(sizes) == len(fields(kind)) and all(type(n) is int and 0 < n < 2**31 for n in sizes):
        return kind(*sizes)
    axes = ", ".join(known[name].shape.axes)
    message = f"input `{name}` must be [{axes}], each a whole number from 1, found {shown(dims)}"
    problems.append(Problem("bad-input", message))
    return None
