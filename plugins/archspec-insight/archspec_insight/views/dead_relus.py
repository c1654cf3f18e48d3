"""The view `dead-relus`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.view import Report, Subject
from archspec_insight.chart import PERCENT, Bar, Chart, Panel
from archspec_insight.layers import RELU_OPS
from archspec_insight.options import BatchView, Words
from archspec_insight.table import percent, table

if TYPE_CHECKING:
    from archspec_insight.measures.dead_relus import DeadRelus


class DeadRelusView(BatchView, name="dead-relus"):
    """The units of each ReLU that are zero at every place of every image, and the share of zero elements."""

    layers: Words = ()
    """Globs on paths of ReLUs or of groups that they are inside; unsaid, all."""
    ops: Words = RELU_OPS
    """The ops that count as ReLUs: those whose output can be exactly 0."""

    def show(self, subject: Subject) -> Report:
        from archspec_insight.measures.dead_relus import dead_relus

        look = self.look(subject)
        found = dead_relus(look.module, look.graph, look.images, layers=self.layers, ops=self.ops, seed=self.seed)
        title = f"Dead ReLUs of {look.graph.name}"
        return Report(f"{title}: {look.about}\n\n{text(found)}", look.data | data(found), svg(found, title, look.about))


def text(found: DeadRelus) -> str:
    """A line for each layer, and the sum."""
    rows = [("layer", "op", "units", "dead", "dead %", "zeros %")]
    for layer in found.layers:
        dead = f"{len(layer.dead):,}", percent(layer.dead_share)
        rows.append((layer.name, layer.op, f"{layer.units:,}", *dead, percent(layer.zeros)))
    rows.append(("all", "", f"{found.units:,}", f"{found.dead:,}", percent(found.dead / found.units), ""))
    return table(rows, left=2)


def data(found: DeadRelus) -> dict[str, Any]:
    """The same for programs, with the numbers of the dead units."""
    layers = [
        {"name": layer.name, "op": layer.op, "units": layer.units, "dead": list(layer.dead), "zeros": layer.zeros}
        for layer in found.layers
    ]
    return {"units": found.units, "dead": found.dead, "layers": layers}


def svg(found: DeadRelus, title: str, subtitle: str) -> str:
    """A bar of dead units for each layer, on one of zero elements."""
    rows = [[Bar("b", 0, layer.zeros), Bar("c", 0, layer.dead_share, slim=True)] for layer in found.layers]
    remarks = [f"{len(layer.dead):,} of {layer.units:,} dead" if layer.dead else "" for layer in found.layers]
    names = [layer.name for layer in found.layers]
    legend = [(Bar("c", 0, 1, slim=True), "dead units"), (Bar("b", 0, 1), "zero elements")]
    panel = Panel("share of the layer", PERCENT, rows)
    return Chart(title, subtitle, names, [panel], legend, remarks).svg()
