"""What is shown of a network in one picture: which groups are open, and the lines of text in each box."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from archspec.drawing.diagram import BORDER, Box, Diagram, Wire, times
from archspec.drawing.label import shape_text
from archspec.drawing.text import shortened, width_of
from archspec.graph.graph import Graph, Node
from archspec.graph.memory import BYTES, saved_activations
from archspec.graph.receptive_field import ReceptiveField, receptive_fields
from archspec.views.listing import short
from archspec.views.summary import size
from archspec.views.values import field_text

NAME, SAYS, SMALL = 12.0, 11.0, 10.0
"""Sizes of text: a name, the op, and the rest."""
HEADER_GAP = 8.0
"""Between texts of a header."""
ROOM = 230.0
"""Width that a line of text may take, in pixels."""
MOST_BOXES = 20_000
"""Beyond it, a picture is refused."""
COMFORT = 120
"""Boxes that a picture has at most where no depth is asked for."""

COLUMNS = ("params", "macs", "memory", "saved", "sees", "inputs", "weights", "fields")
"""What a box may say besides: costs, its receptive field, shapes of what it reads and of its weights, its fields."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in a box."""

    text: str
    role: str
    """`name`, `says`, `change`, `shape` or `cost`."""

    @property
    def size(self) -> float:
        return {"name": NAME, "says": SAYS}.get(self.role, SMALL)

    @property
    def width(self) -> float:
        return width_of(self.text, self.size)


@dataclass(frozen=True, slots=True)
class Item:
    """A box as it is drawn: open with items inside, or closed with lines of text."""

    box: Box
    lines: tuple[Line, ...]
    """Of an open item, the texts of its header."""
    open: bool = False
    items: tuple[Item, ...] = ()
    wires: tuple[Wire, ...] = ()
    ins: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    faint: bool = False
    """Whether it is there only to show what the focus is joined to."""
    unfolded: bool = False
    """Whether it is a fold with all its copies inside."""

    @property
    def is_stack(self) -> bool:
        """Whether it stands for several."""
        return self.box.kind == "fold" and not self.unfolded

    @property
    def header_width(self) -> float:
        """What the texts of the header take."""
        return sum(line.width + HEADER_GAP for line in self.lines)


@dataclass
class Costs:
    """The costs of boxes: sums over their layers, for one image."""

    graph: Graph
    comparing: bool = False
    """Whether the graph is that of two networks, which no image flows through: then it has only params and MACs."""
    _sums: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def params(self, box: Box) -> int:
        return self._sum(box, "params", lambda node: node.params)

    def macs(self, box: Box) -> int:
        return self._sum(box, "macs", lambda node: node.macs)

    def memory(self, box: Box) -> int:
        """Bytes of the outputs in float32."""
        return self._sum(box, "memory", lambda node: 0 if node.saves.view else node.shape.size * BYTES["float32"])

    def saved(self, box: Box) -> int:
        """Bytes that training keeps for backward."""
        return self._sum(box, "saved", lambda node: self._saved.get(node.name, 0))

    def sees(self, box: Box) -> ReceptiveField | None:
        """The receptive field of the last value that leaves."""
        return self._fields.get(box.value) if box.outs and box.nodes else None

    def _sum(self, box: Box, what: str, of: Callable[[Node], int]) -> int:
        key = (what, box.kind, box.path)
        if key not in self._sums:
            self._sums[key] = sum(of(self.graph[name]) for name in box.nodes)
        return self._sums[key]

    @cached_property
    def _saved(self) -> Mapping[str, int]:
        return {} if self.comparing else saved_activations(self.graph, "float32")

    @cached_property
    def _fields(self) -> Mapping[str, ReceptiveField | None]:
        return {} if self.comparing else receptive_fields(self.graph)

    def line(self, box: Box, column: str) -> str:
        """What a column says of a box, or nothing."""
        if column == "sees":
            field_ = self.sees(box)
            return f"sees {_pair(field_.size)}" if field_ and box.kind != "input" else ""
        number: int = getattr(self, column)(box)
        if not number:
            return ""
        return {
            "params": f"{short(number)} params",
            "macs": f"{short(number)} MACs",
            "memory": size(number),
            "saved": f"{size(number)} saved",
        }[column]


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]}" if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


