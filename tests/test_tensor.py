"""Windows: how many places they take, and which pixels each place reads."""

import hypothesis
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import archspec
from archspec.errors import BlockError
from archspec.graph.infer import infer
from archspec.tensor import CHW, Sides, Window
from tests.strategies import CASES, case, graph_of

FINE = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]
thorough = hypothesis.settings(max_examples=150, deadline=None, suppress_health_check=FINE, database=None)
few = hypothesis.settings(thorough, max_examples=40, derandomize=True)

SLIDING = [
    "avg_pool2d",
    "conv2d",
    "conv_transpose2d",
    "depthwise_conv2d",
    "lp_pool2d",
    "lrn_within",
    "max_pool2d",
    "option_a",
    "pad2d",
    "upsample",
]
"""Ops whose window says exactly where it slides; those that adapt to the input say about where."""

BEYOND = {"max_pool2d": "picks one pixel", "upsample": "clamps at the edges", "pad2d": "may show pixels twice"}
"""Ops that do not read all of the pixels of a window, or others at the edges."""


def accepted(found):
    try:
        infer(found.block, found.shapes)
    except BlockError:
        assume(False)
    return found.block, found.shapes[0]


@pytest.mark.parametrize("op", SLIDING)
def test_the_window_takes_as_many_places_as_the_output_has(op):
    @thorough
    @given(CASES[op])
    def holds(found):
        block, x = accepted(found)
        assert block.window(x).slide(x) == block.infer(x).dims[1:]

    holds()


def taps(window, size, axis, place):
    """The pixels of an axis that a place reads: those of the spread-out input that a tap meets."""
    before = (window.padding.top, window.padding.left)[axis]
    start = place * window.stride[axis] - before
    met = (start + window.dilation[axis] * tap for tap in range(window.kernel[axis]))
    spread = window.spread[axis]
    return {at // spread for at in met if at % spread == 0 and 0 <= at // spread < size}


def reads(module, x, row, column):
    """Rows and columns of the pixels that the gradient of one place of the output reaches."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(x)[0, :, row, column].sum(), x)
    rows, columns = (gradient != 0).flatten(0, 1).any(0).nonzero().T
    return set(rows.tolist()), set(columns.tolist())


@pytest.mark.parametrize("op", SLIDING)
def test_a_place_reads_the_pixels_of_its_window(op):
    """All of them, and no others, but for the ops that say why not."""

    @few
    @given(CASES[op], st.data())
    def holds(found, data):
        block, x = accepted(found)
        assume(
            getattr(block, "mode", "") not in ("reflect", "replicate") and not getattr(block, "align_corners", False)
        )
        assume(getattr(block, "alpha", 1) > 0.01 and getattr(block, "beta", 1) > 0.01)
        window, shape = block.window(x), block.infer(x)
        module = archspec.build(graph_of(block, x), dtype=torch.float64)
        for parameter in module.parameters():
            torch.nn.init.constant_(parameter, 1.0)
        row, column = (data.draw(st.integers(0, size - 1)) for size in shape.dims[1:])
        image = torch.rand(1, *x.dims, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
        seen = reads(module, image, row, column)
        expected = taps(window, x.height, 0, row), taps(window, x.width, 1, column)
        if op in BEYOND:
            assert seen[0] <= expected[0] and seen[1] <= expected[1]
        elif expected[0] and expected[1]:
            assert seen == expected
        else:
            assert seen == (set(), set())

    holds()


@pytest.mark.parametrize(
    ("fields", "size", "place", "read"),
    [
        ({"scale_factor": 2, "mode": "nearest"}, 5, 4, {2}),
        ({"scale_factor": 2, "mode": "nearest"}, 5, 5, {2}),
        ({"scale_factor": 3, "mode": "nearest"}, 5, 5, {1}),
        ({"output_size": 7, "mode": "nearest"}, 5, 3, {2}),
        ({"output_size": 2, "mode": "nearest"}, 6, 1, {3}),
        ({"scale_factor": 2, "mode": "bilinear", "align_corners": False}, 5, 4, {1, 2}),
        ({"scale_factor": 2, "mode": "bilinear", "align_corners": False}, 5, 5, {2, 3}),
        ({"scale_factor": 3, "mode": "bilinear", "align_corners": False}, 5, 7, {2}),
        ({"scale_factor": 3, "mode": "bilinear", "align_corners": False}, 5, 8, {2, 3}),
        ({"output_size": 3, "mode": "bilinear", "align_corners": False}, 6, 1, {2, 3}),
        ({"output_size": 2, "mode": "bilinear", "align_corners": False}, 6, 0, {1}),
    ],
)
def test_upsampling_reads_one_pixel_or_two_neighbours(fields, size, place, read):
    """Along an axis, away from the edges: what the window says is what torch reads."""
    block, x = case("upsample", fields).block, CHW(1, size, size)
    module = archspec.build(graph_of(block, x), dtype=torch.float64)
    image = torch.rand(1, 1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert reads(module, image, place, place) == (read, read)
    assert taps(block.window(x), size, 0, place) == read


def test_a_window_slides_over_an_input_that_is_spread_out():
    window = Window((3, 3), padding=Sides(2, 2, 2, 2), spread=(2, 3))
    assert window.padded(CHW(1, 5, 5)) == CHW(1, 13, 17)
    assert window.slide(CHW(1, 5, 5)) == (11, 15)


def test_negative_padding_cuts_off():
    assert Window((1, 1), padding=Sides(-1, 0, -1, -1)).slide(CHW(1, 5, 5)) == (3, 4)
