"""Merge convolutions that read the same value with the same geometry into one, as the 1x1s of an inception module.

The one convolution reads its input once, and what it gives is cut into channels.
"""

from __future__ import annotations

from dataclasses import replace

from archspec.blocks.channel_slice import ChannelSlice
from archspec.blocks.conv2d import Conv2d
from archspec.graph.graph import Graph, Node
from archspec.graph.optimize.change import Change, Merged, counted
from archspec.graph.optimize.rewiring import Rewiring
from archspec.tensor import CHW


def merge_siblings(graph: Graph) -> Change:
    """The network of evaluation with siblings merged. A relu behind each of them is merged too.

    A slice has the name of the layer whose value it is: of the relu, or of the convolution.
    """
    wiring = Rewiring(graph)
    families: dict[tuple[object, ...], list[Node]] = {}
    for node in graph.layers:
        if isinstance(node.block, Conv2d) and node.block.groups == 1 and wiring.owns(node):
            read = graph[node.inputs[0]].shape
            assert isinstance(read, CHW)
            geometry = node.block.kernel_size, node.block.stride, node.block.sides(read), node.block.dilation
            families.setdefault((node.inputs[0], node.place, geometry), []).append(node)
    alike = (family for family in families.values() if len(family) > 1 and _all_or_none(wiring, family))
    merged = [_merge(wiring, family) for family in alike]
    if not merged:
        return Change(graph)
    count = sum(len(record.layers) for record in merged)
    did = f"merged {counted(count, 'convolution')} into {len(merged)}"
    return Change(wiring.done(), tuple(merged), did)


def _all_or_none(wiring: Rewiring, family: list[Node]) -> bool:
    """Whether a relu is behind each convolution, or behind none; a mixture costs more than it gains."""
    return len({(reader := wiring.only_reader(node.name)) is not None and reader.op == "relu" for node in family}) == 1


def _merge(wiring: Rewiring, family: list[Node]) -> Merged:
    first = family[0]
    assert isinstance(first.block, Conv2d)
    bias = any("bias" in node.weights for node in family)
    channels = sum(node.shape.width_of_place for node in family)
    fields = {name: value for name, value in first.fields.items() if name != "bias"}
    fields |= {"out_channels": channels} | ({} if bias else {"bias": False})
    one = replace(
        first,
        name=wiring.free_name(f"{first.name}_merged"),
        block=Conv2d.model_validate(fields),
        fields=fields,
    )
    wiring.put_before(first.name, one)
    cut, behind = one.name, [wiring.only_reader(node.name) for node in family]
    activated = all(
        node is not None and node.op == "relu" and not node.shares and node.place == first.place for node in behind
    )
    if activated:
        relu = behind[0]
        assert relu is not None
        relu = replace(relu, name=wiring.free_name(f"{one.name}_relu"), inputs=(one.name,))
        wiring.put_before(first.name, relu)
        cut = relu.name
    start = 0
    for node, reader in zip(family, behind, strict=True):
        width = node.shape.width_of_place
        last = reader if activated and reader is not None else node
        wiring.put(_slice(last, cut, start, width))
        if last is not node:
            wiring.drop(node.name, last.name)
        start += width
    return Merged(tuple(node.name for node in family), one.name, bias)


def _slice(node: Node, source: str, start: int, channels: int) -> Node:
    """Some channels of a value, under the name of a layer."""
    fields = {"start": start, "channels": channels}
    block = ChannelSlice.model_validate(fields)
    return replace(node, op="channel_slice", block=block, fields=fields, inputs=(source,))