@dataclass
class Shower:
    """Turns boxes into items."""

    diagram: Diagram
    is_open: Callable[[Box], bool]
    unfold: Callable[[Box], bool] = lambda _: False
    """Whether a fold is drawn with all its copies."""
    columns: Sequence[str] = ()
    gains: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """In a comparison, the params and MACs that a layer has more."""
    comparing: bool = False
    costs: Costs = field(init=False)
    several_places: bool = field(init=False)

    def __post_init__(self) -> None:
        self.costs = Costs(self.diagram.graph, self.comparing)
        self.several_places = any(node.place for node in self.diagram.graph)

    def item(self, box: Box) -> Item:
        """A box as it is drawn."""
        if box.kind == "fold":
            return self._fold(box)
        if box.is_group and (box.kind == "network" or self.is_open(box)):
            items = tuple(self.item(child) for child in box.children)
            header = () if box.kind == "network" else self.header(box)
            return Item(box, header, True, items, box.wires, box.ins, box.outs)
        return Item(box, self.lines(box), ins=box.ins, outs=box.outs)

    def _fold(self, box: Box) -> Item:
        """A fold is drawn as its first copy, or, unfolded, as a group of all copies in a chain."""
        if self.unfold(box):
            items = tuple(self.item(copy) for copy in box.children)
            header = self.unfolded_header(box)
            return Item(box, header, True, items, chain_of(box), box.ins, box.outs, unfolded=True)
        first = box.children[0]
        if first.is_group and self.is_open(first):
            inner = self.item(first)
            return Item(box, self.header(box), True, inner.items, inner.wires, box.ins, box.outs)
        return Item(box, self.lines(box), ins=box.ins, outs=box.outs)

    def header(self, box: Box) -> tuple[Line, ...]:
        """What the header of an open group says: name, block, and the columns asked for."""
        says = [box.op, f"× {box.count}" if box.count > 1 else ""]
        texts = [box.label, " ".join(text for text in says if text)]
        lines = [Line(shortened(texts[0], NAME, ROOM), "name")]
        lines += [Line(shortened(texts[1], SAYS, ROOM), "says")] if texts[1] else []
        gain = [self._gain(box)] if self.gains else []
        notes = self._notes(box, [column for column in self.columns if column != "fields"])
        lines += [Line(text, "cost") for text in (*gain, *notes) if text]
        return tuple(lines)

    def unfolded_header(self, fold: Box) -> tuple[Line, ...]:
        """What the header of a fold says that has all its copies inside: the same, without their number."""
        return self.header(replace(fold, children=fold.children[:1]))

    def lines(self, box: Box) -> tuple[Line, ...]:
        """What a closed box says: name, op, output shape, and the columns asked for."""
        says = times(box.says, box.count)
        found = [(box.label, "name")]
        found += [(says, "says")] if says and says != box.label and box.kind != "input" else []
        if box.mark.text:
            found.append((box.mark.text, "change"))
        if self.gains and (text := self._gain(box)):
            found.append((text, "change"))
        found.append((self._shape(box), "shape"))
        found += [(text, "cost") for text in self._notes(box, self.columns)]
        return tuple(Line(shortened(text, Line("", role).size, ROOM), role) for text, role in found if text)

    def gain(self, box: Box) -> tuple[int, int]:
        """In a comparison, the params and MACs that the second network has more here."""
        found = [self.gains.get(name, (0, 0)) for name in box.nodes]
        return sum(params for params, _ in found), sum(macs for _, macs in found)

    def _gain(self, box: Box) -> str:
        said = zip(self.gain(box), ("params", "MACs"), strict=True)
        return ", ".join(f"{'+' if sum_ > 0 else '−'}{short(abs(sum_))} {what}" for sum_, what in said if sum_)

    def _shape(self, box: Box) -> str:
        return self._shapes(box.values)

    def _shapes(self, values: Sequence[str]) -> str:
        shapes = list(dict.fromkeys(shape_text(self.diagram.graph[name].shape) for name in values))
        return ", ".join(shapes[:3]) + (", …" if len(shapes) > 3 else "")

    def _notes(self, box: Box, columns: Sequence[str]) -> list[str]:
        notes = []
        if box.node is not None and box.node.shares:
            notes.append(f"shares {box.node.shares}")
        if self.several_places and box.kind != "output":
            notes.append("place " + ", ".join(map(str, box.places)))
        if box.kind not in ("input", "output"):
            notes += [text for column in columns for text in self._column(box, column) if text]
        return notes

    def _column(self, box: Box, column: str) -> list[str]:
        """The lines of a column for a box."""
        if column == "inputs":
            return [f"reads {self._shapes(box.ins)}"]
        if column == "weights":
            weights = box.node.weights.items() if box.node else ()
            return [f"{name or 'itself'} {'×'.join(map(str, weight.shape))}" for name, weight in weights]
        if column == "fields":
            return [f"{name} {field_text(value)}" for name, value in box.fields.items()]
        return [self.costs.line(box, column)]


def chain_of(fold: Box) -> tuple[Wire, ...]:
    """The wires between all copies of a fold."""
    last = len(fold.children) - 1
    wires = [Wire(BORDER, port, 0, port) for port in range(len(fold.ins))]
    wires += [Wire(n, port, n + 1, port) for n in range(last) for port in range(len(fold.ins))]
    wires += [Wire(last, port, BORDER, port) for port in range(len(fold.outs))]
    return tuple(wires)


def boxes_shown(box: Box, depth: int) -> int:
    """How many closed boxes a picture of a depth has."""
    if box.kind == "fold":
        return boxes_shown(box.children[0], depth)
    if box.kind == "network" or (box.is_group and level(box) < depth):
        return sum(boxes_shown(child, depth) for child in box.children)
    return 1


def item_count(item: Item) -> int:
    """How many boxes a picture has, open ones too."""
    return 1 + sum(item_count(child) for child in item.items)


def level(box: Box) -> int:
    """How many names its path has."""
    return box.path.count(".") + 1


def deepest(box: Box) -> int:
    """The depth from which nothing more opens."""
    return max((deepest(child) for child in box.children), default=level(box))


def comfortable_depth(root: Box) -> int:
    """The greatest depth at which a picture is still easy to read."""
    depth = 1
    while depth < deepest(root) and boxes_shown(root, depth + 1) <= COMFORT:
        depth += 1
    return depth
