"""What a layer is called in a picture: the op with its key numbers as papers write them, and which kind of op it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.graph.graph import Graph, Node
from archspec.tensor import CHW, Shape, Vector
from archspec.views.summary import op_text

FAMILIES = {
    "convolution": "conv2d conv_transpose2d depthwise_conv2d",
    "linear": "linear",
    "pooling": "adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d global_avg_pool2d global_max_pool2d lp_pool2d "
    "max_pool2d",
    "normalization": "batch_norm2d group_norm instance_norm2d layer_norm2d layer_norm lrn lrn_within",
    "activation": "elu gelu hardsigmoid hardswish leaky_relu log_softmax prelu relu relu6 sigmoid silu softmax tanh",
    "merge": "add average concat maximum multiply",
    "shape": "channel_shuffle channel_slice flatten identity option_a pad2d reshape upsample",
    "dropout": "drop_path dropout dropout2d",
}
"""Kind of op -> the built-in ops of that kind. Blocks of plugins are told by what they have: see `family_of`."""

_FAMILY = {op: family for family, ops in FAMILIES.items() for op in ops.split()}

_SHORT = {
    "conv2d": "conv",
    "conv_transpose2d": "transposed conv",
    "depthwise_conv2d": "depthwise conv",
    "max_pool2d": "max pool",
    "avg_pool2d": "avg pool",
    "lp_pool2d": "Lp pool",
    "adaptive_avg_pool2d": "avg pool",
    "adaptive_max_pool2d": "max pool",
    "global_avg_pool2d": "global avg pool",
    "global_max_pool2d": "global max pool",
    "batch_norm2d": "batch norm",
    "instance_norm2d": "instance norm",
    "layer_norm2d": "layer norm",
    "layer_norm": "layer norm",
    "group_norm": "group norm",
    "lrn": "LRN",
    "lrn_within": "LRN within channels",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "prelu": "PReLU",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "linear": "fc",
    "option_a": "zero padding",
    "pad2d": "pad",
    "dropout2d": "dropout",
}


def shape_text(shape: Shape) -> str:
    """A shape as pictures write it: 64×56×56."""
    return "×".join(map(str, shape.dims))


def family_of(node: Node) -> str:
    """The kind of op of a layer; of a plugin's, by its inputs, weights and window."""
    if node.block is None:
        return "input"
    if node.op in _FAMILY:
        return _FAMILY[node.op]
    largest = max((len(weight.shape) for weight in node.weights.values()), default=0)
    if node.window is not None:
        return "convolution" if largest > 1 else "pooling"
    if len(node.inputs) > 1:
        return "merge"
    return "linear" if largest > 1 and node.macs else "normalization" if largest == 1 else "other"


def label_of(node: Node, graph: Graph) -> str:
    """The op with its key numbers, as papers write it: 3x3 conv, 256, /2.

    Source: the notation of He et al. 2015, figure 3
    """
    if node.block is None:
        return "input"
    given: Mapping[str, Any] = vars(node.block)
    name = _SHORT.get(node.op, node.op.replace("_", " "))
    family = _FAMILY.get(node.op)
    if family is None:
        return ", ".join([op_text(node).replace("_", " "), *_width(node)])
    if family == "convolution":
        kernel = f"{_size(node.window.kernel)} {_depthwise(node, graph)}{name}" if node.window else name
        return ", ".join([kernel, *_width(node), *_grouping(node, graph)])
    if family == "pooling":
        return _pooling(node, name, given)
    if node.op == "linear":
        return f"{name}, {given['out_features']}"
    if family == "dropout":
        return f"{name} {given['p']:g}" if "p" in given else name
    if node.op == "upsample" and node.window:
        return f"{name} ×{_pair(node.window.spread)}"
    if node.op == "group_norm":
        return f"{name}, {given['num_groups']} groups"
    return name


def _pair(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


def _size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}×{pair[1]}"


def _width(node: Node) -> list[str]:
    """The channels or features a layer makes, and what its window steps over."""
    found = []
    fields = vars(node.block) if node.block else {}
    if node.op == "depthwise_conv2d" or {"out_channels", "out_features"} & fields.keys():
        found.append(str(node.shape.width_of_place))
    window = node.window
    if window is not None and node.op in _FAMILY and {"kernel_size", "stride"} & fields.keys():
        found += [f"/{_pair(window.stride)}"] if window.stride != (1, 1) else []
        found += [f"×{_pair(window.spread)}"] if window.spread != (1, 1) else []
        found += [f"dilation {_pair(window.dilation)}"] if window.dilation != (1, 1) else []
    return found


def _depthwise(node: Node, graph: Graph) -> str:
    """Whether a convolution's every channel has kernels of its own."""
    groups = getattr(node.block, "groups", 1)
    before = graph[node.inputs[0]].shape if node.inputs else None
    return "depthwise " if groups > 1 and isinstance(before, CHW) and groups == before.channels else ""


def _grouping(node: Node, graph: Graph) -> list[str]:
    groups = getattr(node.block, "groups", 1)
    return [f"{groups} groups"] if groups > 1 and not _depthwise(node, graph) else []


def _pooling(node: Node, name: str, given: Mapping[str, Any]) -> str:
    if "output_size" in given:
        size = node.shape
        if isinstance(size, CHW) and (size.height, size.width) == (1, 1):
            return f"global {name}"
        return f"{name} to {size.height}×{size.width}" if isinstance(size, CHW) else name
    if isinstance(node.shape, Vector) or node.window is None or "kernel_size" not in given:
        return name
    window = node.window
    text = f"{_size(window.kernel)} {name}"
    return f"{text}, /{_pair(window.stride)}" if window.stride != (1, 1) else text
