"""Pictures as Graphviz DOT: clusters for open groups, so that `dot` and its relatives can lay them out."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.drawing.flat import FlatWriter, edges
from archspec.drawing.item import Item
from archspec.drawing.label import shape_text
from archspec.drawing.svg import printable


def quoted(text: str) -> str:
    """A text as DOT holds it; nothing in it is an escape of Graphviz's, such as a backslash and N for the name."""
    clean = printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{clean}"'


@dataclass
class DotWriter(FlatWriter):
    """Writes one network as DOT."""

    background: str = "transparent"

    def text(self) -> str:
        """The file."""
        theme = self.colours.theme
        number = self.numbers()
        self.lines = [
            f"digraph {quoted(self.graph.name)} {{",
            f"  rankdir={'TB' if self.down else 'LR'};",
            f"  bgcolor={quoted(self.background)};",
            '  node [shape=box, style="rounded,filled", fontname="Arial", fontsize=11, margin="0.12,0.06"];',
            f'  edge [fontname="Arial", fontsize=9, color={quoted(theme.wire)}, fontcolor={quoted(theme.muted)}];',
        ]
        self._inside(self.item, number, "  ")
        for edge in edges(self.item):
            said = []
            if self.edge_shapes:
                said.append(f"label={quoted(shape_text(self.graph[edge.value].shape))}")
            if edge.dashed or edge.mark == "removed":
                said.append("style=dashed")
            if edge.mark:
                said.append(f"color={quoted(self.colours.of_wire(edge.mark))}")
            ends = f"n{number[id(edge.source)]} -> n{number[id(edge.target)]}"
            attributes = f" [{', '.join(said)}]" if said else ""
            self.lines.append(f"  {ends}{attributes};")
        return "\n".join([*self.lines, "}"]) + "\n"

    def _inside(self, item: Item, number: dict[int, int], indent: str) -> None:
        theme = self.colours.theme
        for child in item.items:
            if not child.open:
                self.lines.append(f"{indent}n{number[id(child)]} [{self._attributes(child)}];")
                continue
            title = "  ".join(line.text for line in child.lines)
            style = "rounded,filled,dashed" if child.box.training_only else "rounded,filled"
            self.lines += [
                f"{indent}subgraph cluster_{self.groups} {{",
                f"{indent}  label={quoted(title)}; labeljust=l; fontname={quoted('Arial')}; fontsize=11;",
                f"{indent}  style={quoted(style)}; fillcolor={quoted(theme.group[0])};",
                f"{indent}  color={quoted(theme.group_line)}; fontcolor={quoted(theme.text)};",
            ]
            self.groups += 1
            self._inside(child, number, indent + "  ")
            self.lines.append(f"{indent}}}")

    def _attributes(self, item: Item) -> str:
        fill, line = self.colours.of(item.box, self.costs)
        found = {
            "label": "\n".join(text.text for text in item.lines),
            "tooltip": item.box.path,
            "fillcolor": fill,
            "color": line,
            "fontcolor": self.colours.ink(item.box, fill, strong=True),
            "style": "rounded,filled" + (",dashed" if item.box.training_only else ""),
        }
        if item.box.is_group:
            found["peripheries"] = "2"
        return ", ".join(f"{name}={quoted(text)}" for name, text in found.items())
