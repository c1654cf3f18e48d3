"""archspec: declarative specs of neural networks, compiled to plain PyTorch.

    graph = archspec.compile(archspec.load("specs/alexnet.yaml"))
    module = archspec.build("alexnet", set={"classes": 10}, seed=0)

Importing this costs next to nothing; what is named here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.api import build, compile, load, render
    from archspec.drawing.picture import Picture
    from archspec.errors import ArchspecError, BuildError, Position, Problem, ShapeError, SpecError
    from archspec.graph.graph import Graph, Node
    from archspec.spec.document import Spec

__version__ = "0.1.0"
__distribution__ = "archspec-nn"

_HOMES = {
    "ArchspecError": "archspec.errors",
    "BuildError": "archspec.errors",
    "Graph": "archspec.graph.graph",
    "Node": "archspec.graph.graph",
    "Picture": "archspec.drawing.picture",
    "Position": "archspec.errors",
    "Problem": "archspec.errors",
    "ShapeError": "archspec.errors",
    "Spec": "archspec.spec.document",
    "SpecError": "archspec.errors",
    "build": "archspec.api",
    "compile": "archspec.api",
    "load": "archspec.api",
    "render": "archspec.api",
}

__all__ = [
    "ArchspecError",
    "BuildError",
    "Graph",
    "Node",
    "Picture",
    "Position",
    "Problem",
    "ShapeError",
    "Spec",
    "SpecError",
    "build",
    "compile",
    "load",
    "render",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
