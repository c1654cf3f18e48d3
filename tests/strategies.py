"""Hypothesis strategies: blocks with fields and inputs, and the one-layer graph around a block."""

from dataclasses import dataclass

from hypothesis import strategies as st

from archspec.block import Primitive
from archspec.errors import Position, Source
from archspec.graph.graph import Graph, Node, Output, digraph_of
from archspec.registry import block_class
from archspec.tensor import CHW, Shape, Vector

NOWHERE = Position(Source("test", ""), 1, 1)


@dataclass(frozen=True)
class Case:
    """A block and the shapes of its inputs; whether the block accepts them is part of the question."""

    block: Primitive
    shapes: tuple[Shape, ...]


def layer_node(block: Primitive, inputs: dict[str, Shape], shape: Shape) -> Node:
    """The block as the layer `layer` of a graph."""
    shapes = inputs.values()
    return Node(
        name="layer",
        op=block.op,
        block=block,
        fields={},
        inputs=tuple(inputs),
        shape=shape,
        position=NOWHERE,
        weights=block.parameters(*shapes),
        buffers=block.buffers(*shapes),
        macs=block.macs(*shapes),
        window=block.window(*shapes),
    )


def graph_of(block: Primitive, *shapes: Shape) -> Graph:
    """A network of this one layer. Errors: BlockError, ShapeError"""
    inputs = {f"x{i}": shape for i, shape in enumerate(shapes)}
    nodes = [Node(name, "", None, {}, (), shape, NOWHERE) for name, shape in inputs.items()]
    nodes.append(layer_node(block, inputs, block.infer(*shapes)))
    output = (Output("y", "layer"),)
    return Graph("single", "", "", {}, {}, output, (), {}, digraph_of(nodes))


sizes = st.integers(1, 9)
channels = st.integers(1, 12)
maps = st.builds(CHW, channels, sizes, sizes)
vectors = st.builds(Vector, st.integers(1, 24))
values = maps | vectors


def sizes2d(most: int, least: int = 1) -> st.SearchStrategy:
    """A size as a spec writes it: one number or [height, width]."""
    number = st.integers(least, most)
    return number | st.lists(number, min_size=2, max_size=2)


by_side = st.dictionaries(st.sampled_from(["left", "right", "top", "bottom"]), st.integers(0, 4))
paddings = sizes2d(4, 0) | by_side | st.just("same")


@st.composite
def grouped_maps(draw: st.DrawFn, groups: int) -> CHW:
    """A feature map whose channels the groups mostly divide."""
    shape = draw(maps)
    count = draw(st.integers(1, 4)) * groups if draw(st.integers(0, 9)) else shape.channels
    return CHW(count, shape.height, shape.width)


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 4))
    fields = {
        "out_channels": draw(st.integers(1, 4)) * groups if draw(st.integers(0, 9)) else draw(channels),
        "kernel_size": draw(sizes2d(5)),
        "stride": draw(sizes2d(4)),
        "padding": draw(paddings),
        "dilation": draw(sizes2d(3)),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    return case("conv2d", fields, draw(grouped_maps(groups)))


@st.composite
def max_pools(draw: st.DrawFn) -> Case:
    fields = {
        "kernel_size": draw(sizes2d(5)),
        "stride": draw(st.none() | sizes2d(6)),
        "padding": draw(sizes2d(2, 0)),
        "dilation": draw(sizes2d(3)),
        "ceil_mode": draw(st.booleans()),
    }
    return case("max_pool2d", fields, draw(maps))


@st.composite
def avg_pools(draw: st.DrawFn) -> Case:
    fields = {
        "kernel_size": draw(sizes2d(5)),
        "stride": draw(st.none() | sizes2d(6)),
        "padding": draw(sizes2d(2, 0)),
        "ceil_mode": draw(st.booleans()),
        "count_include_pad": draw(st.sampled_from([True, False, None])),
    }
    return case("avg_pool2d", fields, draw(maps))


@st.composite
def response_norms(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 4))
    fields = {
        "size": draw(st.integers(1, 13)),
        "alpha": draw(st.floats(0, 2)),
        "beta": draw(st.floats(0, 2)),
        "k": draw(st.floats(0.1, 3)),
        "divide_by_size": draw(st.booleans()),
        "groups": groups,
    }
    return case("lrn", fields, draw(grouped_maps(groups)))


@st.composite
def joins(draw: st.DrawFn, op: str) -> Case:
    """Inputs that mostly fit each other."""
    first, count = draw(values), draw(st.integers(1, 4))
    if not draw(st.integers(0, 4)):
        return case(op, {}, first, *draw(st.lists(values, min_size=1, max_size=3)))
    if op == "add":
        return case(op, {}, *[first] * count)
    if isinstance(first, Vector):
        return case(op, {}, first, *draw(st.lists(vectors, min_size=count, max_size=count)))
    widths = draw(st.lists(channels, min_size=count, max_size=count))
    return case(op, {}, first, *(CHW(width, first.height, first.width) for width in widths))


def case(op: str, fields: dict[str, object], *shapes: Shape) -> Case:
    return Case(block_class(op).model_validate(fields), shapes)


def simple(op: str, inputs: st.SearchStrategy, **fields: st.SearchStrategy) -> st.SearchStrategy[Case]:
    """Cases of a block whose fields do not depend on each other."""
    return st.builds(lambda x, given: case(op, given, x), inputs, st.fixed_dictionaries(fields))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "adaptive_avg_pool2d": simple("adaptive_avg_pool2d", maps, output_size=sizes2d(12)),
    "add": joins("add"),
    "avg_pool2d": avg_pools(),
    "batch_norm2d": simple(
        "batch_norm2d", maps, eps=st.floats(1e-6, 1), momentum=st.floats(0.01, 1), affine=st.booleans()
    ),
    "concat": joins("concat"),
    "conv2d": convolutions(),
    "dropout": simple("dropout", values, p=st.floats(0, 0.99)),
    "flatten": simple("flatten", values),
    "global_avg_pool2d": simple("global_avg_pool2d", maps),
    "identity": simple("identity", values),
    "linear": simple("linear", vectors, out_features=st.integers(1, 24), bias=st.booleans()),
    "lrn": response_norms(),
    "max_pool2d": max_pools(),
    "option_a": simple(
        "option_a",
        maps,
        out_channels=st.integers(1, 20),
        stride=st.integers(1, 4),
        zeros=st.sampled_from(["after", "before", "around"]),
    ),
    "relu": simple("relu", values),
    "sigmoid": simple("sigmoid", values),
    "softmax": simple("softmax", values),
    "tanh": simple("tanh", values),
}
"""Op -> its cases."""
