"""Which colours a box has: by its kind of op, by a cost, or by how it stands in a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archspec.drawing.diagram import Box
from archspec.drawing.item import Costs
from archspec.drawing.theme import Theme
from archspec.views.listing import short
from archspec.views.summary import size

HEATS = {"params": "params", "macs": "MACs", "memory": "of output"}
"""What a heat map can be of -> what its legend calls it."""
CHANGES = {"derived": "other shape or cost"}
"""What the legend calls a change, where it is not its own name."""
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Parts of the way through the heat map's colours that its legend shows."""


@dataclass(frozen=True)
class Colours:
    """The colours of one picture. A heat map runs by the square root, so that small costs are told apart too."""

    theme: Theme
    heat: str = ""
    comparing: bool = False
    most: float = 0.0
    """The greatest cost of a box, of a heat map."""

    @staticmethod
    def of_picture(theme: Theme, heat: str, comparing: bool, boxes: Iterable[tuple[Box, Costs]]) -> Colours:
        """The colours for some boxes, each with what knows its costs."""
        most = max((_cost(box, costs, heat) for box, costs in boxes), default=0.0) if heat else 0.0
        return Colours(theme, heat, comparing, most)

    def of(self, box: Box, costs: Costs) -> tuple[str, str]:
        """Fill and outline of a box."""
        if self.comparing:
            return self.theme.changes[box.mark.change]
        if self.heat and box.nodes:
            part = _cost(box, costs, self.heat) / self.most if self.most else 0.0
            return self.theme.heat_of(part**0.5), self.theme.group_line
        return self.theme.families[box.family]

    def ink(self, box: Box, fill: str, *, strong: bool) -> str:
        """The colour of text on a box."""
        if self.heat and box.nodes:
            return self.theme.on(fill)
        return self.theme.text if strong else self.theme.muted

    def of_wire(self, mark: str) -> str:
        """The colour of a wire."""
        return self.theme.changes[mark][1] if mark in self.theme.changes else self.theme.wire

    def legend(self, boxes: Iterable[Box]) -> Iterator[tuple[str, str, str]]:
        """Fill, outline and name of everything that colours mean for some boxes."""
        if self.comparing:
            found = {box.mark.change for box in boxes}
            marks = self.theme.changes.items()
            yield from ((*pair, CHANGES.get(name, name)) for name, pair in marks if name in found)
        elif self.heat:
            for part in STEPS:
                value = round(part * part * self.most)
                text = size(value) if self.heat == "memory" else short(value)
                text += f" {HEATS[self.heat]}" if part == STEPS[-1] else ""
                yield self.theme.heat_of(part), self.theme.group_line, text
        else:
            found = {box.family for box in boxes} - {"input", "output", "group"}
            yield from ((*pair, name) for name, pair in self.theme.families.items() if name in found)


def _cost(box: Box, costs: Costs, heat: str) -> float:
    """What all layers of a box cost, every copy of a fold too."""
    total: int = getattr(costs, heat)(box)
    return float(total)
