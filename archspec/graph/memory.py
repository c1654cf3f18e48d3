"""Memory: what a network's state, values and training take, from shapes alone.

What backward keeps is counted as eager torch keeps it in float32 on the CPU: each storage once, however many layers
need it, with max-pool indices and dropout masks, without parameters and the few numbers per channel of norms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from archspec.graph.graph import Graph, Node

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""Of one element, by dtype."""
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2}
"""How many numbers an optimizer holds for each parameter."""
INDEX_BYTES = 8


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a network takes at one batch size and dtype."""

    weights: int
    """Parameters and buffers."""
    gradients: int
    optimizer: int
    activations: int
    """What the training forward keeps for backward."""
    inference: int
    """The most that is alive at once in evaluation: values that a later layer reads, and the layer's own."""

    @property
    def training(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations


def memory(graph: Graph, batch: int = 1, dtype: str = "float32", optimizer: str = "momentum") -> Memory:
    """The memory of a network, in bytes."""
    size = BYTES[dtype]
    buffers = sum(
        prod(buffer.shape) * (size if buffer.dtype.startswith("float") else 8)
        for node in graph
        for buffer in node.buffers.values()
    )
    return Memory(
        weights=graph.params * size + buffers,
        gradients=graph.params * size,
        optimizer=graph.params * size * OPTIMIZERS[optimizer],
        activations=batch * sum(saved_activations(graph, dtype).values()),
        inference=batch * peak(graph.inference()) * size,
    )


def saved_activations(graph: Graph, dtype: str = "float32") -> Mapping[str, int]:
    """Bytes that the training forward keeps for backward per image, by the node that made them.

    A layer keeps something only if a parameter is before it, or its own.
    """
    home: dict[str, str] = {}  # the node in whose storage a value is
    learns: dict[str, bool] = {}
    kept: dict[str, int] = {}
    extra: dict[str, int] = {}
    size = BYTES[dtype]
    for node in graph:
        own, before = bool(node.weights or node.shares), [learns[name] for name in node.inputs]
        learns[node.name] = own or any(before)
        home[node.name] = home[node.inputs[0]] if node.saves.view else node.name
        if not learns[node.name]:
            continue
        for number in node.saves.inputs:
            others = before[:number] + before[number + 1 :]
            if not node.saves.factors or any(others):
                source = home[node.inputs[number]]
                kept[source] = graph[source].shape.size * size
        if node.saves.output:
            kept[home[node.name]] = graph[home[node.name]].shape.size * size
        if node.saves.elements or node.saves.indices:
            extra[node.name] = node.saves.elements * size + node.saves.indices * INDEX_BYTES
    return {name: total for name in graph.digraph if (total := kept.get(name, 0) + extra.get(name, 0))}


def peak(graph: Graph) -> int:
    """Elements per image alive at once, at most, while a graph runs: values are freed after their last reader."""
    home: dict[str, str] = {}
    last_read: dict[str, str] = {}
    for node in graph:
        home[node.name] = home[node.inputs[0]] if node.saves.view else node.name
        for name in node.inputs:
            last_read[home[name]] = node.name
    for output in graph.outputs:
        last_read[home[output.node]] = ""
    dies: dict[str, list[str]] = {}
    for name, reader in last_read.items():
        dies.setdefault(reader, []).append(name)
    alive = most = 0
    for node in graph:
        if home[node.name] == node.name:
            alive += node.shape.size
        most = max(most, alive)
        alive -= sum(graph[name].shape.size for name in dies.get(node.name, ()))
    return most


def intensity(node: Node, graph: Graph, batch: int = 1, dtype: str = "float32") -> float:
    """MACs per byte that a layer must move at least: its inputs, parameters and output, each once."""
    values = sum(graph[name].shape.size for name in node.inputs) + node.shape.size
    params = graph[node.shares].params if node.shares in graph else node.params
    return node.macs * batch / (BYTES[dtype] * (values * batch + params))
