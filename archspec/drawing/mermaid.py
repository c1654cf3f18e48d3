"""Pictures as Mermaid flowcharts, which code forges show in Markdown."""

from __future__ import annotations

from archspec.drawing.flat import closed_items, edges
from archspec.drawing.item import Item
from archspec.drawing.paint import edge_text
from archspec.drawing.svg import _FORBIDDEN
from archspec.drawing.theme import Theme
from archspec.graph.graph import Graph

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:/×…_-+()²")


def quoted(text: str) -> str:
    """A text as Mermaid holds it between quotes: what could be markup is written by its number."""
    clean = _FORBIDDEN.sub("�", text)
    return '"' + "".join(c if c in _PLAIN else f"#{ord(c)};" for c in clean) + '"'


def mermaid_text(graph: Graph, item: Item, theme: Theme, *, down: bool, edge_shapes: bool) -> str:
    """The picture of a network as a Mermaid flowchart."""
    number = {id(box): place for place, box in enumerate(closed_items(item))}
    lines = [f"flowchart {'TD' if down else 'LR'}"]
    _inside(item, number, lines, "  ", [0])
    for edge in edges(item):
        dashed = edge.source.box.training_only or edge.target.box.training_only
        arrow = "-.->" if dashed else "-->"
        label = f"|{quoted(edge_text(graph, edge.value))}|" if edge_shapes else ""
        lines.append(f"  n{number[id(edge.source)]} {arrow}{label} n{number[id(edge.target)]}")
    families: dict[str, list[str]] = {}
    for box in closed_items(item):
        families.setdefault(box.box.family, []).append(f"n{number[id(box)]}")
    for family, names in families.items():
        fill, line = theme.families[family]
        lines.append(f"  classDef {family} fill:{fill},stroke:{line},color:{theme.text}")
        lines.append(f"  class {','.join(names)} {family}")
    return "\n".join(lines) + "\n"


def _inside(item: Item, number: dict[int, int], lines: list[str], indent: str, count: list[int]) -> None:
    for child in item.items:
        if child.open:
            lines.append(f"{indent}subgraph g{count[0]}[{quoted('  '.join(line.text for line in child.lines))}]")
            count[0] += 1
            _inside(child, number, lines, indent + "  ", count)
            lines.append(f"{indent}end")
            continue
        text = "<br/>".join(quoted(line.text)[1:-1] for line in child.lines)
        left, right = ("([", "])") if child.box.kind in ("input", "output") else ("[", "]")
        left, right = ("[[", "]]") if child.box.is_group else (left, right)
        lines.append(f'{indent}n{number[id(child)]}{left}"{text}"{right}')
