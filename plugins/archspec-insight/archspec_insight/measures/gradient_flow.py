"""How large gradients are from the outputs of a network to its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, isfinite

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archspec.graph.graph import Graph, Node, Output
from archspec_insight.errors import InsightError
from archspec_insight.layers import covered
from archspec_insight.measures.batch import Images, labels_of
from archspec_insight.measures.twin import Twin, finite

Target = tuple[str, str | None]
"""A layer's path with the name of a parameter, or with None for the layer's value."""
Gradients = Mapping[Target, list[Tensor]]
"""What is to be summed up; nothing where a loss does not depend on a target."""


@dataclass(frozen=True, slots=True)
class LayerGradient:
    """The Euclidean norms of the loss's gradients at one layer."""

    name: str
    op: str
    value: float
    """By the layer's output for the whole batch, of the loss over all outputs."""
    weights: float | None
    """By its parameters, taken as one vector; None for a layer that uses those of another."""
    value_main: float | None
    """As `value`, of the loss over the main outputs alone; None where these do not need the layer."""
    weights_main: float | None

    @property
    def auxiliary(self) -> bool:
        """Whether only auxiliary heads need the layer."""
        return self.value_main is None


@dataclass(frozen=True, slots=True)
class OutputLoss:
    """The loss at one output."""

    name: str
    loss: float
    """Mean cross-entropy, without its weight."""
    weight: float
    training_only: bool


@dataclass(frozen=True, slots=True)
class GradientFlow:
    """The layers with parameters, from the outputs to the inputs: in the reverse of execution order."""

    layers: tuple[LayerGradient, ...]
    losses: tuple[OutputLoss, ...]

    @property
    def has_auxiliary(self) -> bool:
        return any(loss.training_only for loss in self.losses)


@torch.enable_grad()
def gradient_flow(
    module: nn.Module,
    graph: Graph,
    images: Images,
    labels: Sequence[int] | Tensor | None = None,
    *,
    layers: Iterable[str] = (),
    seed: int = 0,
) -> GradientFlow:
    """The norms of the gradients of the loss, with auxiliary heads and without, at every layer with parameters.

    The loss is the cross-entropy of each output, averaged over images and places, times the output's `loss_weight`,
    summed. Both cases come from one forward pass in the module's mode, with one draw of dropout, from `seed`;
    auxiliary heads are computed in evaluation too. Labels that are not given are drawn from `seed`. Parameters that
    are frozen count as if they were trained. `layers` are globs: a group that one matches stands for all inside.
    Errors: InsightError if a glob matches no layer with parameters, labels do not fit, an output has one class, or
        a loss or gradient is not finite
    Source: Szegedy et al. 2015, section 5, on auxiliary classifiers; He et al. 2015, section 4.1, on plain networks
    """
    chosen = covered(_holders(graph), layers, "layer with parameters")
    ends = [graph[output.node] for output in graph.outputs]
    twin = Twin(module, graph, [node.name for node in (*chosen, *ends)])
    values = twin.values(images, seed)
    losses = {output: _loss(graph[output.node], values[output.node], labels, seed) for output in graph.outputs}
    finite({output.name: loss for output, loss in losses.items()}, "loss at the output")
    targets: dict[Target, Tensor] = {}
    for node in chosen:
        targets[node.name, None] = values[node.name]
        targets |= {(node.name, name): twin.module.get_parameter(node.key(name)) for name in node.weights}
    main, extra = (_gradients(losses, targets, training_only) for training_only in (False, True))
    both = {target: [*main[target], *extra[target]] for target in targets}
    needed = graph.inference()
    found = [_layer(node, both, main if node.name in needed else None) for node in chosen]
    reports = [OutputLoss(o.name, loss.item(), o.loss_weight, o.training_only) for o, loss in losses.items()]
    return GradientFlow(tuple(found), tuple(reports))


def _holders(graph: Graph) -> list[Node]:
    """The layers with parameters, their own or shared, from output to input. Errors: InsightError without any"""
    found = [node for node in reversed(graph.layers) if graph[node.shares or node.name].weights]
    if not found:
        raise InsightError(f"{graph.name} has no layer with parameters")
    return found


def _loss(node: Node, value: Tensor, given: Sequence[int] | Tensor | None, seed: int) -> Tensor:
    """The mean cross-entropy over images and places, of logits, log-probabilities or the output of a softmax."""
    classes = node.shape.width_of_place
    if classes == 1:
        raise InsightError(f"`{node.name}` has one feature: the cross-entropy of one class is always 0")
    labels = labels_of(given, len(value), classes, seed).to(value.device)
    scores = value.movedim(node.shape.channel_dim, 1)
    target = labels.reshape(-1, *[1] * (scores.ndim - 2)).expand(len(value), *scores.shape[2:])
    return F.cross_entropy(scores.log() if node.op == "softmax" else scores, target)


def _gradients(losses: Mapping[Output, Tensor], targets: Mapping[Target, Tensor], training_only: bool) -> Gradients:
    """Those of the weighted sum of the main losses, or of those that only training has."""
    chosen = [loss * output.loss_weight for output, loss in losses.items() if output.training_only is training_only]
    if not chosen:
        return {target: [] for target in targets}
    total = torch.stack(chosen).sum()
    found = torch.autograd.grad(total, list(targets.values()), retain_graph=True, allow_unused=True)
    return {target: [] if one is None else [one] for target, one in zip(targets, found, strict=True)}


def _layer(node: Node, both: Gradients, main: Gradients | None) -> LayerGradient:
    names = list(node.weights)
    own = bool(names)
    return LayerGradient(
        node.name,
        node.op,
        _norm(node, both, [None]),
        _norm(node, both, names) if own else None,
        _norm(node, main, [None]) if main else None,
        _norm(node, main, names) if main and own else None,
    )


def _norm(node: Node, gradients: Gradients, names: Sequence[str | None]) -> float:
    """The norm of some gradients as one vector. Errors: InsightError if it is not finite"""
    sums = [sum(found[1:], start=found[0]) for name in names if (found := gradients[node.name, name])]
    norm = hypot(*(float(torch.linalg.vector_norm(gradient, dtype=torch.float64)) for gradient in sums))
    if not isfinite(norm):
        raise InsightError(f"the gradient at `{node.name}` is NaN or infinite", "the weights may be far too large")
    return norm
