"""A network in numbers: per layer, and in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.graph.graph import Graph, Node
from archspec.graph.receptive_field import receptive_fields


def summary_data(graph: Graph) -> dict[str, Any]:
    """The summary as plain data, for `summary --json`.

    `params` counts everything, auxiliary heads too; `macs` is one image through the inference network.
    """
    inference, fields = graph.inference(), receptive_fields(graph)
    return {
        "name": graph.name,
        "params": graph.params,
        "params_inference": inference.params,
        "macs": inference.macs,
        "macs_training": graph.macs,
        "inputs": {node.name: list(node.shape.dims) for node in graph.inputs},
        "outputs": {output.name: list(graph[output.node].shape.dims) for output in graph.outputs},
        "layers": [
            {
                "name": node.name,
                "op": node.op,
                "inputs": list(node.inputs),
                "shape": list(node.shape.dims),
                "params": node.params,
                "macs": node.macs,
                "receptive_field": list(field) if (field := fields[node.name]) else None,
                "training_only": node.name not in inference,
                "line": node.position.line,
            }
            for node in graph.layers
        ],
    }


def summary_table(graph: Graph) -> str:
    """The summary as a table for people; layers that only training has are marked by `*`."""
    inference, fields = graph.inference(), receptive_fields(graph)
    rows = [("layer", "op", "output", "params", "MACs", "sees")]
    rows += [(node.name, "input", str(node.shape), "", "", "") for node in graph.inputs]
    for node in graph.layers:
        field = fields[node.name]
        sees = "" if field is None else str(field[0]) if field[0] == field[1] else f"{field[0]}x{field[1]}"
        mark = "" if node.name in inference else " *"
        rows.append((node.name + mark, op_text(node), str(node.shape), count(node.params), count(node.macs), sees))
    lines = aligned(rows, right=(2, 3, 4, 5))
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:], rule, *totals(graph, inference)])


def totals(graph: Graph, inference: Graph) -> list[str]:
    """The closing lines: sums, and what training adds."""
    lines = [f"{graph.params:,} params, {inference.macs:,} MACs per image"]
    if inference.params != graph.params or inference.macs != graph.macs:
        lines[0] += " in inference"
        extra = graph.params - inference.params, graph.macs - inference.macs
        lines.append(f"* in training only: {extra[0]:,} of the params, {extra[1]:,} further MACs")
    return lines


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


def op_text(node: Node) -> str:
    """The op with the key numbers of its window, as papers write them: conv2d 3x3 /2."""
    window = node.window
    if window is None or node.op.startswith(("global", "adaptive")):
        return node.op
    text = f"{node.op} {window.kernel[0]}x{window.kernel[1]}"
    if window.stride != (1, 1):
        text += f" /{window.stride[0]}" if window.stride[0] == window.stride[1] else f" /{window.stride}"
    return text
