"""Batches: a tensor for each input of a network, random or from a file, and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from archspec.graph.graph import Graph
from archspec_insight.errors import InsightError

Images = Mapping[str, Tensor] | Tensor
"""A tensor for each input, by its name; a bare one where there is one input."""
LABELS = "labels"
"""The name of labels in a file."""


def random_images(graph: Graph, count: int, seed: int = 0) -> dict[str, Tensor]:
    """Images of independent normal pixels, of mean 0 and variance 1. A seed gives the same ones every time."""
    generator = torch.Generator().manual_seed(seed)
    return {node.name: torch.randn(count, *node.shape.dims, generator=generator) for node in graph.inputs}


def read_images(graph: Graph, file: str, count: int | None = None) -> tuple[dict[str, Tensor], Tensor | None]:
    """The tensors of a safetensors file that are named like the inputs, and its `labels` where it has some.

    With `count`, the first so many. Other tensors of the file are left alone.
    Errors: InsightError if it cannot be read, lacks an input, or has fewer images
    """
    stored = _read(file)
    names = [node.name for node in graph.inputs]
    if missing := [name for name in names if name not in stored]:
        raise InsightError(f"{file}: has no tensor `{missing[0]}`, the input; it has {', '.join(stored) or 'none'}")
    images = {name: stored[name] for name in names}
    labels = stored.get(LABELS) if LABELS not in images else None
    if count is None:
        return images, labels
    for name, tensor in images.items():
        if tensor.shape[:1] < (count,):
            raise InsightError(f"{file}: `{name}` is {_shape(tensor)}, fewer than a batch of {count} images")
    return {name: tensor[:count] for name, tensor in images.items()}, labels if labels is None else labels[:count]


def _read(file: str) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except OSError as error:
        raise InsightError(f"{file}: cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise InsightError(f"{file}: not a whole safetensors file: {error}") from None


def placed(graph: Graph, images: Images, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """The images in the order of the inputs, where the network can take them.

    Errors: InsightError if one is missing, of another shape or type, or not finite, or if their numbers differ
    """
    given = {graph.inputs[0].name: images} if isinstance(images, Tensor) else images
    found = []
    for node in graph.inputs:
        if node.name not in given:
            raise InsightError(f"no images for the input `{node.name}`, found {', '.join(given) or 'none'}")
        tensor = given[node.name]
        expected = f"N x {' x '.join(map(str, node.shape.dims))}"
        if tuple(tensor.shape[1:]) != node.shape.dims or not len(tensor):
            raise InsightError(f"`{node.name}` must be {expected}, found {_shape(tensor)}")
        if not tensor.is_floating_point():
            hint = "convert the images and normalise them as in training"
            raise InsightError(f"`{node.name}` must be of floating-point numbers, found {tensor.dtype}", hint)
        if not bool(tensor.isfinite().all()):
            raise InsightError(f"`{node.name}` has pixels that are NaN or infinite")
        found.append(tensor.to(device, dtype))
    if len({len(tensor) for tensor in found}) > 1:
        sizes = ", ".join(f"`{node.name}` {len(tensor)}" for node, tensor in zip(graph.inputs, found, strict=True))
        raise InsightError(f"inputs have different numbers of images: {sizes}")
    return found


def labels_of(given: Sequence[int] | Tensor | None, count: int, classes: int, seed: int) -> Tensor:
    """A class for each image: those given, or drawn from a seed.

    Errors: InsightError if they are not one whole number from 0 to classes - 1 for each image
    """
    if given is None:
        return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))
    labels = torch.as_tensor(given)
    if labels.shape != (count,) or labels.is_floating_point():
        raise InsightError(f"labels must be {count} whole numbers, one for each image, found {_shape(labels)}")
    if bool(((labels < 0) | (labels >= classes)).any()):
        wrong = int(labels[(labels < 0) | (labels >= classes)][0])
        raise InsightError(f"labels must be from 0 to {classes - 1}, found {wrong}")
    return labels.long()


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
