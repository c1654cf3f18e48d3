"""Hypothesis strategies: blocks with fields and inputs, and the one-layer graph around a block."""

from dataclasses import dataclass

from hypothesis import strategies as st

from archspec.block import Primitive
from archspec.errors import Position, Source
from archspec.graph.graph import Graph, Node, Output, digraph_of
from archspec.registry import BLOCKS
from archspec.tensor import CHW, Shape, Vector

NOWHERE = Position(Source("test", ""), 1, 1)


@dataclass(frozen=True)
class Case:
    """A block and the shapes of its inputs; whether the block accepts them is part of the question."""

    block: Primitive
    shapes: tuple[Shape, ...]


def layer_node(block: Primitive, inputs: dict[str, Shape], shape: Shape, name: str = "layer") -> Node:
    """The block as a layer of a graph."""
    shapes = inputs.values()
    return Node(
        name=name,
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
        saves=block.saves(*shapes),
    )


def graph_of(block: Primitive, *shapes: Shape) -> Graph:
    """A network of this one layer. Errors: BlockError, ShapeError"""
    inputs = {f"x{i}": shape for i, shape in enumerate(shapes)}
    nodes = [Node(name, "", None, {}, (), shape, NOWHERE) for name, shape in inputs.items()]
    nodes.append(layer_node(block, inputs, block.infer(*shapes)))
    output = (Output("y", "layer"),)
    return Graph("single", "", "", {}, {}, output, (), {}, digraph_of(nodes))


def graph_behind(block: Primitive, *shapes: Shape, read: bool = False) -> Graph:
    """A network in which every input of this layer comes from a layer with weights of its own.

    So the inputs depend on parameters, and each is one piece of memory. If told so, another layer with weights reads
    the output. Errors: BlockError, ShapeError
    """
    nodes = []
    for i, shape in enumerate(shapes):
        nodes.append(Node(f"x{i}", "", None, {}, (), shape, NOWHERE))
        nodes.append(layer_node(weights_for(shape), {f"x{i}": shape}, shape, f"before{i}"))
    inputs = {f"before{i}": shape for i, shape in enumerate(shapes)}
    output = block.infer(*shapes)
    nodes.append(layer_node(block, inputs, output))
    if read:
        nodes.append(layer_node(weights_for(output), {"layer": output}, output, "after"))
    return Graph("behind", "", "", {}, {}, (Output("y", nodes[-1].name),), (), {}, digraph_of(nodes))


def weights_for(shape: Shape) -> Primitive:
    """A layer with weights from a shape to the same shape."""
    if isinstance(shape, Vector):
        return BLOCKS["linear"].model_validate({"out_features": shape.features})
    return BLOCKS["conv2d"].model_validate({"out_channels": shape.dims[0], "kernel_size": 1})


sizes = st.integers(1, 9)
channels = st.integers(1, 12)
maps = st.builds(CHW, channels, sizes, sizes)
vectors = st.builds(Vector, st.integers(1, 24))
values = maps | vectors


def sizes2d(most: int, least: int = 1) -> st.SearchStrategy:
    """A size as a spec writes it: one number or [height, width]."""
    number = st.integers(least, most)
    return number | st.lists(number, min_size=2, max_size=2)


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    """A field that may be unsaid."""
    return st.none() | strategy


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
def transposed_convolutions(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 3))
    fields = {
        "out_channels": draw(st.integers(1, 4)) * groups if draw(st.integers(0, 9)) else draw(channels),
        "kernel_size": draw(sizes2d(5)),
        "stride": draw(sizes2d(4)),
        "padding": draw(sizes2d(4, 0)),
        "output_padding": draw(sizes2d(2, 0)),
        "dilation": draw(sizes2d(3)),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    return case("conv_transpose2d", fields, draw(grouped_maps(groups)))


@st.composite
def grouped(draw: st.DrawFn, op: str, field: str, **fields: st.SearchStrategy) -> Case:
    """A block with a field that must divide the channels."""
    groups = draw(st.integers(1, 4))
    return case(op, {field: groups, **draw(st.fixed_dictionaries(fields))}, draw(grouped_maps(groups)))


@st.composite
def reshapes(draw: st.DrawFn) -> Case:
    """Sizes that mostly fit: the value's own in another order, or a vector."""
    x = draw(values)
    if not draw(st.integers(0, 4)):
        return case("reshape", {"to": draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))}, x)
    to = st.permutations([*x.dims, 1, 1][:3]) | st.just([x.size])
    return case("reshape", {"to": draw(to)}, x)


@st.composite
def products(draw: st.DrawFn) -> Case:
    """Values of one shape, some of the feature maps of a single place."""
    first, count = draw(values), draw(st.integers(0, 3))
    few = {first, CHW(first.channels, 1, 1)} if isinstance(first, CHW) else {first}
    shapes = [first, *draw(st.lists(st.sampled_from(sorted(few, key=str)), min_size=count, max_size=count))]
    if not draw(st.integers(0, 5)):
        shapes.append(draw(values))
    return case("multiply", {}, *draw(st.permutations(shapes)))


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
    if op != "concat":
        return case(op, {}, *[first] * count)
    if isinstance(first, Vector):
        return case(op, {}, first, *draw(st.lists(vectors, min_size=count, max_size=count)))
    widths = draw(st.lists(channels, min_size=count, max_size=count))
    return case(op, {}, first, *(CHW(width, first.height, first.width) for width in widths))


