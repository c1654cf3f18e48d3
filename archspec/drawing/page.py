"""A network as a page to explore: one HTML file that holds all it needs and asks for nothing.

The page lays out by itself whatever is opened and closed in it, with the plans that are made here: `web/layout.js`
is `layout.py` in the browser's language, and a test holds the two together.
"""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Any

from archspec.drawing.diagram import SAME, Box, Diagram
from archspec.drawing.item import Line, Shower, chain_of
from archspec.drawing.label import shape_text
from archspec.drawing.plan import Plan, plan_of_children
from archspec.drawing.skeleton import TooLarge
from archspec.drawing.svg import escaped
from archspec.drawing.text import FAMILY, font_file
from archspec.drawing.theme import THEMES, Theme
from archspec.drawing.words import file_name
from archspec.errors import ArchspecError
from archspec.views.values import field_text


def page(
    diagram: Diagram,
    shower: Shower,
    theme: str,
    title: str,
    subtitle: str,
    depth: int,
    down: bool,
    focus: str = "",
    heat: str = "",
    unfold: bool = False,
    shapes: bool = False,
) -> str:
    """The page of a network, opened to a depth, in a theme that the reader can change.

    `focus` is the path of the box that is selected at first, `heat` the cost that colours show; `shapes` are on wires.
    Errors: ArchspecError if the network is too large to draw
    """
    data = page_data(diagram, shower)
    data |= {"title": title, "subtitle": subtitle, "depth": depth, "down": down, "theme": theme}
    data |= {"focus": focus, "heat": heat, "unfold": unfold, "shapes": shapes}
    data["themes"] = {name: _theme_data(found) for name, found in THEMES.items()}
    data["font"] = {"family": FAMILY, **json.loads(font_file("widths.json"))}
    text = _asset("page.html")
    parts = {
        "title": escaped(title),
        "style": _font_face() + _asset("page.css"),
        "data": _json(data),
        "script": "\n".join(_asset(name) for name in SCRIPTS),
    }
    for name, part in parts.items():
        before, after = text.split(f"<!--{name}-->")
        text = before + part + after
    return text


SCRIPTS = ("layout.js", "draw.js", "reach.js", "search.js", "view.js", "panel.js", "page.js")


def _asset(name: str) -> str:
    return (files("archspec.drawing") / "web" / name).read_text("utf-8")


def _font_face() -> str:
    font = base64.b64encode(font_file("Arimo-Regular.woff2")).decode()
    return f"@font-face{{font-family:Arimo;src:url(data:font/woff2;base64,{font}) format('woff2')}}\n"


