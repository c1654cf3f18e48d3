"""The view `gradient-flow`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.view import Report, Subject
from archspec_insight.chart import Chart, Dot, LogAxis, Mark, Panel
from archspec_insight.options import BatchView, Words
from archspec_insight.table import number, table

if TYPE_CHECKING:
    from archspec_insight.measures.gradient_flow import GradientFlow, LayerGradient, OutputLoss


class GradientFlowView(BatchView, name="gradient-flow"):
    """The norms of the loss's gradients from output to input, with auxiliary heads and without."""

    layers: Words = ()
    """Globs on paths of layers with parameters or of groups that they are inside; unsaid, all."""
    labels: list[Annotated[int, Field(ge=0)]] = []
    """A class for each image; unsaid, the tensor `labels` of the file of images, or else random."""

    def show(self, subject: Subject) -> Report:
        from archspec_insight.measures.gradient_flow import gradient_flow

        look = self.look(subject)
        labels = self.labels or look.labels
        found = gradient_flow(look.module, look.graph, look.images, labels, layers=self.layers, seed=self.seed)
        title = f"Gradient flow of {look.graph.name}"
        about = f"{look.about}, {'random' if labels is None else 'given'} labels"
        return Report(f"{title}: {about}\n\n{text(found)}", look.data | data(found), svg(found, title, about))


CLOSING = "main only: of the main outputs' loss; ratio: all to main; empty where only auxiliary heads need the layer"


def text(found: GradientFlow) -> str:
    """The losses, and a line for each layer from the outputs to the inputs."""
    more = ["main only", "ratio"] if found.has_auxiliary else []
    rows = [["layer", "op", "d value", *more, "d weights", *more]]
    rows += [_row(layer, found.has_auxiliary) for layer in found.layers]
    closing = ["", CLOSING] if found.has_auxiliary else []
    return "\n".join([*map(_loss, found.losses), "", table(rows, left=2), *closing])


def _row(layer: LayerGradient, with_main: bool) -> list[str]:
    row = [layer.name, layer.op]
    for norm, main in (layer.value, layer.value_main), (layer.weights, layer.weights_main):
        ratio = norm / main if norm is not None and main else None
        row += [number(norm), number(main), number(ratio)] if with_main else [number(norm)]
    return row


def _loss(loss: OutputLoss) -> str:
    kind = ", auxiliary" if loss.training_only else ""
    return f"loss at {loss.name}: {loss.loss:.4g} (weight {loss.weight:g}{kind})"


def data(found: GradientFlow) -> dict[str, Any]:
    """The same for programs."""
    losses = [
        {"output": one.name, "loss": one.loss, "weight": one.weight, "training_only": one.training_only}
        for one in found.losses
    ]
    layers = [
        {
            "name": layer.name,
            "op": layer.op,
            "value": layer.value,
            "weights": layer.weights,
            "value_main": layer.value_main,
            "weights_main": layer.weights_main,
            "auxiliary": layer.auxiliary,
        }
        for layer in found.layers
    ]
    return {"losses": losses, "layers": layers}


def svg(found: GradientFlow, title: str, subtitle: str) -> str:
    """Two panels, of values and of weights: a dot for each layer, and a ring for the main outputs only."""
    values = [(layer.value, layer.value_main) for layer in found.layers]
    weights = [(layer.weights, layer.weights_main) for layer in found.layers]
    rings = found.has_auxiliary
    panels = [
        _panel("norm of the gradient by the layer's output", values, rings),
        _panel("norm of the gradient by its weights", weights, rings),
    ]
    legend: list[tuple[Mark, str]] = [(Dot("a", 0.5), "all outputs" if rings else "the loss")]
    if rings:
        legend.append((Dot("c", 0.5, ring=True), "main outputs only"))
    return Chart(title, f"{subtitle}; from output to input", [one.name for one in found.layers], panels, legend).svg()


def _panel(axis: str, norms: Sequence[tuple[float | None, float | None]], rings: bool) -> Panel:
    scale = LogAxis.around(norm for pair in norms for norm in pair if norm is not None)
    rows: list[list[Mark]] = []
    for both, main in norms:
        row: list[Mark] = [Dot("c", scale.at(main), ring=True)] if rings and main is not None else []
        rows.append(row if both is None else [*row, Dot("a", scale.at(both))])
    return Panel(axis, scale.ticks, rows)
