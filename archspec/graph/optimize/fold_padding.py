"""Let convolutions pad by themselves: zeros that a layer of its own puts around what only they read."""

from __future__ import annotations

from dataclasses import replace

from archspec.blocks.conv2d import Conv2d
from archspec.blocks.depthwise_conv2d import DepthwiseConv2d
from archspec.blocks.pad2d import Pad2d
from archspec.graph.graph import Graph, Node
from archspec.graph.optimize.change import Change, counted
from archspec.graph.optimize.rewiring import Rewiring
from archspec.tensor import CHW, Sides


def fold_padding(graph: Graph) -> Change:
    """The network without paddings of zeros that convolutions can take over: those alike on opposite sides.

    Uneven ones would be padded by a step of its own again. What is computed is the same to the bit.
    """
    wiring = Rewiring(graph)
    folded = 0
    for node in graph.layers:
        readers = wiring.readers(node.name)
        if node.op != "pad2d" or node.name in wiring.outputs or not readers:
            continue
        if all(_takes(wiring, node, reader) for reader in readers):
            for reader in readers:
                wiring.put(_padded(wiring.nodes[reader.name], _sum(node, reader)))
            wiring.drop(node.name, node.inputs[0])
            folded += 1
    return Change(wiring.done(), did=f"put {counted(folded, 'padding')} into convolutions") if folded else Change(graph)


def _takes(wiring: Rewiring, pad: Node, reader: Node) -> bool:
    return (
        isinstance(pad.block, Pad2d)
        and pad.block.mode == "zeros"
        and isinstance(reader.block, Conv2d | DepthwiseConv2d)
        and wiring.owns(reader)
        and reader.place == pad.place
        and (sides := _sum(pad, reader)).symmetric
        and min(sides.left, sides.top) >= 0
    )


def _sum(pad: Node, reader: Node) -> Sides:
    """The padding of both, in pixels."""
    assert isinstance(pad.block, Pad2d) and isinstance(pad.shape, CHW)
    conv = reader.block.conv(pad.shape) if isinstance(reader.block, DepthwiseConv2d) else reader.block
    assert isinstance(conv, Conv2d)
    mine, own = pad.block.padding, conv.sides(pad.shape)
    return Sides(mine.left + own.left, mine.right + own.right, mine.top + own.top, mine.bottom + own.bottom)


def _padded(node: Node, sides: Sides) -> Node:
    assert node.block is not None
    written = sides.top if sides.top == sides.left else [sides.top, sides.left]
    fields = {**node.fields, "padding": written}
    return replace(node, block=type(node.block).model_validate(fields), fields=fields)
