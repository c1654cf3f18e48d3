"""Groups of units that say the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, lgamma, pi, sqrt

import torch
from torch import Tensor, nn

from archspec.graph.graph import Graph, Node
from archspec_insight.errors import InsightError
from archspec_insight.layers import named, relus
from archspec_insight.measures.batch import Images
from archspec_insight.measures.twin import Twin, finite


@dataclass(frozen=True, slots=True)
class UnitGroup:
    """Units that are highly correlated with each other."""

    units: tuple[int, ...]
    """Their numbers."""
    mean: float
    """Mean absolute correlation of the pairs inside: the threshold or more."""


@dataclass(frozen=True, slots=True)
class LayerCorrelation:
    """How the units of one layer are correlated."""

    name: str
    """The path it was chosen by: its own, or that of a group whose last layer it is."""
    units: int
    """Channels of a feature map, or features."""
    constant: tuple[int, ...]
    """Numbers of the units that never change, as dead ones. They have no correlation and are in no group."""
    samples: int
    """Images times places."""
    mean: float | None
    """Mean absolute correlation of all pairs of units that change; None where there are no two."""
    groups: tuple[UnitGroup, ...]
    """Those of two units or more, the largest first."""

    @property
    def chance(self) -> float:
        """The mean absolute correlation that independent normal units would show on so many independent samples."""
        return exp(lgamma((self.samples - 1) / 2) - lgamma(self.samples / 2)) / sqrt(pi)

    @property
    def grouped(self) -> int:
        """Units that are in a group."""
        return sum(len(group.units) for group in self.groups)


@dataclass(frozen=True, slots=True)
class Correlations:
    """The chosen layers of a network on a batch, in execution order."""

    layers: tuple[LayerCorrelation, ...]
    threshold: float


@torch.no_grad()
def correlation_groups(
    module: nn.Module,
    graph: Graph,
    images: Images,
    *,
    layers: Iterable[str] = (),
    threshold: float = 0.8,
    seed: int = 0,
) -> Correlations:
    """The groups of highly correlated units in some layers.

    The correlation of two units is Pearson's, over all images and places, in the module's mode. Units are grouped by
    average linkage: the two groups with the largest mean absolute correlation between them become one, again and
    again, as long as it is `threshold` or more. `layers` are globs; a group of layers stands for its last one; without
    any, every ReLU is looked at. Dropout draws from `seed`.
    Cost:   memory for some float64 matrices of units x units, besides the values
    Errors: InsightError if a glob matches nothing, a layer gives fewer than 3 samples, or a value is not finite
    Source: Arora et al. 2014, "Provable bounds for learning some deep representations", as Szegedy et al. 2015,
        section 3, take it up: layers are built from groups of the units before them with high correlation
    """
    if not 0 < threshold < 1:
        raise InsightError(f"threshold must be between 0 and 1, found {threshold}")
    wanted = tuple(layers)
    running = graph if module.training else graph.inference()
    chosen = named(graph, wanted) if wanted else {node.name: node for node in relus(running)}
    values = Twin(module, graph, [node.name for node in chosen.values()]).values(images, seed)
    finite(values)
    found = [_layer(path, node, values[node.name], threshold) for path, node in chosen.items()]
    return Correlations(tuple(found), threshold)


def _layer(path: str, node: Node, value: Tensor, threshold: float) -> LayerCorrelation:
    units = value.movedim(node.shape.channel_dim, 1).flatten(2) if value.ndim > 2 else value[:, :, None]
    samples = units.shape[0] * units.shape[2]
    if samples < 3:
        hint = "a larger batch: a vector gives one sample for each image"
        raise InsightError(f"`{path}` gives {samples} of the 3 samples or more that a correlation needs", hint)
    varying = units.amax(dim=(0, 2)) != units.amin(dim=(0, 2))
    numbers = varying.nonzero().flatten().tolist()
    strength = correlation(units[:, varying]).abs().cpu()
    groups = [
        UnitGroup(tuple(numbers[index] for index in members), _mean_of_pairs(strength[members][:, members]))
        for members in average_linkage(strength, threshold)
    ]
    mean = _mean_of_pairs(strength) if len(numbers) > 1 else None
    constant = (~varying).nonzero().flatten().tolist()
    return LayerCorrelation(path, len(varying), tuple(constant), samples, mean, tuple(groups))


def correlation(units: Tensor) -> Tensor:
    """Pearson's correlation of every two units, in float64.

    Shape: images x units x places -> units x units
    """
    mean = units.mean(dim=(0, 2), dtype=torch.float64)[:, None]
    products = torch.zeros(units.shape[1], units.shape[1], dtype=torch.float64, device=units.device)
    for image in units:  # one by one, so that only one is held in float64
        centred = image.double() - mean
        products += centred @ centred.T
    scale = products.diagonal().rsqrt()
    found = products * torch.outer(scale, scale)
    return ((found + found.T) / 2).clamp(-1, 1)


def _mean_of_pairs(strength: Tensor) -> float:
    """The mean off the diagonal."""
    count = len(strength)
    return float(strength.sum() - strength.diagonal().sum()) / (count * (count - 1))


def average_linkage(strength: Tensor, threshold: float) -> list[list[int]]:
    """Groups of two or more by average linkage, the largest first, from a symmetric matrix of strengths from 0 to 1.

    A chain leads from a group to its nearest one until two are each other's nearest: these become one. It gives the
    groups that taking the nearest two of all would, and looks at one row of the matrix a step.
    Source: Murtagh 1983, "A survey of recent advances in hierarchical clustering algorithms"
    """
    near = strength.clone().fill_diagonal_(GONE)
    groups = {number: [number] for number in range(len(near))}
    found, chain = [], list[int]()
    while groups:
        tip = chain[-1] if chain else next(iter(groups))
        before = chain[-2] if len(chain) > 1 else None
        nearest = int(near[tip].argmax())
        if float(near[tip, nearest]) < threshold:  # nor will anything come nearer; the chain has no other link
            found.append(sorted(groups.pop(tip)))
            near[:, tip] = GONE
            chain = []
        elif before is not None and near[tip, before] == near[tip, nearest]:
            _join(near, groups, before, tip)
            chain = chain[:-2]
        else:
            chain = [*chain, nearest] if chain else [tip, nearest]
    return sorted((group for group in found if len(group) > 1), key=lambda group: (-len(group), group))


GONE = -1.0
"""The strength of what is no pair of groups."""


def _join(near: Tensor, groups: dict[int, list[int]], one: int, other: int) -> None:
    """Make two groups the first of them. The strength between groups is the mean over their pairs of units."""
    sizes = len(groups[one]), len(groups[other])
    row = (near[one] * sizes[0] + near[other] * sizes[1]) / sum(sizes)
    row[[one, other]] = GONE
    near[one], near[:, one] = row, row
    near[other], near[:, other] = GONE, GONE
    groups[one] += groups.pop(other)
