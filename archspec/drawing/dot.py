"""Pictures as Graphviz DOT: clusters for open groups, so that `dot` and its relatives can lay them out."""

from __future__ import annotations

from archspec.drawing.flat import closed_items, edges
from archspec.drawing.item import Item
from archspec.drawing.paint import edge_text
from archspec.drawing.svg import _FORBIDDEN
from archspec.drawing.theme import Theme
from archspec.graph.graph import Graph


def quoted(text: str) -> str:
    """A text as DOT holds it; nothing in it is an escape of Graphviz's, such as a backslash and N for the name."""
    clean = _FORBIDDEN.sub("�", text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{clean}"'


def dot_text(graph: Graph, item: Item, theme: Theme, *, down: bool, edge_shapes: bool) -> str:
    """The picture of a network as a DOT file."""
    number = {id(box): place for place, box in enumerate(closed_items(item))}
    lines = [
        f"digraph {quoted(graph.name)} {{",
        f"  rankdir={'TB' if down else 'LR'};",
        f"  bgcolor={quoted(theme.background)};",
        '  node [shape=box, style="rounded,filled", fontname="Arial", fontsize=11, margin="0.12,0.06"];',
        f'  edge [fontname="Arial", fontsize=9, color={quoted(theme.wire)}, fontcolor={quoted(theme.muted)}];',
    ]
    _inside(item, number, theme, lines, "  ", [0])
    for edge in edges(item):
        label = f"label={quoted(edge_text(graph, edge.value))}" if edge_shapes else ""
        dashed = "style=dashed" if edge.source.box.training_only or edge.target.box.training_only else ""
        said = ", ".join(text for text in (label, dashed) if text)
        ends = f"n{number[id(edge.source)]} -> n{number[id(edge.target)]}"
        lines.append(f"  {ends}{f' [{said}]' if said else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def _inside(item: Item, number: dict[int, int], theme: Theme, lines: list[str], indent: str, count: list[int]) -> None:
    for child in item.items:
        if not child.open:
            lines.append(f"{indent}n{number[id(child)]} [{_attributes(child, theme)}];")
            continue
        lines.append(f"{indent}subgraph cluster_{count[0]} {{")
        count[0] += 1
        title = "  ".join(line.text for line in child.lines)
        style = "rounded,filled,dashed" if child.box.training_only else "rounded,filled"
        lines.append(f"{indent}  label={quoted(title)}; labeljust=l; fontname={quoted('Arial')}; fontsize=11;")
        lines.append(f"{indent}  style={quoted(style)}; fillcolor={quoted(theme.group[0])};")
        lines.append(f"{indent}  color={quoted(theme.group_line)}; fontcolor={quoted(theme.text)};")
        _inside(child, number, theme, lines, indent + "  ", count)
        lines.append(f"{indent}}}")


def _attributes(item: Item, theme: Theme) -> str:
    fill, line = theme.families[item.box.family]
    style = "rounded,filled" + (",dashed" if item.box.training_only else "")
    found = {
        "label": "\n".join(text.text for text in item.lines),
        "tooltip": item.box.path,
        "fillcolor": fill,
        "color": line,
        "fontcolor": theme.text,
        "style": style,
    }
    if item.box.is_group:
        found["peripheries"] = "2"
    return ", ".join(f"{name}={quoted(text)}" for name, text in found.items())