def _json(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in, whatever texts are in it."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _theme_data(theme: Theme) -> dict[str, Any]:
    return {
        "background": theme.background,
        "text": theme.text,
        "muted": theme.muted,
        "wire": theme.wire,
        "group": list(theme.group),
        "groupLine": theme.group_line,
        "header": theme.header,
        "families": {name: list(pair) for name, pair in theme.families.items()},
        "changes": {name: list(pair) for name, pair in theme.changes.items()},
        "heat": list(theme.heat),
    }


def page_data(diagram: Diagram, shower: Shower) -> dict[str, Any]:
    """Everything the page knows: boxes in the order of a walk, the network first; what many boxes share, once.

    A box is [kind, label, parent, children, ins, outs, sees]; a kind is what copies have in common; values are numbers
    of `values`, which are [name, shape].
    Errors: ArchspecError if the network is too large to draw
    """
    return _Pager(diagram, shower).data()


class _Pager:
    """Gathers the data of one page."""

    def __init__(self, diagram: Diagram, shower: Shower) -> None:
        self.diagram, self.shower = diagram, shower
        self.boxes: list[list[Any]] = []
        self.kinds: list[dict[str, Any]] = []
        self.plans: list[dict[str, Any]] = []
        self._kind_of: dict[object, int] = {}
        self._plan_of: dict[object, int] = {}
        self._value: dict[str, int] = {}
        self._files: dict[str, int] = {}

    def data(self) -> dict[str, Any]:
        self._add(self.diagram.root, -1)
        graph = self.diagram.graph
        return {
            "name": graph.name,
            "boxes": self.boxes,
            "kinds": self.kinds,
            "plans": self.plans,
            "values": [[name, shape_text(graph[name].shape)] for name in self._value],
            "files": list(self._files),
            "comparing": self.shower.comparing,
        }

    def _add(self, box: Box, parent: int) -> int:
        number = len(self.boxes)
        sees = self.shower.costs.sees(box) if box.kind not in ("network", "input") else None
        record: list[Any] = [
            self._kind(box),
            box.label,
            parent,
            [],
            [self._number(name) for name in box.ins],
            [self._number(name) for name in box.outs],
            list(sees.size) if sees else 0,
        ]
        self.boxes.append(record)
        record[3] = [self._add(child, number) for child in box.children]
        return number

    def _number(self, value: str) -> int:
        return self._value.setdefault(value, len(self._value))

    def _kind(self, box: Box) -> int:
        """The number of what a box has in common with its copies: all that is said of it, but for its name."""
        found = self._kind_data(box)
        key = json.dumps(found)
        if key not in self._kind_of:
            self._kind_of[key] = len(self.kinds)
            self.kinds.append({name: value for name, value in found.items() if value or name == "plan"})
        return self._kind_of[key]

    def _kind_data(self, box: Box) -> dict[str, Any]:
        costs, at = self.shower.costs, box.position
        return {
            "kind": box.kind,
            "op": box.op,
            "says": box.says,
            "family": box.family,
            "count": box.count,
            "run": box.kind == "fold" and box.path == box.children[0].path,
            "lines": _texts(self.shower.lines(box)[1:]),
            "header": _texts(self.shower.header(box)[1:]) if box.is_group else [],
            "unfolded": _texts(self.shower.unfolded_header(box)[1:]) if box.kind == "fold" else [],
            "params": costs.params(box),
            "macs": costs.macs(box),
            "memory": costs.memory(box),
            "saved": costs.saved(box),
            "fields": {name: field_text(value) for name, value in box.fields.items()},
            "training": box.training_only,
            "places": list(box.places) if self.shower.several_places and box.kind != "output" else [],
            "gain": list(self.shower.gain(box)) if self.shower.comparing else [],
            "now": self._now(box) if self.shower.comparing else [],
            "change": box.mark.change if box.mark.change != SAME.change else "",
            "changeText": box.mark.text,
            "shares": box.node.shares if box.node else "",
            "weights": _weights(box),
            "place": [self._file(file_name(at)), at.line] if at else [],
            "plan": self._plan(box) if box.is_group else -1,
        }

    def _now(self, box: Box) -> list[int]:
        """The params and MACs that the second network has in a box."""
        nodes = [self.diagram.graph[name] for name in box.nodes if self._mark(name) != "removed"]
        return [sum(node.params for node in nodes), sum(node.macs for node in nodes)]

    def _mark(self, name: str) -> str:
        return self.diagram.marks[name].change if name in self.diagram.marks else SAME.change

    def _file(self, name: str) -> int:
        return self._files.setdefault(name, len(self._files))

    def _plan(self, box: Box) -> int:
        """The plan of a group, and of a fold that of all its copies in a chain; -1 if it is too large to open."""
        wires = chain_of(box) if box.kind == "fold" else box.wires
        try:
            plan = plan_of_children(box.children, len(box.ins), len(box.outs), wires)
        except TooLarge:
            if box.kind != "network":
                return -1
            raise ArchspecError(f"{box.label}: too large to draw: too many long wires") from None
        marks = tuple(wire.mark for wire in wires)
        if (plan, marks) not in self._plan_of:
            self._plan_of[(plan, marks)] = len(self.plans)
            self.plans.append(_plan_data(plan, marks))
        return self._plan_of[(plan, marks)]


def _plan_data(plan: Plan, marks: tuple[str, ...]) -> dict[str, Any]:
    return {
        "children": plan.children,
        "inPorts": plan.in_ports,
        "outPorts": plan.out_ports,
        "rows": plan.rows,
        "ways": plan.ways,
        "ports": plan.ports,
        "strings": plan.strings,
        "slots": plan.slots,
        "exits": plan.exits,
        "marks": marks if any(marks) else 0,
    }


def _texts(lines: tuple[Line, ...]) -> list[list[str]]:
    return [[line.text, line.role] for line in lines]


def _weights(box: Box) -> list[list[str]]:
    if box.node is None:
        return []
    return [[name, "×".join(map(str, weight.shape))] for name, weight in box.node.weights.items()]
