"""Pictures as Mermaid flowcharts, which code forges show in Markdown."""

from __future__ import annotations

from archspec.drawing.flat import FlatWriter, closed_items, edges
from archspec.drawing.item import Item
from archspec.drawing.label import shape_text
from archspec.drawing.svg import printable

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:/×…_-+()²→−")


def quoted(text: str) -> str:
    """A text as Mermaid holds it between quotes: what could be markup is written by its number."""
    return '"' + "".join(c if c in _PLAIN else f"#{ord(c)};" for c in printable(text)) + '"'


class MermaidWriter(FlatWriter):
    """Writes one network as a Mermaid flowchart."""

    def text(self) -> str:
        """The file."""
        number = self.numbers()
        self.lines = [f"flowchart {'TD' if self.down else 'LR'}"]
        self._inside(self.item, number, "  ")
        marked: list[tuple[int, str]] = []
        for place, edge in enumerate(edges(self.item)):
            arrow = "-.->" if edge.dashed or edge.mark == "removed" else "-->"
            label = f"|{quoted(shape_text(self.graph[edge.value].shape))}|" if self.edge_shapes else ""
            self.lines.append(f"  n{number[id(edge.source)]} {arrow}{label} n{number[id(edge.target)]}")
            if edge.mark:
                marked.append((place, self.colours.of_wire(edge.mark)))
        self._styles(number)
        self.lines += [f"  linkStyle {place} stroke:{colour}" for place, colour in marked]
        return "\n".join(self.lines) + "\n"

    def _styles(self, number: dict[int, int]) -> None:
        """One class for all boxes of one look."""
        looks: dict[tuple[str, str, str], list[str]] = {}
        for item in closed_items(self.item):
            fill, line = self.colours.of(item.box, self.costs)
            look = (fill, line, self.colours.ink(item.box, fill, strong=True))
            looks.setdefault(look, []).append(f"n{number[id(item)]}")
        for place, ((fill, line, ink), names) in enumerate(looks.items()):
            self.lines.append(f"  classDef look{place} fill:{fill},stroke:{line},color:{ink}")
            self.lines.append(f"  class {','.join(names)} look{place}")

    def _inside(self, item: Item, number: dict[int, int], indent: str) -> None:
        for child in item.items:
            if child.open:
                title = quoted("  ".join(line.text for line in child.lines))
                self.lines.append(f"{indent}subgraph g{self.groups}[{title}]")
                self.groups += 1
                self._inside(child, number, indent + "  ")
                self.lines.append(f"{indent}end")
                continue
            text = "<br/>".join(quoted(line.text)[1:-1] for line in child.lines)
            left, right = ("([", "])") if child.box.kind in ("input", "output") else ("[", "]")
            left, right = ("[[", "]]") if child.box.is_group else (left, right)
            self.lines.append(f'{indent}n{number[id(child)]}{left}"{text}"{right}')
