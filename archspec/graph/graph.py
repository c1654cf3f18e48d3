"""The compiled form of a spec: frozen nodes on a directed graph, in execution order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import networkx as nx

from archspec.block import Buffer, Primitive, Saves, Weight
from archspec.errors import Position
from archspec.initializers import Initializer
from archspec.tensor import Shape, Window


@dataclass(frozen=True, slots=True)
class Node:
    """A named use of a primitive, or an input of the network."""

    name: str
    """Path of the layer; its parameters' state-dict keys begin with it."""
    op: str
    block: Primitive | None
    """None for an input."""
    fields: Mapping[str, Any]
    """The fields as written, with expressions worked out."""
    inputs: tuple[str, ...]
    """Names of the nodes it reads, in order."""
    shape: Shape
    """Shape of its output for one image."""
    position: Position
    weights: Mapping[str, Weight] = field(default_factory=dict)
    buffers: Mapping[str, Buffer] = field(default_factory=dict)
    macs: int = 0
    """Multiply-accumulates for one image."""
    window: Window | None = None
    saves: Saves = Saves()  # noqa: RUF009 - frozen
    """What its backward needs again."""
    place: int = 0
    """Which of the devices given at build time it runs on."""
    shares: str = ""
    """The earlier node whose parameters it uses; then it has none of its own."""

    @property
    def params(self) -> int:
        """Elements in its parameters."""
        return sum(prod(weight.shape) for weight in self.weights.values())

    def key(self, parameter: str) -> str:
        """The state-dict key of a parameter or buffer."""
        return f"{self.owner}.{parameter}" if parameter else self.owner

    @property
    def owner(self) -> str:
        """The path whose parameters it uses: its own, or that of the layer it shares them with."""
        return self.shares or self.name


@dataclass(frozen=True, slots=True)
class Group:
    """A named group of nodes: a use of a block, an inline group, or the copies of a repeat."""

    path: str
    op: str
    """The block's name; empty for an inline group and for a repeat's copies."""
    params: Mapping[str, Any]
    """The block's params at this use."""
    position: Position


@dataclass(frozen=True, slots=True)
class Output:
    """A named result of the network."""

    name: str
    node: str
    training_only: bool = False
    """Whether it is left out in evaluation, as an auxiliary head is."""
    loss_weight: float = 1.0
    """Weight of its loss in training."""


@dataclass(frozen=True, slots=True)
class InitRule:
    """How the parameters of the layers it matches get their first values."""

    match: tuple[str, ...]
    """Globs on paths; empty matches every path."""
    ops: tuple[str, ...]
    """Ops of primitives; empty matches every op."""
    parameters: Mapping[str, Initializer]
    written: Mapping[str, Any]
    """The rule as a spec would write it."""
    position: Position


@dataclass(frozen=True, repr=False)
class Graph:
    """A network as a graph of primitives."""

    name: str
    description: str
    paper: str
    settings: Mapping[str, Any]
    """Values of the spec's params."""
    changed: Mapping[str, Any]
    """What was given from outside: params, and the sizes of inputs as text."""
    outputs: tuple[Output, ...]
    rules: tuple[InitRule, ...]
    groups: Mapping[str, Group]
    digraph: nx.DiGraph[str] = field(repr=False)
    """Node names with the attribute `node`, in execution order."""

    def __repr__(self) -> str:
        return f"Graph({self.name}: {len(self.layers)} layers, {self.params:,} params)"

    def __iter__(self) -> Iterator[Node]:
        """Inputs first, then layers in execution order."""
        for name in self.digraph:
            yield self[name]

    def __len__(self) -> int:
        return len(self.digraph)

    def __contains__(self, name: object) -> bool:
        return name in self.digraph

    def __getitem__(self, name: str) -> Node:
        node: Node = self.digraph.nodes[name]["node"]
        return node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in self if node.block is None)

    @property
    def layers(self) -> tuple[Node, ...]:
        return tuple(node for node in self if node.block is not None)

    @property
    def crossings(self) -> tuple[tuple[str, int], ...]:
        """The values that another place reads than the one they are made at: (node, place), each once."""
        read = ((name, node.place) for node in self for name in node.inputs)
        return tuple(dict.fromkeys((name, place) for name, place in read if self[name].place != place))

    @property
    def main_outputs(self) -> tuple[Output, ...]:
        """The outputs that evaluation has too."""
        return tuple(output for output in self.outputs if not output.training_only)

    @property
    def params(self) -> int:
        return sum(node.params for node in self)

    @property
    def macs(self) -> int:
        return sum(node.macs for node in self)

    def inference(self) -> Graph:
        """What evaluation computes: the part that main outputs depend on."""
        return self.pruned(self.main_outputs)

    def pruned(self, outputs: Iterable[Output]) -> Graph:
        """The part that some outputs depend on; the network's inputs all stay."""
        kept = tuple(outputs)
        needed = {node.name for node in self.inputs} | {output.node for output in kept}
        for output in kept:
            needed |= nx.ancestors(self.digraph, output.node)
        nodes = self._adopted(node for node in self if node.name in needed)
        return replace(self, outputs=kept, digraph=digraph_of(nodes))

    def _adopted(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """Nodes of this graph; where the layer that others share with is not among them, the first has its state."""
        there: set[str] = set()
        for node in nodes:
            if node.shares in self and node.shares not in there:
                original = self[node.shares]
                node = replace(node, weights=original.weights, buffers=original.buffers, place=original.place)
            there.add(node.owner)
            yield node

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """State-dict keys and shapes, in order."""
        shapes: dict[str, tuple[int, ...]] = {}
        bare = False
        for node in self:
            shapes |= {node.key(name): weight.shape for name, weight in node.weights.items()}
            shapes |= {node.key(name): buffer.shape for name, buffer in node.buffers.items()}
            bare = bare or "" in node.weights
        return {key: shapes[key] for key in torch_order(list(shapes), 0)} if bare else shapes


def torch_order(keys: list[str], depth: int) -> list[str]:
    """Keys as a state dict has them: a module's own first, then those of the modules in it, one after another."""
    own, inside = [], dict[str, list[str]]()
    for key in keys:
        names = key.split(".")
        if len(names) == depth + 1:
            own.append(key)
        else:
            inside.setdefault(names[depth], []).append(key)
    return own + [key for group in inside.values() for key in torch_order(group, depth + 1)]


def digraph_of(nodes: Iterable[Node]) -> nx.DiGraph[str]:
    """The directed graph of nodes given in execution order."""
    listed = list(nodes)
    digraph: nx.DiGraph[str] = nx.DiGraph()
    digraph.add_nodes_from((node.name, {"node": node}) for node in listed)
    digraph.add_edges_from((source, node.name) for node in listed for source in node.inputs)
    return digraph
