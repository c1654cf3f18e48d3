"""What a pass that optimises a network gives, and the records of how tensors follow."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.graph.graph import Graph


@dataclass(frozen=True, slots=True)
class Folded:
    """A factor and a summand per channel become part of the layer before them."""

    layer: str
    """Path of the layer; it has a bias afterwards."""
    norm: str
    """Path of what is folded into it: a batch norm with its running statistics, or a learned scale."""
    eps: float | None
    """Of the batch norm; None for a scale."""
    axis: int = 0
    """Which axis of the layer's weight is its output channels."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Several convolutions become one, their kernels one after another."""

    layers: tuple[str, ...]
    into: str
    bias: bool
    """Whether any of them has a bias; the others' is zero."""


Rewrite = Folded | Merged
"""How tensors of a state dict change; in the order of the records."""


@dataclass(frozen=True)
class Change:
    """A network after a pass."""

    graph: Graph
    rewrites: tuple[Rewrite, ...] = ()
    did: str = ""
    """What the pass did; empty if nothing."""


def counted(number: int, noun: str) -> str:
    """`1 batch norm`, `3 batch norms`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
