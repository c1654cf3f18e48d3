"""How the summary writes an op with its window."""

import pytest

from archspec.tensor import CHW
from archspec.views.summary import op_text
from tests.strategies import case, graph_of

TEXTS = [
    ("conv2d", {"out_channels": 4, "kernel_size": [3, 1], "stride": 2}, "conv2d 3x1 /2"),
    ("max_pool2d", {"kernel_size": 3, "stride": [2, 1], "ceil_mode": False}, "max_pool2d 3x3 /(2, 1)"),
    ("conv_transpose2d", {"out_channels": 4, "kernel_size": 4, "stride": 2}, "conv_transpose2d 4x4 x2"),
    ("upsample", {"scale_factor": 2, "mode": "bilinear", "align_corners": False}, "upsample x2"),
    ("upsample", {"output_size": 12, "mode": "nearest"}, "upsample x3 /2"),
    ("pad2d", {"padding": 1, "mode": "reflect"}, "pad2d"),
    ("reshape", {"to": [1, 8, 24]}, "reshape"),
    ("relu", {}, "relu"),
    ("global_max_pool2d", {}, "global_max_pool2d"),
    ("adaptive_max_pool2d", {"output_size": 2}, "adaptive_max_pool2d"),
]


@pytest.mark.parametrize(("op", "fields", "text"), TEXTS)
def test_an_op_is_shown_with_its_window(op, fields, text):
    graph = graph_of(case(op, fields).block, CHW(3, 8, 8))
    assert op_text(graph["layer"]) == text
