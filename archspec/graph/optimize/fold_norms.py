"""Fold batch norms and learned scales into the convolution or linear layer before them.

In evaluation a batch norm is a factor and a summand per channel: both can be part of the kernels and biases.

Source: Ioffe and Szegedy 2015, section 3.1, for the linear form; Caffe's Scale after BatchNorm, for the second
"""

from __future__ import annotations

from dataclasses import replace

from archspec.blocks.batch_norm2d import BatchNorm2d
from archspec.graph.graph import Graph, Node
from archspec.graph.optimize.change import Change, Folded, counted
from archspec.graph.optimize.rewiring import Rewiring

AXES = {"conv2d": 0, "depthwise_conv2d": 0, "linear": 0, "conv_transpose2d": 1}
"""Ops that take a factor per output channel -> the axis of their weight that has those."""
FOLDED = ("batch_norm2d", "scale")


def fold_norms(graph: Graph) -> Change:
    """The network of evaluation without the norms that follow a convolution or linear layer and alone read it.

    Layers whose parameters are shared keep theirs. Values differ by rounding.
    """
    wiring = Rewiring(graph)
    records: list[Folded] = []
    for node in graph.layers:
        if node.op not in FOLDED or not wiring.owns(node):
            continue
        layer = wiring.nodes[wiring.resolved(node.inputs[0])]
        if _takes(wiring, layer, node) and wiring.only_reader(node.inputs[0]) is not None:
            eps = node.block.eps if isinstance(node.block, BatchNorm2d) else None
            records.append(Folded(layer.name, node.name, eps, AXES[layer.op]))
            if layer.fields.get("bias") is False:
                assert layer.block is not None
                fields = {name: value for name, value in layer.fields.items() if name != "bias"}
                layer = replace(layer, block=type(layer.block).model_validate(fields), fields=fields)
            wiring.put(layer)
            wiring.drop(node.name, layer.name)
    if not records:
        return Change(graph)
    did = f"folded {counted(len(records), 'norm')} into the layers before them"
    return Change(wiring.done(), tuple(records), did)


def _takes(wiring: Rewiring, layer: Node, norm: Node) -> bool:
    """Whether a layer can have a norm folded into it."""
    grouped = layer.op == "conv_transpose2d" and layer.fields.get("groups", 1) != 1
    return layer.op in AXES and not grouped and wiring.owns(layer) and layer.place == norm.place
