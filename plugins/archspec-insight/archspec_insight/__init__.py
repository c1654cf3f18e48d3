"""Views into a built network, and the measurements behind them.

    found = dead_relus(module, graph, images)

A measurement takes a module, the graph that it was built from, and a batch: a tensor for each input, by its name. It
looks at a copy: the module's mode, gradients and buffers and torch's random state stay as they are. What is named here
is imported when it is first used, and torch with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec_insight.errors import InsightError
    from archspec_insight.measures.batch import Images, random_images, read_images
    from archspec_insight.measures.correlation import Correlations, LayerCorrelation, UnitGroup, correlation_groups
    from archspec_insight.measures.dead_relus import DeadRelus, ReluActivity, dead_relus
    from archspec_insight.measures.gradient_flow import GradientFlow, LayerGradient, OutputLoss, gradient_flow
    from archspec_insight.passes.without_auxiliary import without_auxiliary

_HOMES = {
    "Correlations": "measures.correlation",
    "DeadRelus": "measures.dead_relus",
    "GradientFlow": "measures.gradient_flow",
    "Images": "measures.batch",
    "InsightError": "errors",
    "LayerCorrelation": "measures.correlation",
    "LayerGradient": "measures.gradient_flow",
    "OutputLoss": "measures.gradient_flow",
    "ReluActivity": "measures.dead_relus",
    "UnitGroup": "measures.correlation",
    "correlation_groups": "measures.correlation",
    "dead_relus": "measures.dead_relus",
    "gradient_flow": "measures.gradient_flow",
    "random_images": "measures.batch",
    "read_images": "measures.batch",
    "without_auxiliary": "passes.without_auxiliary",
}

__all__ = [
    "Correlations",
    "DeadRelus",
    "GradientFlow",
    "Images",
    "InsightError",
    "LayerCorrelation",
    "LayerGradient",
    "OutputLoss",
    "ReluActivity",
    "UnitGroup",
    "correlation_groups",
    "dead_relus",
    "gradient_flow",
    "random_images",
    "read_images",
    "without_auxiliary",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec_insight' has no attribute {name!r}")
    return getattr(import_module(f"archspec_insight.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
