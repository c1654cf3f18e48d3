"""Layers are called what papers call them."""

import json

import pytest

import archspec
from archspec.drawing.label import FAMILIES, family_of, label_of
from archspec.registry import BLOCKS

MAP, VECTOR = [32, 16, 16], [12]
CASES = [
    ({"op": "conv2d", "out_channels": 256, "kernel_size": 3, "stride": 2}, MAP, "3×3 conv, 256, /2"),
    ({"op": "conv2d", "out_channels": 64, "kernel_size": [1, 7]}, MAP, "1×7 conv, 64"),
    ({"op": "conv2d", "out_channels": 64, "kernel_size": 3, "dilation": 2}, MAP, "3×3 conv, 64, dilation 2"),
    ({"op": "conv2d", "out_channels": 64, "kernel_size": 3, "stride": [2, 1]}, MAP, "3×3 conv, 64, /2×1"),
    ({"op": "conv2d", "out_channels": 64, "kernel_size": 3, "groups": 4}, MAP, "3×3 conv, 64, 4 groups"),
    ({"op": "conv2d", "out_channels": 32, "kernel_size": 3, "groups": 32}, MAP, "3×3 depthwise conv, 32"),
    ({"op": "max_pool2d", "kernel_size": 3, "stride": 2, "ceil_mode": False}, MAP, "3×3 max pool, /2"),
    ({"op": "avg_pool2d", "kernel_size": 2, "stride": 1, "ceil_mode": False}, MAP, "2×2 avg pool"),
    ({"op": "adaptive_avg_pool2d", "output_size": 1}, MAP, "global avg pool"),
    ({"op": "adaptive_avg_pool2d", "output_size": 4}, MAP, "avg pool to 4×4"),
    ("global_avg_pool2d", MAP, "global avg pool"),
    ({"op": "linear", "out_features": 1000}, VECTOR, "fc, 1000"),
    ({"op": "dropout", "p": 0.5}, VECTOR, "dropout 0.5"),
    ("relu", VECTOR, "ReLU"),
    ("batch_norm2d", MAP, "batch norm"),
    ("flatten", MAP, "flatten"),
]


@pytest.mark.parametrize(("layer", "shape", "said"), CASES, ids=[case[2] for case in CASES])
def test_the_op_with_its_key_numbers(layer, shape, said):
    data = {
        "archspec": 1,
        "name": "one",
        "inputs": {"x": shape},
        "layers": {"it": layer},
        "outputs": {"y": "it"},
    }
    graph = archspec.compile(archspec.load(text=json.dumps(data)))
    assert label_of(graph["it"], graph) == said


def test_every_built_in_op_has_a_family():
    listed = {op for ops in FAMILIES.values() for op in ops.split()}
    missing = {op for op in BLOCKS if len(BLOCKS.providers(op)) == 1 and BLOCKS.providers(op)[0].name == "archspec"}
    assert missing - listed == {"scale"} & missing


def test_what_is_not_listed_is_told_by_its_weights_and_window():
    graph = archspec.compile("googlenet")
    node = graph["inception3a.conv3x3.conv"]
    from dataclasses import replace

    assert family_of(replace(node, op="their_conv")) == "convolution"
    assert family_of(replace(node, op="their_linear", window=None)) == "linear"
    assert family_of(replace(graph["pool1"], op="their_pool")) == "pooling"
    assert family_of(replace(graph["inception3a.concat"], op="their_merge")) == "merge"
    assert family_of(replace(graph["flat"], op="theirs")) == "other"
