"""What is drawn of a network: boxes in boxes, and wires between them. Nothing here knows of sizes or colours.

A box is a layer, an input, an output, a group of boxes, or a fold: a run of identical siblings, each reading the one
before it, that is drawn once. Inside a group, wires join its children and the group's own ports: a value that enters
a group has one in-port there, however many children read it, and a value that is read outside has one out-port. So
what is inside a group is the same picture wherever the group stands, and whether or not its children are open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.drawing.label import family_of, label_of
from archspec.errors import Position
from archspec.graph.graph import Graph, Group, Node, Output

BORDER = -1
"""As a child's number in a wire: the group itself, whose port the wire begins or ends at."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A value's way between two children of a group, or a child and the group's border. All are numbers."""

    source: int
    out_port: int
    target: int
    in_port: int
    mark: str = ""
    """`added` or `removed` in a comparison; `dotted` for a shortcut that changes shapes without parameters."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a layer stands in a comparison of two networks."""

    change: str
    """`added`, `removed`, `changed`, `derived` (only its shape or costs differ), or `same`."""
    text: str = ""
    """What has changed, in a few words."""


SAME = Mark("same")


@dataclass(frozen=True, slots=True)
class Box:
    """One thing that is drawn."""

    path: str
    kind: str
    """`input`, `layer`, `output`, `group`, `fold`, or `network` for the whole."""
    label: str
    """Its name: the last of the path."""
    op: str
    """The op; of a group, its block's name, or nothing."""
    says: str
    """The op as a paper writes it: 3x3 conv, 64, /2."""
    family: str
    """Which kind of op it is, for its colour."""
    ins: tuple[str, ...] = ()
    """The values that enter, one per in-port: names of nodes."""
    outs: tuple[str, ...] = ()
    """The values that leave."""
    children: tuple[Box, ...] = ()
    """Of a group, what is inside; of a fold, its copies."""
    wires: tuple[Wire, ...] = ()
    node: Node | None = None
    group: Group | None = None
    training_only: bool = False
    places: tuple[int, ...] = (0,)
    mark: Mark = SAME
    nodes: tuple[str, ...] = ()
    """Names of the layers inside, itself included."""
    signature: int = 0
    """Equal for boxes that look the same inside."""

    @property
    def is_group(self) -> bool:
        """Whether there is something inside."""
        return bool(self.children)

    @property
    def values(self) -> tuple[str, ...]:
        """The values whose shapes it shows: what it gives, or of an output what it is given."""
        return self.ins if self.kind == "output" else self.outs

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of a layer, the params of a block."""
        return self.node.fields if self.node else self.group.params if self.group else {}

    @property
    def position(self) -> Position | None:
        """Where it is written."""
        at = self.node or self.group
        return at.position if at else None

    @property
    def count(self) -> int:
        """How many copies a fold stands for."""
        return len(self.children) if self.kind == "fold" else 1

    @property
    def value(self) -> str:
        """The last value that leaves it, in order of execution; of an output, the one that it names."""
        last = {name: number for number, name in enumerate(self.nodes)}
        return max(self.values, key=lambda value: last.get(value, -1))

    @property
    def main_layer(self) -> Node | None:
        """The layer that it is about: itself, or of a group its only one with a window or many weights."""
        if self.node is not None or self.kind == "fold" or self.family == "group":
            return self.node
        main = [box for box in self.children if box.family == self.family]
        return main[0].main_layer if main else None


@dataclass(slots=True)
class _Draft:
    """A group while it is filled."""

    path: str
    label: str
    node: Node | None = None
    output: Output | None = None
    children: dict[str, _Draft] = field(default_factory=dict)
    ins: dict[str, int] = field(default_factory=dict)
    outs: dict[str, int] = field(default_factory=dict)
    wires: dict[tuple[str, int, str, int], set[str]] = field(default_factory=dict)
    """(child or "", its port, child or "", its port) -> the marks of the readings that pass there."""

    def wire(self, source: str, out_port: int, target: str, in_port: int, mark: str) -> None:
        self.wires.setdefault((source, out_port, target, in_port), set()).add(mark)


Readings = Mapping[tuple[str, str], str]
"""In a comparison: (source, reader) -> `added` or `removed`, where it is either."""


@dataclass
class Diagram:
    """A network as boxes."""

    graph: Graph
    root: Box
    marks: Mapping[str, Mark]
    readings: Readings

    def find(self, path: str) -> tuple[Box, ...]:
        """The boxes from the whole network down to a path; empty if nothing has it."""
        way = [self.root]
        while way[-1].path != path:
            inner = [box for box in _copies(way[-1].children) if path == box.path or path.startswith(box.path + ".")]
            if not inner:
                return ()
            way.append(inner[0])
        return tuple(way)


def _copies(boxes: Iterable[Box]) -> Iterator[Box]:
    """Boxes, and of a fold that is no group of its own, its copies."""
    for box in boxes:
        if box.kind == "fold" and box.path == box.children[0].path:
            yield from box.children
        else:
            yield box


def diagram_of(graph: Graph, marks: Mapping[str, Mark] | None = None, readings: Readings | None = None) -> Diagram:
    """The boxes of a network. `marks` and `readings` tell of a comparison how layers and wires stand."""
    return Diagram(graph, _Maker(graph, marks or {}, readings or {}).network(), marks or {}, readings or {})


class _Maker:
    """Makes the boxes of one network."""

    def __init__(self, graph: Graph, marks: Mapping[str, Mark], readings: Readings) -> None:
        self.graph, self.marks, self.readings = graph, marks, readings
        self.inference = {node.name for node in graph.inference()} if graph.main_outputs else set()
        self._numbers: dict[object, int] = {}

    def network(self) -> Box:
        root = _Draft("", self.graph.name)
        for node in self.graph:
            _put(root, node)
        for output in self.graph.outputs:
            name = f"output {output.name}"
            root.children[name] = _Draft(name, output.name, output=output)
        for node in self.graph:
            for port, source in enumerate(node.inputs):
                mark = self.readings.get((source, node.name), "")
                _connect(root, source, node.name.split("."), port, mark)
        for output in self.graph.outputs:
            name = f"output {output.name}"
            _connect(root, output.node, [name], 0, self.readings.get((output.node, name), ""))
        return replace(self._group(root), kind="network")

    def _number(self, thing: object) -> int:
        return self._numbers.setdefault(thing, len(self._numbers))

    def _box(self, draft: _Draft) -> Box:
        if draft.children:
            return self._group(draft)
        return self._output(draft, draft.output) if draft.output else self._leaf(draft)

    def _output(self, draft: _Draft, output: Output) -> Box:
        says = "output"
        if output.training_only:
            says = "in training only" if output.loss_weight == 1 else f"in training, loss x {output.loss_weight:g}"
        signature = self._number(("output", output.name))
        mark = self.marks.get(draft.path, SAME)
        return Box(
            draft.path, "output", output.name, "", says, "output", (output.node,),
            training_only=output.training_only, signature=signature, places=(self.graph[output.node].place,), mark=mark,
        )  # fmt: skip

    def _leaf(self, draft: _Draft) -> Box:
        node = draft.node
        assert node is not None
        mark = self.marks.get(node.name, SAME)
        shapes = tuple(str(self.graph[name].shape) for name in node.inputs)
        content = repr(vars(node.block)) if node.block else ""
        training = node.block is not None and node.name not in self.inference and mark.change != "removed"
        alike = (node.op, content, shapes, str(node.shape), node.place, bool(node.shares), training, mark)
        return Box(
            node.name, "input" if node.block is None else "layer", draft.label, node.op, label_of(node, self.graph),
            family_of(node), node.inputs, tuple(draft.outs) or (node.name,), node=node,
            training_only=training, places=(node.place,), mark=mark,
            nodes=(node.name,) if node.block else (), signature=self._number(alike),
        )  # fmt: skip

    def _group(self, draft: _Draft) -> Box:
        boxes = [self._box(child) for child in draft.children.values()]
        at = {name: number for number, name in enumerate(draft.children)} | {"": BORDER}
        wires = [
            Wire(at[a], p, at[b], q, *(marks if len(marks) == 1 else ())) for (a, p, b, q), marks in draft.wires.items()
        ]
        boxes, wires = _folded(boxes, wires)
        group = self.graph.groups.get(draft.path)
        name = group.op if group else ""
        if len(boxes) == 1 and boxes[0].kind == "fold" and not name:
            return replace(boxes[0], path=draft.path, label=draft.label, group=group)
        shapes = tuple(str(self.graph[name].shape) for name in draft.ins)
        alike = (name, tuple((box.kind, box.count, box.signature) for box in boxes), tuple(wires), shapes)
        inner = [box for box in boxes if box.kind != "input"]
        return Box(
            draft.path, "group", draft.label, name, *_contents(boxes, name),
            tuple(draft.ins), tuple(draft.outs), tuple(boxes), tuple(wires), group=group,
            training_only=bool(inner) and all(box.training_only for box in inner),
            places=tuple(sorted({place for box in inner for place in box.places})) or (0,),
            mark=_common_mark(boxes), nodes=tuple(name for box in boxes for name in box.nodes),
            signature=self._number(alike),
        )  # fmt: skip


def _contents(boxes: Sequence[Box], name: str) -> tuple[str, str]:
    """What a closed group says, and its family: copies of one block, or a single layer with weights; else its block."""
    names = {box.op for box in boxes}
    count = sum(box.count for box in boxes)
    if len(names) == 1 and "" not in names and count > 1:
        leaf = next((box.says.split(",")[0] for box in boxes if box.kind == "layer" or not box.is_group), names.pop())
        return times(leaf, count), "group"
    main = [box for box in boxes if box.is_group or box.family in ("convolution", "linear", "pooling", "other")]
    several = any(box.family == "merge" for box in boxes) or len(boxes) > 4
    if len(main) == 1 and not several:
        return main[0].says, main[0].family
    inside = sum(len(box.nodes) for box in boxes)
    return name or f"{inside} layers", "group"


def times(says: str, count: int) -> str:
    """What is there several times: basic × 3, but 3×3 conv, 64 (× 3), so that the number is none of its own."""
    if count == 1:
        return says
    return f"{says} (× {count})" if "," in says or "×" in says else f"{says} × {count}"


def _common_mark(boxes: Sequence[Box]) -> Mark:
    """How a group stands: as all that is inside, or, where they differ, derived if none was edited, else changed."""
    found = {box.mark.change for box in boxes}
    if len(found) == 1:
        return Mark(found.pop())
    return Mark("derived" if found <= {"same", "derived"} else "changed")


def _put(root: _Draft, node: Node) -> None:
    at, path = root, ""
    for name in node.name.split("."):
        path = f"{path}.{name}" if path else name
        at = at.children.setdefault(name, _Draft(path, name))
    at.node = node


def _connect(root: _Draft, source: str, target: list[str], port: int, mark: str) -> None:
    """Draw the way from a node to a port of another, through the border of every group between them."""
    start = source.split(".")
    shared = 0
    while start[shared] == target[shared]:
        shared += 1
    common = _down(root, start[:shared])
    out_port = _leave(common.children[start[shared]], start[shared + 1 :], source, mark)
    in_port = _enter(common.children[target[shared]], target[shared + 1 :], source, port, mark)
    common.wire(start[shared], out_port, target[shared], in_port, mark)


def _down(root: _Draft, names: list[str]) -> _Draft:
    for name in names:
        root = root.children[name]
    return root


def _leave(draft: _Draft, names: list[str], value: str, mark: str) -> int:
    """The out-port by which a value leaves a box."""
    if names:
        inner = _leave(draft.children[names[0]], names[1:], value, mark)
        port = draft.outs.setdefault(value, len(draft.outs))
        draft.wire(names[0], inner, "", port, mark)
        return port
    return draft.outs.setdefault(value, 0)


def _enter(draft: _Draft, names: list[str], value: str, port: int, mark: str) -> int:
    """The in-port by which a value comes to a box; of a layer, the number of its input."""
    if not names:
        return port
    mine = draft.ins.setdefault(value, len(draft.ins))
    inner = _enter(draft.children[names[0]], names[1:], value, port, mark)
    draft.wire("", mine, names[0], inner, mark)
    return mine


# Folding.


def _folded(boxes: list[Box], wires: list[Wire]) -> tuple[list[Box], list[Wire]]:
    """The children of a group with every run of identical ones that form a chain as one fold."""
    runs = _runs(boxes, wires)
    if not runs:
        return boxes, wires
    found: list[Box] = []
    at: dict[int, int] = {BORDER: BORDER}
    number = 0
    while number < len(boxes):
        length = runs.get(number, 1)
        at |= {number + k: len(found) for k in range(length)}
        found.append(boxes[number] if length == 1 else _fold(boxes[number : number + length]))
        number += length
    moved = [replace(w, source=at[w.source], target=at[w.target]) for w in wires]
    return found, [w for w in dict.fromkeys(moved) if w.source != w.target]


def _runs(boxes: list[Box], wires: list[Wire]) -> dict[int, int]:
    """Start -> length of the runs of identical siblings, each of which reads the one before it and nothing else."""
    sources: list[set[int]] = [set() for _ in boxes]
    readers: list[set[int]] = [set() for _ in boxes]
    straight = [True] * len(boxes)
    for wire in wires:
        if wire.target != BORDER:
            sources[wire.target].add(wire.source)
            straight[wire.target] &= wire.source == BORDER or wire.out_port == wire.in_port
        if wire.source != BORDER:
            readers[wire.source].add(wire.target)
    runs: dict[int, int] = {}
    start = 0
    for number in range(1, len(boxes) + 1):
        if (
            number < len(boxes)
            and boxes[number].signature == boxes[number - 1].signature
            and (boxes[number].is_group or boxes[number].label.isdigit())
            and boxes[number].kind in ("group", "layer")
            and sources[number] == {number - 1}
            and readers[number - 1] == {number}
            and straight[number]
        ):
            continue
        if number - start > 1:
            runs[start] = number - start
        start = number
    return runs


def _fold(copies: list[Box]) -> Box:
    first, last = copies[0], copies[-1]
    return replace(
        first,
        kind="fold",
        label=f"{first.label} … {last.label}",
        outs=last.outs,
        children=tuple(copies),
        wires=(),
        nodes=tuple(name for box in copies for name in box.nodes),
    )
