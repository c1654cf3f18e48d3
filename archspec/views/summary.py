"""A network in numbers: per layer or per block, and in all."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.graph.canonical import spec_hash
from archspec.graph.graph import Graph, Node
from archspec.graph.memory import BYTES, Memory, intensity, memory, saved_activations
from archspec.graph.receptive_field import ReceptiveField, receptive_fields
from archspec.tensor import Shape


@dataclass(slots=True)
class Row:
    """One layer, or all the layers of a block: its last one's shape and field, and the sums of their costs."""

    name: str
    op: str
    inputs: list[str]
    shape: Shape
    line: int
    text: str = ""
    """The op as a table shows it."""
    layers: int = 0
    params: int = 0
    macs: int = 0
    field: ReceptiveField | None = None
    memory: int = 0
    """Bytes of the outputs."""
    saved: int = 0
    """Bytes that training keeps for backward."""
    intensity: float = 0.0
    training_only: bool = True
    shares: str = ""
    place: int = 0


@dataclass
class Summary:
    """What is to be said of a network, at one batch size and dtype."""

    graph: Graph
    by: str = "layer"
    """`layer`, or `block` for one row per use of a block."""
    depth: int | None = None
    """How many names of a path make a row; None for all."""
    batch: int = 1
    dtype: str = "float32"
    optimizer: str = "momentum"
    inference: Graph = field(init=False)
    memory: Memory = field(init=False)
    rows: list[Row] = field(init=False)

    def __post_init__(self) -> None:
        self.inference = self.graph.inference()
        self.memory = memory(self.graph, self.batch, self.dtype, self.optimizer)
        self.rows = self._rows()

    def _rows(self) -> list[Row]:
        graph, fields = self.graph, receptive_fields(self.graph)
        saved = saved_activations(graph, self.dtype)
        rows: dict[str, Row] = {}
        moved: dict[str, float] = {}
        for node in graph:
            name = self._row_name(node)
            group = graph.groups.get(name)
            row = rows.setdefault(name, Row(name, node.op, list(node.inputs), node.shape, node.position.line))
            if name != node.name:
                row.op = row.text = group.op if group else ""
                row.line = group.position.line if group else row.line
            else:
                row.text = op_text(node)
            row.shape, row.field = node.shape, fields[node.name]
            row.layers += 1
            row.params += node.params
            row.macs += node.macs
            row.memory += 0 if node.saves.view else node.shape.size * BYTES[self.dtype] * self.batch
            row.saved += saved.get(node.name, 0) * self.batch
            row.training_only &= node.name not in self.inference
            row.shares, row.place = node.shares, node.place
            if node.macs:
                bytes_moved = node.macs * self.batch / intensity(node, graph, self.batch, self.dtype)
                moved[name] = moved.get(name, 0.0) + bytes_moved
                row.intensity = row.macs * self.batch / moved[name]
        return list(rows.values())

    def _row_name(self, node: Node) -> str:
        """The path of the row that a node belongs to."""
        names = node.name.split(".")
        if self.by == "block":
            prefixes = (".".join(names[: depth + 1]) for depth in range(len(names) - 1))
            used = (path for path in prefixes if path in self.graph.groups and self.graph.groups[path].op)
            return next(used, node.name)
        return ".".join(names[: self.depth])

    # For programs.

    def data(self) -> dict[str, Any]:
        """The summary as plain data, for `summary --json`.

        `params` counts everything, auxiliary heads too; `macs` is one image through the inference network.
        """
        graph, inference = self.graph, self.inference
        return {
            "name": graph.name,
            "spec_sha256": spec_hash(graph),
            "params": graph.params,
            "params_inference": inference.params,
            "macs": inference.macs,
            "macs_training": graph.macs,
            "inputs": {node.name: list(node.shape.dims) for node in graph.inputs},
            "outputs": {output.name: list(graph[output.node].shape.dims) for output in graph.outputs},
            "memory": {
                "batch": self.batch,
                "dtype": self.dtype,
                "optimizer": self.optimizer,
                "weights": self.memory.weights,
                "gradients": self.memory.gradients,
                "optimizer_state": self.memory.optimizer,
                "saved_activations": self.memory.activations,
                "training": self.memory.training,
                "inference_activations": self.memory.inference,
            },
            "layers": [_data(row) for row in self.rows if row.op != "input"],
        }

    def csv(self) -> str:
        """One line per layer, with every column, for a spreadsheet."""
        records = [_data(row) for row in self.rows if row.op != "input"]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(records[0])
        for record in records:
            writer.writerow(["x".join(map(str, v)) if isinstance(v, list) else v for v in record.values()])
        return text.getvalue()

    # For people.

    def table(self, columns: Sequence[str] = (), width: int | None = None) -> str:
        """A table of some columns and the totals; layers that only training has are marked by `*`.

        Where the usual columns are wider than `width`, the last of them are left out.
        """
        chosen = list(columns or USUAL)
        lines = self._lines(chosen)
        left_out: list[str] = []
        while width and not columns and len(chosen) > 3 and max(map(len, lines)) > width:
            left_out.insert(0, chosen.pop())
            lines = self._lines(chosen)
        rule = "-" * max(map(len, lines))
        closing = [f"left out for want of width: {', '.join(left_out)} (--columns)"] if left_out else []
        return "\n".join([lines[0], rule, *lines[1:], rule, *self.totals(), *closing])

    def _lines(self, columns: Sequence[str]) -> list[str]:
        found = [COLUMNS[name] for name in columns]
        title = "layer" if self.by == "layer" else "block"
        rows: list[tuple[str, ...]] = [(title, *(column.title for column in found))]
        for row in self.rows:
            mark = " *" if row.training_only and row.op != "input" else ""
            rows.append((row.name + mark, *(column.cell(row) for column in found)))
        return aligned(rows, tuple(number for number, column in enumerate(found, 1) if column.right))

    def totals(self) -> list[str]:
        """The closing lines: sums, what training adds, and memory."""
        graph, inference = self.graph, self.inference
        lines = [f"{graph.params:,} params, {inference.macs:,} MACs per image"]
        if inference.params != graph.params or inference.macs != graph.macs:
            lines[0] += " in inference"
            extra = graph.params - inference.params, graph.macs - inference.macs
            lines.append(f"* in training only: {extra[0]:,} of the params, {extra[1]:,} further MACs")
        used = self.memory
        running = {"weights": used.weights, "activations": used.inference}
        training = {
            "weights": used.weights,
            "gradients": used.gradients,
            self.optimizer: used.optimizer,
            "saved": used.activations,
        }
        lines.append(f"memory for batch {self.batch:,} in {self.dtype}:")
        lines.append(f"  inference {sum_of(running)}")
        lines.append(f"  training  {sum_of(training)}")
        return lines


