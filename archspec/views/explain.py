"""How one layer comes by its shape and costs, back to the input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph, Group, Node
from archspec.graph.receptive_field import ReceptiveField, receptive_fields
from archspec.spec.document import Layer, Layers, Spec
from archspec.spec.expression import is_expression
from archspec.spec.reader import Scalar
from archspec.tensor import CHW, Shape, Sides, Vector, Window, steps
from archspec.views.values import field_data, field_text, wrapped


@dataclass(frozen=True, slots=True)
class Step:
    """A layer on the way from the input at which the size changes: height and width, or features."""

    node: Node
    source: Node
    """What it makes that size from."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a layer: its value, and how it came to be."""

    name: str
    value: Any
    expression: str = ""
    """The expression it was worked out from, if it was."""
    line: int | None = None
    """None for a default."""


def find(graph: Graph, path: str) -> Node:
    """The layer of a path; of a group, the last inside it. Errors: SpecError with the nearest name"""
    if path in graph:
        return graph[path]
    inside = [node for node in graph.layers if node.name.startswith(path + ".")]
    if not inside:
        hint = did_you_mean(path, [*(node.name for node in graph), *graph.groups], "layers")
        raise SpecError([Problem("unknown-layer", f"{graph.name} has no layer `{path}`", hint=hint)])
    return inside[-1]


def size_steps(graph: Graph, node: Node) -> tuple[list[Step], Node]:
    """The layers that decide a node's size, the nearest first, and the node the way begins at.

    Where branches meet, the first that has the size already is followed; they all have it.
    """
    found = []
    while node.block is not None:
        sources = [graph[name] for name in node.inputs]
        source = next((source for source in sources if size_text(source.shape) == size_text(node.shape)), sources[0])
        if size_text(source.shape) != size_text(node.shape):
            found.append(Step(node, source))
        node = source
    return found, node


def size_text(shape: Shape) -> str:
    """Height and width, one number where they agree; of a vector, its features; of other kinds, their places."""
    if isinstance(shape, CHW):
        return str(shape.height) if shape.height == shape.width else f"{shape.height}x{shape.width}"
    if isinstance(shape, Vector):
        return f"{shape} features"
    return ", ".join(f"{size} {name}" for name, size in shape.places.items())


def channels_of(shape: Shape) -> int:
    """Channels of a feature map; features of other kinds."""
    return shape.width_of_place


def channel_field(node: Node) -> str:
    """The field that says how many channels a layer makes, if one does."""
    names = ("out_channels", "out_features")
    return next((name for name in names if getattr(node.block, name, None) == channels_of(node.shape)), "")


def origin(graph: Graph, node: Node) -> Node:
    """The layer that decides a node's channels: those after it keep them."""
    while node.block is not None and len(node.inputs) == 1 and not channel_field(node):
        source = graph[node.inputs[0]]
        if channels_of(source.shape) != channels_of(node.shape):
            break
        node = source
    return node


def settings(node: Node, spec: Spec) -> list[Setting]:
    """The fields of a layer, those that are written first."""
    layer = next((layer for layer in _written(spec) if layer.position == node.position), None)
    at = layer.fields if layer is not None and layer.fields.keys() == node.fields.keys() else {}
    found = []
    for name, value in node.fields.items():
        written = at[name][1] if name in at else None
        text = written.text if isinstance(written, Scalar) and is_expression(written.value) else ""
        found.append(Setting(name, value, text, written.position.line if written else node.position.line))
    fields = vars(node.block) if node.block is not None else {}
    return found + [Setting(name, value) for name, value in fields.items() if name not in node.fields]


def _written(spec: Spec) -> Iterator[Layer]:
    """Every layer as it is written, those of blocks too."""

    def inside(layers: Layers) -> Iterator[Layer]:
        for layer in layers.items:
            yield layer
            if layer.layers is not None:
                yield from inside(layer.layers)

    for layers in (spec.layers, *(block.layers for block in spec.blocks.values())):
        yield from inside(layers)


def groups_of(graph: Graph, node: Node) -> list[Group]:
    """The groups around a layer, outermost first."""
    parts = node.name.split(".")
    paths = [".".join(parts[:k]) for k in range(1, len(parts))]
    return [graph.groups[path] for path in paths if path in graph.groups]


# As data.


