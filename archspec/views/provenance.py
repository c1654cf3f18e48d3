"""Where values are from, as comments beside an expanded spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.errors import Position
from archspec.graph.graph import Graph
from archspec.graph.provenance import Origin


def notes(graph: Graph, origins: Mapping[str, tuple[Origin, ...]]) -> dict[tuple[str, ...], str]:
    """A comment for each layer of an expanded spec, by its path of keys."""
    found: dict[tuple[str, ...], str] = {}
    for name, (layer, *fields) in origins.items():
        texts = [place(layer.position), *_notes((layer, *fields), layer.position)]
        found[keys(name)] = " ".join("; ".join(texts).split())
    for node in graph.inputs:
        found["inputs", node.name] = place(node.position)
    return found


def keys(path: str) -> tuple[str, ...]:
    """The keys that lead to a layer of an expanded spec."""
    names = path.split(".")
    return tuple(part for name in names for part in ("layers", name))


def _notes(origins: tuple[Origin, ...], layer: Position | None) -> Iterator[str]:
    for origin in origins:
        if origin.text:
            needs = "".join(f", {text}" for need in origin.needs for text in _chain(need))
            elsewhere = "" if _same_line(origin.position, layer) else f" at {place(origin.position)}"
            yield f"{origin.name} {origin.text}{elsewhere}{needs}"
        elif origin.name != "op" and not _same_line(origin.position, layer):
            yield f"{origin.name} at {place(origin.position)}"


def _chain(origin: Origin) -> Iterator[str]:
    """A param or `let` value, then what it is worked out from."""
    yield f"{origin.name} {origin.text} at {place(origin.position)}"
    for need in origin.needs:
        yield from _chain(need)


def _same_line(first: Position | None, second: Position | None) -> bool:
    return first is not None and second is not None and (first.source, first.line) == (second.source, second.line)


def place(position: Position | None) -> str:
    """FILE:LINE as it can stand in a comment."""
    text = f"{position.source.name}:{position.line}" if position else "--set"
    return "".join(c if c.isprintable() else "?" for c in text)