def summary_table(graph: Graph, width: int | None = None) -> str:
    """The summary of a network as a table, per layer."""
    return Summary(graph).table(width=width)


def _data(row: Row) -> dict[str, Any]:
    seen = row.field
    return {
        "name": row.name,
        "op": row.op,
        "inputs": row.inputs,
        "shape": list(row.shape.dims),
        "params": row.params,
        "macs": row.macs,
        "receptive_field": list(seen.size) if seen else None,
        "effective_stride": list(seen.stride) if seen else None,
        "effective_padding": list(seen.padding) if seen else None,
        "memory": row.memory,
        "saved": row.saved,
        "macs_per_byte": round(row.intensity, 3),
        "training_only": row.training_only,
        "shares": row.shares or None,
        "place": row.place,
        "line": row.line,
    }


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    title: str
    cell: Callable[[Row], str]
    right: bool = True


def _pair(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return ""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}x{pair[1]:g}"


COLUMNS = {
    "op": Column("op", lambda row: row.text, right=False),
    "output": Column("output", lambda row: str(row.shape)),
    "params": Column("params", lambda row: count(row.params)),
    "macs": Column("MACs", lambda row: count(row.macs)),
    "sees": Column("sees", lambda row: _pair(row.field.size) if row.field and row.op != "input" else ""),
    "stride": Column("stride", lambda row: _pair(row.field.stride if row.field else None)),
    "padding": Column("padding", lambda row: _pair(row.field.padding if row.field else None)),
    "memory": Column("memory", lambda row: size(row.memory)),
    "saved": Column("saved", lambda row: size(row.saved) if row.saved else ""),
    "intensity": Column("MACs/byte", lambda row: f"{row.intensity:.1f}" if row.macs else ""),
    "place": Column("place", lambda row: str(row.place)),
    "line": Column("line", lambda row: str(row.line)),
}
"""Every column after the name."""
USUAL = ("op", "output", "params", "macs", "sees")


def aligned(rows: Sequence[tuple[str, ...]], right: tuple[int, ...]) -> list[str]:
    """Rows as lines of equal columns, some of them aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def count(number: int) -> str:
    """A count with separators; nothing for none."""
    return f"{number:,}" if number else ""


UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def unit_of(number: float) -> int:
    """The number of the unit in which bytes are best read."""
    unit = 0
    while number >= 1024 and unit + 1 < len(UNITS):
        number, unit = number / 1024, unit + 1
    return unit


def size(number: float) -> str:
    """Bytes as people read them: 12 B, 3.4 KiB, 232.6 MiB."""
    unit = unit_of(number)
    return f"{number / 1024**unit:,.{min(unit, 1)}f} {UNITS[unit]}"


def sum_of(parts: dict[str, int]) -> str:
    """A total and its parts in one unit: 1.5 GiB: weights 0.5, gradients 0.5, momentum 0.5."""
    total = sum(parts.values())
    unit = unit_of(total)
    listed = ", ".join(f"{name} {number / 1024**unit:,.{min(unit, 1)}f}" for name, number in parts.items())
    return f"{size(total)}: {listed}"


def op_text(node: Node) -> str:
    """The op with the key numbers of its window, as papers write them: conv2d 3x3 /2, upsample x2."""
    window = node.window
    given = vars(node.block).keys() if node.block else set()
    if window is None or not given & {"kernel_size", "stride", "scale_factor"}:
        return node.op
    text = node.op if "scale_factor" in given else f"{node.op} {window.kernel[0]}x{window.kernel[1]}"
    for sign, pair in ("x", window.spread), ("/", window.stride):
        if pair != (1, 1):
            text += f" {sign}{pair[0] if pair[0] == pair[1] else pair}"
    return text