def explain_data(graph: Graph, spec: Spec, path: str) -> dict[str, Any]:
    """What is known of a layer, for `explain --json`."""
    node = find(graph, path)
    way, start = size_steps(graph, node)
    source = origin(graph, node)
    field = receptive_fields(graph)[node.name]
    return {
        "layer": node.name,
        "op": node.op,
        "shape": list(node.shape.dims),
        "file": node.position.source.name,
        "line": node.position.line,
        "groups": [
            {"path": group.path, "op": group.op or None, "params": dict(group.params), "line": group.position.line}
            for group in groups_of(graph, node)
        ],
        "inputs": [{"name": name, "shape": list(graph[name].shape.dims)} for name in node.inputs],
        "size": [_step_data(step) for step in way],
        "size_from": start.name,
        "channels": {
            "from": source.name,
            "field": channel_field(source) or None,
            "inputs": [{"name": name, "channels": channels_of(graph[name].shape)} for name in source.inputs],
        },
        "params": node.params,
        "weights": {name: list(weight.shape) for name, weight in node.weights.items()},
        "macs": node.macs,
        "receptive_field": list(field.size) if field else None,
        "effective_stride": list(field.stride) if field else None,
        "effective_padding": list(field.padding) if field else None,
        "fields": {
            setting.name: {
                "value": field_data(setting.value),
                "expression": setting.expression or None,
                "line": setting.line,
            }
            for setting in settings(node, spec)
        },
    }


def _step_data(step: Step) -> dict[str, Any]:
    node, window = step.node, step.node.window
    data: dict[str, Any] = {"layer": node.name, "op": node.op, "line": node.position.line}
    data |= {"from": list(step.source.shape.dims), "to": list(node.shape.dims)}
    if window is not None:
        data |= {"kernel": list(window.kernel), "stride": list(window.stride), "dilation": list(window.dilation)}
        data["padding"] = field_data(window.padding)
    return data


# As text.


def explain_text(graph: Graph, spec: Spec, path: str) -> list[str]:
    """The lines that explain a layer; of a group, its last layer."""
    node = find(graph, path)
    lines = [f"{node.name} ({node.op}): {node.shape}"]
    if node.name != path:
        lines[0] = f"{path} ends with {lines[0]}"
    lines.append(f"  {node.position.source.name}:{node.position.line}")
    lines += [_group_text(group, node) for group in groups_of(graph, node)]
    if node.block is None:
        return [short for line in lines for short in wrapped(line)]
    lines += [f"  reads {name}: {graph[name].shape}" for name in node.inputs]
    lines += ["", *_fields_text(settings(node, spec))] if vars(node.block) else []
    lines += ["", *_size_text(graph, node), *_channels_text(graph, node), ""]
    lines += [*_params_text(node), *_macs_text(node)]
    if field := receptive_fields(graph)[node.name]:
        lines.append(f"receptive field: {field.size[0]} x {field.size[1]} pixels of the input")
        lines.append("  the same for every place" if field.fixed else f"  place i sees from pixel {_firsts(field)}")
    return [short for line in lines for short in wrapped(line)]


def _group_text(group: Group, node: Node) -> str:
    params = ", ".join(f"{name} {field_text(value)}" for name, value in group.params.items())
    what = f" ({group.op})" if group.op else ""
    return f"  in {group.path}{what}" + (f": {params}" if params else "") + f", {_place(group, node)}"


def _place(thing: Node | Group, node: Node) -> str:
    """The line of something, with the file where it is another than the node's."""
    at = thing.position
    return f"line {at.line}" if at.source.name == node.position.source.name else f"{at.source.name}:{at.line}"


def _fields_text(found: list[Setting]) -> Iterator[str]:
    for setting in found:
        if setting.line is not None:
            made = f"{setting.expression}, " if setting.expression else ""
            yield f"{setting.name}: {field_text(setting.value)} ({made}line {setting.line})"
    unsaid = [f"{setting.name} {field_text(setting.value)}" for setting in found if setting.line is None]
    if unsaid:
        yield f"by default: {', '.join(unsaid)}"


def _size_text(graph: Graph, node: Node) -> Iterator[str]:
    """The way from the input, as `56 <- 112 by pool1 <- 224 by conv1`, and the arithmetic of the layer's window."""
    way, start = size_steps(graph, node)
    size = size_text(node.shape)
    yield f"size: {size}, as {start.name} ({start.op})" if not way else f"size: {size}"
    for step in way:
        facts = ", ".join([*_window_facts(step.node), _place(step.node, node)])
        before = step.source.shape
        flattened = isinstance(before, CHW) and not isinstance(step.node.shape, CHW)
        yield f"  <- {before if flattened else size_text(before)} by {step.node.name} ({facts})"
    if way:
        yield f"  <- {start.name} ({start.op}, {_place(start, node)})"
    yield from _arithmetic(node, graph[node.inputs[0]])


def _has_window(node: Node) -> bool:
    """Whether a layer's window is given by its fields."""
    return node.window is not None and bool({"kernel_size", "stride"} & vars(node.block).keys())


def _window_facts(node: Node) -> list[str]:
    window = node.window
    if window is None or not _has_window(node):
        return [f"{name} {field_text(value)}" for name, value in node.fields.items()] or [node.op]
    given = vars(node.block)
    stride = window.stride if window.spread == (1, 1) else given["stride"]
    sides = window.padding if window.spread == (1, 1) else given["padding"]
    facts = [f"kernel {field_text(window.kernel)}"] if "kernel_size" in given else []
    facts += [f"stride {field_text(stride)}"]
    facts += [] if sides in (Sides(), (0, 0)) else [f"padding {field_text(sides)}"]
    facts += [] if window.dilation == (1, 1) else [f"dilation {field_text(window.dilation)}"]
    return facts + ["rounded up"] * window.ceil_mode