def case(op: str, fields: dict[str, object], *shapes: Shape) -> Case:
    return Case(BLOCKS[op].model_validate(fields), shapes)


def anything(op: str, **fields: st.SearchStrategy) -> st.SearchStrategy[Case]:
    """Cases of a block that takes one value of any kind."""
    return simple(op, values, **fields)


def simple(op: str, inputs: st.SearchStrategy, **fields: st.SearchStrategy) -> st.SearchStrategy[Case]:
    """Cases of a block whose fields do not depend on each other."""
    return st.builds(lambda x, given: case(op, given, x), inputs, st.fixed_dictionaries(fields))


eps = st.floats(1e-6, 1)
momentum = st.floats(0.01, 1)

CASES: dict[str, st.SearchStrategy[Case]] = {
    "adaptive_avg_pool2d": simple("adaptive_avg_pool2d", maps, output_size=sizes2d(12)),
    "adaptive_max_pool2d": simple("adaptive_max_pool2d", maps, output_size=sizes2d(12)),
    "add": joins("add"),
    "average": joins("average"),
    "avg_pool2d": avg_pools(),
    "batch_norm2d": simple("batch_norm2d", maps, eps=eps, momentum=momentum, affine=st.booleans()),
    "channel_shuffle": grouped("channel_shuffle", "groups"),
    "channel_slice": simple("channel_slice", maps, start=st.integers(0, 8), channels=st.integers(1, 8)),
    "concat": joins("concat"),
    "conv2d": convolutions(),
    "conv_transpose2d": transposed_convolutions(),
    "depthwise_conv2d": simple(
        "depthwise_conv2d",
        maps,
        multiplier=st.integers(1, 3),
        kernel_size=sizes2d(5),
        stride=sizes2d(4),
        padding=paddings,
        dilation=sizes2d(3),
        bias=st.booleans(),
    ),
    "drop_path": anything("drop_path", p=st.floats(0, 0.99)),
    "dropout": anything("dropout", p=st.floats(0, 0.99)),
    "dropout2d": simple("dropout2d", maps, p=st.floats(0, 0.99)),
    "elu": anything("elu", alpha=st.floats(0.01, 3)),
    "flatten": anything("flatten"),
    "gelu": anything("gelu", approximate=st.sampled_from(["none", "tanh"])),
    "global_avg_pool2d": simple("global_avg_pool2d", maps),
    "global_max_pool2d": simple("global_max_pool2d", maps),
    "group_norm": grouped("group_norm", "num_groups", eps=eps, affine=st.booleans()),
    "hardsigmoid": anything("hardsigmoid"),
    "hardswish": anything("hardswish"),
    "identity": anything("identity"),
    "instance_norm2d": simple(
        "instance_norm2d", maps, eps=eps, momentum=momentum, affine=st.booleans(), track_running_stats=st.booleans()
    ),
    "layer_norm2d": simple("layer_norm2d", maps, eps=eps, affine=st.booleans()),
    "leaky_relu": anything("leaky_relu", negative_slope=st.floats(-1, 1)),
    "linear": simple("linear", vectors, out_features=st.integers(1, 24), bias=st.booleans()),
    "log_softmax": anything("log_softmax"),
    "lp_pool2d": simple(
        "lp_pool2d",
        maps,
        norm_type=st.sampled_from([1, 2, 4]),
        kernel_size=sizes2d(5),
        stride=maybe(sizes2d(6)),
        ceil_mode=st.booleans(),
    ),
    "lrn": response_norms(),
    "lrn_within": simple(
        "lrn_within",
        maps,
        size=st.integers(1, 13),
        alpha=st.floats(0, 2),
        beta=st.floats(0, 2),
        k=st.floats(0.1, 3),
        divide_by_size=st.booleans(),
    ),
    "max_pool2d": max_pools(),
    "maximum": joins("maximum"),
    "multiply": products(),
    "option_a": simple(
        "option_a",
        maps,
        out_channels=st.integers(1, 20),
        stride=st.integers(1, 4),
        zeros=st.sampled_from(["after", "before", "around"]),
    ),
    "pad2d": simple(
        "pad2d", maps, padding=sizes2d(4, 0) | by_side, mode=st.sampled_from(["zeros", "reflect", "replicate"])
    ),
    "prelu": anything("prelu", per_channel=st.booleans()),
    "relu": anything("relu"),
    "relu6": anything("relu6"),
    "reshape": reshapes(),
    "scale": anything("scale", bias=st.booleans()),
    "sigmoid": anything("sigmoid"),
    "silu": anything("silu"),
    "softmax": anything("softmax"),
    "tanh": anything("tanh"),
    "upsample": simple(
        "upsample",
        maps,
        scale_factor=maybe(st.integers(1, 4)),
        output_size=maybe(sizes2d(20)),
        mode=st.sampled_from(["nearest", "bilinear"]),
        align_corners=st.sampled_from([True, False, None]),
    ),
}
"""Op -> its cases."""
