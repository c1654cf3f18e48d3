"""What the views of this package have in common: the batch that they look at, and how its options are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainValidator

from archspec.block import Count
from archspec.view import Subject, View
from archspec_insight.table import plural

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archspec.graph.graph import Graph

USUAL = 16
"""Random images, where their number is not said."""


def _words(value: object) -> tuple[str, ...]:
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(word, str) and word.strip() for word in found):
        raise ValueError("names with commas between them, or a list of names")
    return tuple(word.strip() for word in found)


Words = Annotated[tuple[str, ...], PlainValidator(_words)]
"""Several names: `a,b` or `[a, b]`."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a view looks at."""

    module: nn.Module
    graph: Graph
    images: dict[str, Tensor]
    labels: Tensor | None
    """Those of the file, if there are some."""
    about: str
    """The batch and the mode, in words."""
    data: dict[str, Any]
    """The same for programs."""


class BatchView(View):
    """A view of a network at work on a batch."""

    images: str = ""
    """Safetensors file with a tensor for each input, named like it; unsaid, random normal images."""
    batch: Count | None = None
    """How many images; unsaid, 16 random ones or all of the file."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of random images, of random labels and of dropout."""
    training: bool = True
    """Whether batch norm, dropout and auxiliary heads are as in training; else as in evaluation."""

    def look(self, subject: Subject) -> Look:
        """Errors: InsightError of the images; BuildError"""
        from archspec_insight.measures.batch import random_images, read_images

        graph, labels = subject.graph, None
        if self.images:
            images, labels = read_images(graph, self.images, self.batch)
        else:
            images = random_images(graph, self.batch or USUAL, self.seed)
        module = subject.module().train(self.training)
        count, mode = len(next(iter(images.values()))), "training" if self.training else "evaluation"
        source = f"of {self.images}" if self.images else f"of random pixels (seed {self.seed})"
        data = {"network": graph.name, "images": count, "file": self.images or None, "seed": self.seed, "mode": mode}
        return Look(module, graph, images, labels, f"{plural(count, 'image')} {source}, in {mode} mode", data)
