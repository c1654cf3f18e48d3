"""How specs and graphs show themselves in notebooks: drawn.

They know nothing of drawing, which is above them; so they are told here. A module knows its graph, see `lowering`.
"""

from __future__ import annotations

from collections.abc import Callable

from archspec.errors import ArchspecError
from archspec.graph.graph import Graph
from archspec.spec.document import Spec


def teach(compile_spec: Callable[[Spec], Graph]) -> None:
    """Let specs and graphs draw themselves."""

    def graph_svg(graph: Graph) -> str | None:
        from archspec.drawing.picture import shown

        return shown(graph)

    def spec_svg(spec: Spec) -> str | None:
        try:
            return graph_svg(compile_spec(spec))
        except ArchspecError:
            return None  # the notebook shows its text instead

    Graph._repr_svg_ = graph_svg  # type: ignore[attr-defined]
    Spec._repr_svg_ = spec_svg  # type: ignore[attr-defined]
