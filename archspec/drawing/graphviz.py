"""The usual picture laid out by Graphviz instead: for who prefers its wires. Needs the extra `graphviz`.

Boxes have our sizes, so that all texts fit; Graphviz says where they and the wires go. Wires lead from box to box
through the borders of groups, which have no ports here.
"""

from __future__ import annotations

from typing import Any

from archspec.drawing.dot import quoted
from archspec.drawing.flat import closed_items, edges
from archspec.drawing.item import Item
from archspec.drawing.layout import ARROW, HEADER, PAD, Piece, Placed, Point, Route, closed_size
from archspec.errors import ArchspecError


def place(item: Item, *, down: bool) -> Placed:
    """Everything in the place that Graphviz gives it. Errors: ArchspecError if it is not installed"""
    try:
        import pygraphviz
    except ImportError:
        raise ArchspecError(
            "the engine graphviz needs pygraphviz, which is not installed\n  hint: pip install 'archspec-nn[graphviz]'"
        ) from None
    text = _Writer(item, down).text()
    graph = pygraphviz.AGraph(string=text)
    graph.layout(prog="dot")
    return _Reader(item, down, pygraphviz.AGraph(string=graph.to_string())).placed()


class _Writer:
    """Writes what Graphviz has to lay out."""

    def __init__(self, item: Item, down: bool) -> None:
        self.item, self.down = item, down
        self.number = {id(box): place for place, box in enumerate(closed_items(item))}
        self.clusters = 0

    def text(self) -> str:
        lines = [
            "digraph {",
            f"rankdir={'TB' if self.down else 'LR'}; nodesep=0.28; ranksep=0.36; dpi=72;",
            'node [shape=box, fixedsize=true, label=""];',
            f"edge [arrowhead=normal, arrowsize={ARROW / 10:.2f}];",
        ]
        self._inside(self.item, lines)
        for edge in edges(self.item):
            lines.append(f"n{self.number[id(edge.source)]} -> n{self.number[id(edge.target)]};")
        return "\n".join([*lines, "}"])

    def _inside(self, item: Item, lines: list[str]) -> None:
        for child in item.items:
            if child.open:
                room = child.header_width + 2 * PAD
                lines.append(f"subgraph cluster_{self.clusters} {{")
                lines.append(f'label=<<table border="0" fixedsize="true" width="{room:.0f}" height="{HEADER - 4:.0f}">')
                lines.append(f"<tr><td></td></tr></table>>; margin={PAD:.0f};")
                self.clusters += 1
                self._inside(child, lines)
                lines.append("}")
            else:
                width, height = closed_size(child)
                name = f"n{self.number[id(child)]}"
                lines.append(f"{name} [width={width / 72:.4f}, height={height / 72:.4f}, tooltip={quoted(name)}];")


class _Reader:
    """Reads where Graphviz has put everything."""

    def __init__(self, item: Item, down: bool, graph: Any) -> None:
        self.item, self.down = item, down
        self.graph = graph
        self.number = {id(box): place for place, box in enumerate(closed_items(item))}
        self.clusters = 0
        left, bottom, right, top = _numbers(self.graph.graph_attr["bb"])
        self.left, self.top = left, top
        self.size = (right - left, top - bottom)

    def placed(self) -> Placed:
        items = tuple(self._item(child, self.graph) for child in self.item.items)
        return Placed(self.item, 0.0, 0.0, *self.size, items, tuple(self._routes()))

    def _at(self, x: float, y: float) -> Point:
        return x - self.left, self.top - y

    def _item(self, item: Item, within: Any) -> Placed:
        if not item.open:
            width, height = closed_size(item)
            x, y = self._at(*_numbers(self.graph.get_node(f"n{self.number[id(item)]}").attr["pos"]))
            return Placed(item, x - width / 2, y - height / 2, width, height)
        cluster = within.get_subgraph(f"cluster_{self.clusters}")
        self.clusters += 1
        left, bottom, right, top = _numbers(cluster.graph_attr["bb"])
        x, y = self._at(left, top)
        items = tuple(self._item(child, cluster) for child in item.items)
        return Placed(item, x, y, right - left, top - bottom, items)

    def _routes(self) -> list[Route]:
        ways: dict[tuple[str, str], list[str]] = {}
        for found in self.graph.edges(keys=False):
            ways.setdefault((str(found[0]), str(found[1])), []).append(found.attr["pos"])
        routes = []
        for edge in edges(self.item):
            names = f"n{self.number[id(edge.source)]}", f"n{self.number[id(edge.target)]}"
            pieces, end = self._pieces(ways[names].pop(0) if len(ways[names]) > 1 else ways[names][0])
            ends = (edge.source.box.path, edge.target.box.path)
            points = (pieces[0][0], end)
            routes.append(Route(edge.value, points, *ends, True, edge.dashed, self.down, edge.mark, tuple(pieces)))
        return routes

    def _pieces(self, text: str) -> tuple[list[Piece], Point]:
        """The curves of `e,x,y x0,y0 x1,y1 ...`, and the tip of the arrow."""
        parts = text.split()
        tip = self._at(*_numbers(parts[0].removeprefix("e,")))
        points = [self._at(*_numbers(part)) for part in parts if not part.startswith(("e,", "s,"))]
        pieces = [(points[k], points[k + 1], points[k + 2], points[k + 3]) for k in range(0, len(points) - 3, 3)]
        return pieces, tip


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]