def _arithmetic(node: Node, source: Node) -> Iterator[str]:
    """How the layer's own window makes its size, where the usual formula does."""
    window, before, after = node.window, source.shape, node.shape
    if window is None or not _has_window(node) or not (isinstance(before, CHW) and isinstance(after, CHW)):
        return
    pads = ((window.padding.top, window.padding.bottom), (window.padding.left, window.padding.right))
    height = _formula(before.height, after.height, window, 0, pads[0])
    width = _formula(before.width, after.width, window, 1, pads[1])
    if height == width:
        yield from (f"  {text}" for text in height)
    else:
        yield from (f"  height {text}" for text in height)
        yield from (f"  width {text}" for text in width)


def _formula(size: int, made: int, window: Window, axis: int, pads: tuple[int, int]) -> list[str]:
    extent, stride, spread = window.extent[axis], window.stride[axis], window.spread[axis]
    padded = (size - 1) * spread + 1 + sum(pads)
    if steps(padded, extent, stride, pads[1], window.ceil_mode) != made:
        return []
    padding = "".join(f" {'+' if side > 0 else '-'} {abs(side)}" for side in pads if side)
    whole = f"{size}" if spread == 1 else f"({size} - 1) * {spread} + 1"
    room = f"({whole}{padding} - {extent})"
    if (padded - extent) // stride + 1 == made:
        return [f"{made} = {room} // {stride} + 1"]
    return [f"{made} = ceil({room} / {stride}) + 1"]


def _channels_text(graph: Graph, node: Node) -> Iterator[str]:
    what = "channels" if isinstance(node.shape, CHW) else "features"
    source = origin(graph, node)
    where = "" if source is node else f" of {source.name}, {_place(source, node)}"
    yield f"{what}: {channels_of(node.shape)}{_made(graph, source)}{where}"
    if len(source.inputs) > 1:
        for name in source.inputs:
            first = origin(graph, graph[name])
            made = f", {_decided(first)} {first.name}, {_place(first, node)}" if first.name != name else ""
            yield f"  {channels_of(graph[name].shape)} from {name}{made}"


def _decided(node: Node) -> str:
    """How a layer that decides channels stands to them."""
    if node.block is None:
        return "those of"
    return f"{field} of" if (field := channel_field(node)) else "made by"


def _made(graph: Graph, node: Node) -> str:
    """How a layer makes its channels of those it reads."""
    made, read = channels_of(node.shape), [graph[name].shape for name in node.inputs]
    counts = [channels_of(shape) for shape in read]
    if node.block is None:
        return ", those"
    if len(read) > 1 and sum(counts) == made:
        return f" = {' + '.join(map(str, counts))}, the sum"
    if len(read) > 1 and set(counts) == {made}:
        return ", both sides" if len(read) == 2 else ", every side"
    if field := channel_field(node):
        return f", {field}"
    if isinstance(node.shape, Vector) and read[0].size == made:
        return f" = {' x '.join(map(str, read[0].dims))}, all elements"
    return f", {node.op} of {counts[0]}"


def _params_text(node: Node) -> Iterator[str]:
    if not node.weights:
        yield "params: none"
        return
    products = [_product(name, weight.shape) for name, weight in node.weights.items()]
    if len(products) == 1:
        yield f"params: {products[0]}"
        return
    yield f"params: {node.params:,}"
    yield from (f"  {text}" for text in products)


def _product(name: str, shape: tuple[int, ...]) -> str:
    sizes = " x ".join(map(str, shape))
    return f"{name or 'itself'} {sizes}" + (f" = {prod(shape):,}" if len(shape) > 1 else "")


def _macs_text(node: Node) -> Iterator[str]:
    """MACs, as the weight's elements times the places of the output where that is what they are."""
    places = tuple(node.shape.places.values())
    sizes: Mapping[str, int] = {name: prod(weight.shape) for name, weight in node.weights.items()}
    name = next((name for name, size in sizes.items() if node.macs and size * prod(places) == node.macs), None)
    if not node.macs:
        yield "MACs: none"
    elif name is None:
        yield f"MACs: {node.macs:,}"
    elif not places:
        yield f"MACs: {node.macs:,}, one per element of {name}"
    else:
        yield f"MACs: {sizes[name]:,} ({name or 'itself'}) x {' x '.join(map(str, places))} = {node.macs:,}"


def _firsts(field: ReceptiveField) -> str:
    """The first pixel that place i sees, as a formula; both axes where they differ."""
    return " x ".join(dict.fromkeys(_first(field, axis) for axis in (0, 1)))


def _first(field: ReceptiveField, axis: int) -> str:
    step, before = field.stride[axis], field.padding[axis]
    moved = "i" if step == 1 else f"{step:.4g} i"
    return moved + (f" - {before}" if before > 0 else f" + {-before}" if before else "")
