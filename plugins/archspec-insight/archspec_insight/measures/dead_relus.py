"""ReLUs that let nothing through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archspec.graph.graph import Graph, Node
from archspec_insight.layers import RELU_OPS, covered, one_of, relus
from archspec_insight.measures.batch import Images
from archspec_insight.measures.twin import Twin, finite


@dataclass(frozen=True, slots=True)
class ReluActivity:
    """One ReLU-like layer."""

    name: str
    op: str
    units: int
    """Channels of a feature map, or features."""
    dead: tuple[int, ...]
    """Numbers of the units that are zero at every place of every image."""
    zeros: float
    """Share of zero elements."""

    @property
    def dead_share(self) -> float:
        return len(self.dead) / self.units


@dataclass(frozen=True, slots=True)
class DeadRelus:
    """The ReLU-like layers of a network on a batch, in execution order."""

    layers: tuple[ReluActivity, ...]

    @property
    def units(self) -> int:
        return sum(layer.units for layer in self.layers)

    @property
    def dead(self) -> int:
        return sum(len(layer.dead) for layer in self.layers)


@torch.no_grad()
def dead_relus(
    module: nn.Module,
    graph: Graph,
    images: Images,
    *,
    layers: Iterable[str] = (),
    ops: Sequence[str] = RELU_OPS,
    seed: int = 0,
) -> DeadRelus:
    """Which units of the layers of some ops are zero at every place of every image.

    On all images at once, in the module's mode; in evaluation, auxiliary heads are left out. `layers` are globs: a
    group that one matches stands for every such layer inside. Dropout draws from `seed`. ReLUs inside the code of
    another op are not seen.
    Errors: InsightError if there is no such layer, a glob matches none, or a value is not finite
    Source: Maas, Hannun, Ng 2013, "Rectifier nonlinearities improve neural network acoustic models"
    """
    whole = graph if module.training else graph.inference()
    chosen = covered(relus(whole, ops), layers, f"layer whose op is {one_of(ops)}")
    values = Twin(module, graph, [node.name for node in chosen]).values(images, seed)
    finite(values)
    return DeadRelus(tuple(_activity(node, values[node.name]) for node in chosen))


def _activity(node: Node, value: Tensor) -> ReluActivity:
    zero = (value == 0).movedim(node.shape.channel_dim, 0).flatten(1)
    dead = zero.all(dim=1).nonzero().flatten().tolist()
    return ReluActivity(node.name, node.op, len(zero), tuple(dead), float(zero.double().mean()))
