"""Editing a graph: layers changed, taken out, put behind others."""

from __future__ import annotations

from dataclasses import replace

from archspec.graph.graph import Graph, Node, Output, digraph_of
from archspec.graph.reinfer import inferred


class Rewiring:
    """A graph under change. `done` gives the new one, with shapes and costs inferred again."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: dict[str, Node] = {node.name: node for node in graph}
        self.gone: dict[str, str] = {}
        """A node that is taken out -> the node whose value its readers get."""
        self.behind: dict[str, list[Node]] = {}
        """A node -> those put right behind it; what read the node reads the last of them."""
        self.before: dict[str, list[Node]] = {}
        """A node -> those put right before it, which nothing reads but what names them."""
        self.changed: set[str] = set()
        self.lenders = {node.shares for node in graph if node.shares}
        """Nodes whose parameters others use."""
        self.outputs = {output.node for output in graph.outputs}

    def resolved(self, name: str) -> str:
        """The node of the old graph that a name stands for now."""
        while name in self.gone:
            name = self.gone[name]
        return name

    def readers(self, name: str) -> list[Node]:
        """The nodes of the old graph that read a node of it."""
        return [self.graph[reader] for reader in self.graph.digraph.successors(name)]

    def only_reader(self, name: str) -> Node | None:
        """The one node that reads a value, if it is only one, reads it once, and no output does."""
        readers = self.readers(name)
        alone = len(readers) == 1 and name not in self.outputs and readers[0].inputs.count(name) == 1
        return readers[0] if alone else None

    def owns(self, node: Node) -> bool:
        """Whether a node's parameters are its own and no other layer's."""
        return not node.shares and node.name not in self.lenders

    def free_name(self, wished: str) -> str:
        """A path that no node and no group has."""
        name, number = wished, 2
        taken = {node.name for nodes in (*self.behind.values(), *self.before.values()) for node in nodes}
        while name in self.graph or name in self.graph.groups or name in taken:
            name, number = f"{wished}_{number}", number + 1
        return name

    def drop(self, name: str, stand_in: str) -> None:
        """Take a node out; its readers get the value of another."""
        del self.nodes[name]
        self.gone[name] = stand_in

    def put(self, node: Node) -> None:
        """A node instead of the one of its name."""
        self.nodes[node.name] = node
        self.changed.add(node.name)

    def put_after(self, name: str, node: Node) -> None:
        """A new node right behind another, for its readers to read."""
        self.behind.setdefault(name, []).append(node)

    def put_before(self, name: str, node: Node) -> None:
        """A new node right before another."""
        self.before.setdefault(name, []).append(node)

    def done(self) -> Graph:
        made: dict[str, Node] = {}
        for name in self.graph.digraph:
            for new in self.before.get(name, ()):
                _add(new, made, tuple(self._last(source) for source in new.inputs), anew=True)
            if name not in self.nodes:
                continue
            node = self.nodes[name]
            _add(node, made, tuple(self._last(source) for source in node.inputs), anew=name in self.changed)
            for new in self.behind.get(name, ()):
                _add(new, made, new.inputs, anew=True)
        outputs = tuple(_moved(output, self._last(output.node)) for output in self.graph.outputs)
        return replace(self.graph, outputs=outputs, digraph=digraph_of(made.values()))

    def _last(self, name: str) -> str:
        """The node that has the value of one of the old graph."""
        name = self.resolved(name)
        return self.behind[name][-1].name if name in self.behind else name


def _add(node: Node, made: dict[str, Node], inputs: tuple[str, ...], anew: bool) -> None:
    """Add a node that reads these; its shape and costs are inferred anew where they may differ."""
    node = replace(node, inputs=inputs) if inputs != node.inputs else node
    made[node.name] = inferred(node, tuple(made[name].shape for name in inputs)) if anew else node


def _moved(output: Output, node: str) -> Output:
    return output if output.node == node else replace(output, node=node)
