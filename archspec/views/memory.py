"""What training a network takes, by batch size."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from archspec.block import Count
from archspec.graph.memory import memory
from archspec.view import Report, Subject, View
from archspec.views.summary import aligned

MIB = 2**20


class MemoryView(View, name="memory"):
    """The memory that training and inference take, for several batch sizes, from shapes alone."""

    batches: Annotated[list[Count], Field(min_length=1)] = [1, 8, 32, 128]
    """Batch sizes."""
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = "float32"
    """Of values and parameters."""
    optimizer: Literal["sgd", "momentum", "adam"] = "momentum"
    """Whose state training holds."""

    def show(self, subject: Subject) -> Report:
        graph = subject.graph
        data: list[dict[str, Any]] = []
        for batch in self.batches:
            found = memory(graph, batch, self.dtype, self.optimizer)
            data.append(
                {
                    "batch": batch,
                    "weights": found.weights,
                    "gradients": found.gradients,
                    "optimizer": found.optimizer,
                    "activations": found.activations,
                    "training": found.training,
                    "inference": found.inference + found.weights,
                }
            )
        rows = [tuple(name if name == "batch" else f"{name} MiB" for name in data[0])]
        rows += [
            tuple(str(size) if name == "batch" else f"{size / MIB:,.1f}" for name, size in row.items()) for row in data
        ]
        return Report("\n".join(aligned(rows, right=tuple(range(len(rows[0]))))), data)
