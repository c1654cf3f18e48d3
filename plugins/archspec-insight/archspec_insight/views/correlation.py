"""The view `correlation`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.view import Report, Subject
from archspec_insight.chart import PERCENT, Bar, Chart, Panel
from archspec_insight.options import BatchView, Words
from archspec_insight.table import number, table

if TYPE_CHECKING:
    from archspec_insight.measures.correlation import Correlations, LayerCorrelation

MOST_SIZES = 4
"""Sizes of groups that a table shows."""


class Correlation(BatchView, name="correlation"):
    """Groups of units whose activations, over images and places, are highly correlated."""

    layers: Words = ()
    """Globs on paths; a group of layers stands for its last one; unsaid, every ReLU."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """The mean absolute correlation between two groups from which on they are one: average linkage."""

    def show(self, subject: Subject) -> Report:
        from archspec_insight.measures.correlation import correlation_groups

        look = self.look(subject)
        found = correlation_groups(
            look.module, look.graph, look.images, layers=self.layers, threshold=self.threshold, seed=self.seed
        )
        title = f"Correlated units of {look.graph.name}"
        about = f"{look.about}, groups from |r| {self.threshold:g} on"
        return Report(f"{title}: {about}\n\n{text(found)}", look.data | data(found), svg(found, title, about))


HEADING = ["layer", "units", "constant", "samples", "mean |r|", "by chance", "groups", "in groups", "sizes"]


CLOSING = """by chance: the mean |r| of independent units on as many independent samples; where `mean |r|` is no larger,
groups are chance too, and a larger batch is needed"""


def text(found: Correlations) -> str:
    """A line for each layer, and what the columns mean."""
    rows = [HEADING, *map(_row, found.layers)]
    return f"{table(rows)}\n\n{CLOSING}"


def _row(layer: LayerCorrelation) -> list[str]:
    counts = [f"{count:,}" for count in (layer.units, len(layer.constant), layer.samples)]
    groups = [f"{len(layer.groups):,}", f"{layer.grouped:,}", _sizes(layer)]
    return [layer.name, *counts, number(layer.mean), number(layer.chance), *groups]


def _sizes(layer: LayerCorrelation) -> str:
    """The sizes of the groups, the largest first: 12, 5, 3 x 2."""
    counts = Counter(len(group.units) for group in layer.groups)
    sizes = [f"{count} x {size}" if count > 1 else str(size) for size, count in counts.items()]
    return ", ".join(sizes[:MOST_SIZES] + ["..."] * (len(sizes) > MOST_SIZES))


def data(found: Correlations) -> dict[str, Any]:
    """The same for programs, with the numbers of the units."""
    layers = [
        {
            "name": layer.name,
            "units": layer.units,
            "constant": list(layer.constant),
            "samples": layer.samples,
            "mean": layer.mean,
            "chance": layer.chance,
            "groups": [{"units": list(group.units), "mean": group.mean} for group in layer.groups],
        }
        for layer in found.layers
    ]
    return {"threshold": found.threshold, "layers": layers}


def svg(found: Correlations, title: str, subtitle: str) -> str:
    """The units of each layer side by side: its groups, the largest first, then units alone, then constant ones."""
    rows = [_bars(layer) for layer in found.layers]
    remarks = ["" if layer.mean is None else f"mean |r| {layer.mean:.2f}" for layer in found.layers]
    names = [layer.name for layer in found.layers]
    legend = [
        (Bar("a", 0, 1), "a group"),
        (Bar("b", 0, 1), "the next group"),
        (Bar("d", 0, 1), "units alone"),
        (Bar("c", 0, 1), "constant"),
    ]
    return Chart(title, subtitle, names, [Panel("share of the units", PERCENT, rows)], legend, remarks).svg()


def _bars(layer: LayerCorrelation) -> list[Bar]:
    alone = layer.units - layer.grouped - len(layer.constant)
    sizes = [("ab"[number % 2], len(group.units)) for number, group in enumerate(layer.groups)]
    bars, done = [], 0
    for kind, size in [*sizes, ("d", alone), ("c", len(layer.constant))]:
        bars.append(Bar(kind, done / layer.units, (done + size) / layer.units))
        done += size
    return bars
