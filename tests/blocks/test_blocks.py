"""Every block: what it declares without torch against what torch does."""

import re
import warnings

import hypothesis
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.block import Primitive
from archspec.errors import BlockError
from archspec.graph.infer import infer
from archspec.lowering.emitter import Emitter
from archspec.ops.lrn import local_response_norm
from archspec.ops.option_a import subsample_and_pad
from archspec.registry import BLOCKS
from archspec.tensor import CHW, Vector
from tests.strategies import CASES, Case, case, channels, eps, graph_of, layer_node, maps, momentum, simple

BATCH = 2

FINE = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]
thorough = hypothesis.settings(max_examples=400, deadline=None, suppress_health_check=FINE, database=None)


def images(shapes, dtype=torch.float32):
    """Random inputs, the same in every run."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(BATCH, *shape.dims, generator=generator, dtype=dtype) for shape in shapes]


def accepted(found: Case) -> bool:
    try:
        infer(found.block, found.shapes)
    except BlockError:
        return False
    return True


def test_every_op_has_cases():
    assert set(CASES) == set(BLOCKS.builtin)


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_op_names_its_class(op):
    cls = BLOCKS[op]
    assert issubclass(cls, Primitive)
    assert cls.op == op


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_declarations_hold_in_torch(op):
    """Output shape, parameters, state dict and MACs, in training and in evaluation."""

    @thorough
    @given(CASES[op])
    def holds(found):
        assume(accepted(found))
        graph = graph_of(found.block, *found.shapes)
        module = archspec.build(graph)
        state = module.state_dict()
        assert {key: tuple(value.shape) for key, value in state.items()} == graph.state_shapes()
        assert [*state] == [*graph.state_shapes()]
        assert {f"layer.{name}": str(state[f"layer.{name}"].dtype) for name in graph["layer"].buffers} == {
            f"layer.{name}": f"torch.{buffer.dtype}" for name, buffer in graph["layer"].buffers.items()
        }
        assert sum(parameter.numel() for parameter in module.parameters()) == graph.params
        xs = images(found.shapes)
        for training in (True, False):
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                y = module.train(training)(*xs)
            assert tuple(y.shape) == (BATCH, *graph["layer"].shape.dims)
            assert counter.get_total_flops() == 2 * BATCH * graph.macs

    holds()


OURS = {
    "max_pool2d": "sees only padding",  # torch gives minus infinity, and writes out of bounds on the way back
    "add": "inputs differ in shape|add takes two or more",
    "average": "inputs differ in shape|average takes two or more",
    "avg_pool2d": "needs `count_include_pad`",
    "concat": "concat takes two or more",
    "conv_transpose2d": "cuts off all",
    "group_norm": "more than one value per group",  # torch refuses only a batch of one image
    "lrn": "`size` must be odd|does not divide",
    "lrn_within": "`size` must be odd",
    "maximum": "inputs differ in shape|maximum takes two or more",
    "multiply": "inputs differ in shape|multiply takes two or more",
    "option_a": "already has",
    "reshape": "expected one or three|elements",
    "upsample": "needs `align_corners`|takes either",
}
"""Refusals that are ours: torch would broadcast, crop, regroup, mix images, guess or do nothing."""


def ours(block, refusal):
    """Whether a refusal is a rule of ours; rounding up, torch pools with a kernel that exceeds the input."""
    larger = getattr(block, "ceil_mode", False) and "is larger than the input" in refusal
    return larger or (block.op in OURS and re.search(OURS[block.op], refusal) is not None)


def run_in_torch(block, shapes):
    """What torch makes of a block, without asking the block first."""
    inputs = {f"x{i}": shape for i, shape in enumerate(shapes)}
    fx = Emitter(training=False, layer=layer_without_costs(block, inputs), shapes=tuple(shapes))
    proxies = [torch.fx.Proxy(fx.graph.placeholder(name)) for name in inputs]
    fx.graph.output(block.lower(fx, *proxies).node)
    modules = {path: made.cls(*made.args, **made.kwargs) for path, made in fx.constructions.items()}
    return torch.fx.GraphModule(modules, fx.graph)(*images(shapes))


def layer_without_costs(block, inputs):
    bare = Primitive()
    return layer_node(bare, inputs, Vector(1))


CHOOSY = [
    "add",
    "average",
    "avg_pool2d",
    "channel_shuffle",
    "channel_slice",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "depthwise_conv2d",
    "group_norm",
    "instance_norm2d",
    "lp_pool2d",
    "lrn",
    "lrn_within",
    "max_pool2d",
    "maximum",
    "multiply",
    "option_a",
    "pad2d",
    "reshape",
    "upsample",
]
"""Ops that refuse some inputs or combinations of fields."""

LIKELY = {
    "channel_shuffle": simple("channel_shuffle", maps, groups=st.integers(1, 4)),
    "group_norm": simple("group_norm", maps, num_groups=st.integers(1, 4), eps=eps, affine=st.booleans()),
    "instance_norm2d": simple(
        "instance_norm2d",
        st.builds(CHW, channels, st.integers(1, 2), st.integers(1, 2)),
        eps=eps,
        momentum=momentum,
        affine=st.booleans(),
        track_running_stats=st.booleans(),
    ),
}
"""Cases that are refused more often than the usual ones, which hardly ever are."""


@pytest.mark.parametrize("op", CHOOSY)
def test_what_is_refused_torch_refuses_too_or_the_rule_is_ours(op):
    @thorough
    @given(LIKELY.get(op, CASES[op]))
    def holds(found):
        try:
            infer(found.block, found.shapes)
        except BlockError as error:
            refusal = error.message
        else:
            assume(False)
        if ours(found.block, refusal):
            return
        with warnings.catch_warnings(), pytest.raises((RuntimeError, ValueError, IndexError)):
            warnings.simplefilter("ignore")
            run_in_torch(found.block, found.shapes)

    holds()


WRONG = [
    ("conv2d", {"out_channels": 4, "kernel_size": 3}, (CHW(3, 2, 9),), "kernel 3x3 is larger than the input, 2x9"),
    (
        "conv2d",
        {"out_channels": 4, "kernel_size": 3, "dilation": 2, "padding": 1},
        (CHW(3, 2, 9),),
        r"kernel 3x3 \(dilated to 5x5\) is larger than the input, 2x9 padded to 4x11",
    ),
    ("conv2d", {"out_channels": 4, "kernel_size": 1, "groups": 2}, (CHW(3, 4, 4),), "3 channels of the input"),
    (
        "conv2d",
        {"out_channels": 3, "kernel_size": 1, "groups": 2},
        (CHW(4, 4, 4),),
        "3 channels of the output",
    ),
    ("conv2d", {"out_channels": 4, "kernel_size": 3}, (Vector(4),), "conv2d takes a feature map"),
    ("conv2d", {"out_channels": 4, "kernel_size": 3}, (CHW(3, 4, 4),) * 2, "conv2d takes one input, found 2"),
    ("linear", {"out_features": 4}, (CHW(3, 4, 4),), "linear takes a vector"),
    ("max_pool2d", {"kernel_size": 3, "ceil_mode": False}, (CHW(3, 2, 2),), "kernel 3x3 is larger"),
    (
        "max_pool2d",
        {"kernel_size": 3, "padding": 2, "ceil_mode": False},
        (CHW(3, 9, 9),),
        "padding 2x2 is more than half of the kernel, 3x3",
    ),
    ("avg_pool2d", {"kernel_size": 3, "padding": 1, "ceil_mode": False}, (CHW(3, 9, 9),), "needs `count_include_pad`"),
    (
        "lrn",
        {"size": 4, "alpha": 1.0, "beta": 1.0, "k": 1.0, "divide_by_size": False, "groups": 1},
        (CHW(3, 4, 4),),
        "`size` must be odd, found 4",
    ),
    (
        "lrn",
        {"size": 5, "alpha": 1.0, "beta": 1.0, "k": 1.0, "divide_by_size": False, "groups": 2},
        (CHW(3, 4, 4),),
        "groups=2 does not divide the 3 channels",
    ),
    ("add", {}, (CHW(3, 4, 4),), "add takes two or more inputs, found 1"),
    ("add", {}, (CHW(3, 4, 4), CHW(1, 4, 4)), "inputs differ in shape: 3x4x4, 1x4x4"),
    ("concat", {}, (CHW(3, 4, 4),), "concat takes two or more inputs, found 1"),
    ("concat", {}, (CHW(3, 4, 4), CHW(1, 4, 5)), "inputs differ in height x width: 3x4x4, 1x4x5"),
    ("concat", {}, (CHW(3, 4, 4), Vector(4)), "inputs differ in kind: 3x4x4, 4"),
    ("option_a", {"out_channels": 2, "zeros": "after"}, (CHW(3, 4, 4),), "already has 3 channels"),
    ("average", {}, (Vector(3),), "average takes two or more inputs, found 1"),
    ("maximum", {}, (Vector(3), Vector(4)), "inputs differ in shape: 3, 4"),
    ("multiply", {}, (CHW(3, 4, 4),), "multiply takes two or more inputs, found 1"),
    ("multiply", {}, (CHW(3, 4, 4), CHW(1, 4, 4)), "inputs differ in shape: 3x4x4, 1x4x4"),
    ("multiply", {}, (CHW(3, 4, 4), CHW(3, 1, 4)), "inputs differ in shape: 3x4x4, 3x1x4"),
    ("multiply", {}, (CHW(3, 4, 4), Vector(3)), "inputs differ in shape: 3x4x4, 3"),
    ("multiply", {}, (Vector(3), CHW(3, 1, 1)), "inputs differ in shape: 3, 3x1x1"),
    (
        "channel_slice",
        {"start": 2, "channels": 3},
        (CHW(4, 2, 2),),
        "channels 2 to 4 of an input with 4 channels",
    ),
    ("channel_shuffle", {"groups": 3}, (CHW(4, 2, 2),), "groups=3 does not divide the 4 channels of the input"),
    ("group_norm", {"num_groups": 3}, (CHW(4, 2, 2),), "num_groups=3 does not divide the 4 channels of the input"),
    ("group_norm", {"num_groups": 4}, (CHW(4, 1, 1),), "more than one value per group, found 4x1x1 in 4 groups"),
    ("instance_norm2d", {}, (CHW(4, 1, 1),), "needs more than one place per channel, found 4x1x1"),
    ("depthwise_conv2d", {"kernel_size": 3}, (CHW(4, 2, 2),), "kernel 3x3 is larger than the input, 2x2"),
    (
        "conv_transpose2d",
        {"out_channels": 4, "kernel_size": 3, "groups": 2},
        (CHW(3, 4, 4),),
        "3 channels of the input",
    ),
    (
        "conv_transpose2d",
        {"out_channels": 3, "kernel_size": 3, "groups": 2},
        (CHW(4, 4, 4),),
        "3 channels of the output",
    ),
    (
        "conv_transpose2d",
        {"out_channels": 4, "kernel_size": [3, 2], "padding": 2},
        (CHW(3, 2, 9),),
        "padding 2x2 cuts off all of the output, 4x10",
    ),
    (
        "conv_transpose2d",
        {"out_channels": 4, "kernel_size": 3, "stride": 2, "output_padding": 2},
        (CHW(3, 4, 4),),
        "output_padding 2x2 is smaller neither than the stride, 2x2, nor than the dilation, 1x1",
    ),
    (
        "pad2d",
        {"padding": {"left": 4, "top": 3}, "mode": "reflect"},
        (CHW(3, 4, 4),),
        "smaller than the input, 4x4, found up to 3 above or below and 4 at the left or right",
    ),
    ("lp_pool2d", {"norm_type": 2, "kernel_size": 3, "ceil_mode": True}, (CHW(3, 2, 2),), "kernel 3x3 is larger"),
    (
        "lrn_within",
        {"size": 4, "alpha": 1.0, "beta": 1.0, "k": 1.0, "divide_by_size": True},
        (CHW(3, 4, 4),),
        "`size` must be odd, found 4",
    ),
    ("reshape", {"to": [3, 4]}, (Vector(12),), "`to` has 2 sizes, expected one or three"),
    ("reshape", {"to": [3, 4, 2]}, (Vector(12),), "12 has 12 elements, 3x4x2 has 24"),
    ("upsample", {"mode": "nearest"}, (CHW(3, 4, 4),), "takes either `scale_factor` or `output_size`"),
    ("upsample", {"scale_factor": 2, "output_size": 8, "mode": "nearest"}, (CHW(3, 4, 4),), "takes either"),
    ("upsample", {"scale_factor": 2, "mode": "bilinear"}, (CHW(3, 4, 4),), "needs `align_corners`"),
    ("upsample", {"scale_factor": 2, "mode": "nearest", "align_corners": False}, (CHW(3, 4, 4),), "for bilinear"),
]


@pytest.mark.parametrize(("op", "fields", "shapes", "message"), WRONG)
def test_refusals(op, fields, shapes, message):
    found = case(op, fields, *shapes)
    with pytest.raises(BlockError, match=message):
        infer(found.block, found.shapes)


# Numbers, against independent references.


def single(op, *shapes, **fields):
    """The module of one block in float64, in training mode."""
    return archspec.build(graph_of(BLOCKS[op].model_validate(fields), *shapes), dtype=torch.float64)


def value_and_gradient(function, x):
    x = x.clone().requires_grad_()
    y = function(x)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    return y.detach(), torch.autograd.grad((y * weights).sum(), x)[0]


LRN_MAP = CHW(7, 3, 4)
LRN = {"alpha": 0.3, "beta": 0.75, "k": 2.0}


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9, 15])
@pytest.mark.parametrize("divide_by_size", [True, False])
def test_lrn_is_torchs(size, divide_by_size):
    ours = single("lrn", LRN_MAP, size=size, divide_by_size=divide_by_size, groups=1, **LRN)
    alpha = LRN["alpha"] * (1 if divide_by_size else size)
    torchs = nn.LocalResponseNorm(size, alpha, LRN["beta"], LRN["k"])
    (x,) = images([LRN_MAP], torch.float64)
    for found, expected in zip(value_and_gradient(ours, x), value_and_gradient(torchs, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_lrn_is_the_printed_formula():
    """Krizhevsky et al. 2012, section 3.3, term by term."""
    n, alpha, beta, k, total = 5, 0.3, 0.75, 2.0, LRN_MAP.channels
    (a,) = images([LRN_MAP], torch.float64)
    b = torch.empty_like(a)
    for i in range(total):
        first, last = max(0, i - n // 2), min(total - 1, i + n // 2)
        b[:, i] = a[:, i] / (k + alpha * sum(a[:, j] ** 2 for j in range(first, last + 1))) ** beta
    found = single("lrn", LRN_MAP, size=n, alpha=alpha, beta=beta, k=k, divide_by_size=False, groups=1)(a)
    torch.testing.assert_close(found, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups", [2, 4])
def test_lrn_groups_do_not_see_each_other(groups):
    shape = CHW(8, 3, 4)
    fields = {"size": 5, "divide_by_size": True, **LRN}
    (x,) = images([shape], torch.float64)
    whole = single("lrn", shape, groups=groups, **fields)
    part = single("lrn", CHW(8 // groups, 3, 4), groups=1, **fields)
    expected = value_and_gradient(lambda x: torch.cat([part(half) for half in x.chunk(groups, 1)], 1), x)
    for found, wanted in zip(value_and_gradient(whole, x), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(whole(x), single("lrn", shape, groups=1, **fields)(x))


def test_lrn_gradient_by_finite_differences():
    x = images([CHW(6, 2, 2)], torch.float64)[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: local_response_norm(x, 5, 0.3, 0.75, 2.0, 2), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("groups", [1, 2])
def test_lrn_adds_up_in_float32(dtype, groups):
    """The result is that of float32, rounded once."""
    x = (images([CHW(64, 3, 3)])[0] * 20).to(dtype)
    found = local_response_norm(x, 63, 1e-2, 0.75, 1.0, groups)
    assert found.dtype == dtype
    assert torch.equal(found, local_response_norm(x.float(), 63, 1e-2, 0.75, 1.0, groups).to(dtype))


def test_lrn_of_float16_does_not_overflow():
    """300 squared is more than float16 holds."""
    found = local_response_norm(torch.full((1, 5, 1, 1), 300.0, dtype=torch.float16), 5, 1.0, 0.5, 1.0)
    torch.testing.assert_close(found[0, 2].item(), 300 / (1 + 5 * 300**2) ** 0.5, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("zeros", "first"), [("after", 0), ("before", 5), ("around", 2)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_option_a_keeps_every_stride_th_pixel(zeros, first, stride):
    shape = CHW(3, 7, 8)
    (x,) = images([shape], torch.float64)
    found = single("option_a", shape, out_channels=8, stride=stride, zeros=zeros)(x)
    expected = torch.zeros(BATCH, 8, -(-7 // stride), -(-8 // stride), dtype=torch.float64)
    for i in range(expected.shape[2]):
        for j in range(expected.shape[3]):
            expected[:, first : first + 3, i, j] = x[:, :, i * stride, j * stride]
    assert torch.equal(found, expected)


def test_option_a_hands_back_the_gradient_of_what_it_kept():
    x = torch.ones(1, 2, 4, 4, requires_grad=True)
    subsample_and_pad(x, 2, 1, 1).sum().backward()
    expected = torch.zeros(4, 4)
    expected[::2, ::2] = 1
    assert torch.equal(x.grad, expected.expand(1, 2, 4, 4))


def conv_with(padding, shape, stride=(1, 1), dilation=(1, 1), kernel=(3, 2)):
    """Our convolution, and the same weights in torch's on the bare input."""
    fields = {"out_channels": 4, "kernel_size": list(kernel), "stride": list(stride), "dilation": list(dilation)}
    module = single("conv2d", shape, padding=padding, **fields)
    weight, bias = module.state_dict().values()
    return module, lambda x: F.conv2d(x, weight, bias, stride, 0, dilation)


@pytest.mark.parametrize(
    ("padding", "pads"),
    [
        (0, (0, 0, 0, 0)),
        (2, (2, 2, 2, 2)),
        ([1, 3], (3, 3, 1, 1)),
        ({"right": 3, "bottom": 3}, (0, 3, 0, 3)),
        ({"left": 1, "right": 2, "top": 3, "bottom": 4}, (1, 2, 3, 4)),
        ({"left": 2, "right": 2, "top": 1, "bottom": 1}, (2, 2, 1, 1)),
    ],
)
def test_padding_by_side(padding, pads):
    shape = CHW(3, 6, 7)
    module, bare = conv_with(padding, shape, stride=(2, 1))
    (x,) = images([shape], torch.float64)
    torch.testing.assert_close(module(x), bare(F.pad(x, pads)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (1, 5)])
def test_same_is_torchs_where_torch_has_it(kernel, dilation):
    """torch has `same` for stride 1 only."""
    shape = CHW(3, 9, 11)
    module, _ = conv_with("same", shape, dilation=dilation, kernel=kernel)
    weight, bias = module.state_dict().values()
    (x,) = images([shape], torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that an even kernel costs it a copy
        expected = F.conv2d(x, weight, bias, 1, "same", dilation)
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


SAME = [
    (CHW(3, 224, 224), (7, 7), (2, 2), (2, 3, 2, 3)),
    (CHW(3, 112, 112), (3, 3), (2, 2), (0, 1, 0, 1)),
    (CHW(3, 28, 28), (5, 5), (1, 1), (2, 2, 2, 2)),
    (CHW(3, 7, 8), (3, 3), (2, 2), (0, 1, 1, 1)),
    (CHW(3, 9, 9), (1, 1), (2, 2), (0, 0, 0, 0)),
    (CHW(3, 5, 5), (2, 2), (4, 3), (0, 0, 0, 1)),
]
"""Map, kernel, stride and TensorFlow's padding: left, right, top, bottom."""


@pytest.mark.parametrize(("shape", "kernel", "stride", "pads"), SAME)
def test_same_with_a_stride_is_tensorflows(shape, kernel, stride, pads):
    module, bare = conv_with("same", shape, stride=stride, kernel=kernel)
    (x,) = images([shape], torch.float64)
    y = module(x)
    assert y.shape[2:] == (-(-shape.height // stride[0]), -(-shape.width // stride[1]))
    torch.testing.assert_close(y, bare(F.pad(x, pads)), rtol=1e-12, atol=1e-12)


def test_groups_of_a_convolution_do_not_see_each_other():
    shape = CHW(4, 5, 5)
    module = single("conv2d", shape, out_channels=6, kernel_size=3, groups=2)
    weight, bias = module.state_dict().values()
    (x,) = images([shape], torch.float64)
    halves = [F.conv2d(x[:, 2 * i : 2 * i + 2], weight[3 * i : 3 * i + 3], bias[3 * i : 3 * i + 3]) for i in (0, 1)]
    torch.testing.assert_close(module(x), torch.cat(halves, 1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("include", [True, False])
def test_average_pool_counts_padding_as_told(include):
    shape = CHW(1, 2, 2)
    module = single("avg_pool2d", shape, kernel_size=2, stride=1, padding=1, ceil_mode=False, count_include_pad=include)
    y = module(torch.ones(1, 1, 2, 2, dtype=torch.float64))
    assert y[0, 0, 0].tolist() == ([0.25, 0.5, 0.25] if include else [1.0, 1.0, 1.0])
    assert y[0, 0, 1, 1] == 1


def test_max_pool_rounds_up_as_told():
    shape = CHW(1, 4, 4)
    x = torch.arange(16, dtype=torch.float64).view(1, 1, 4, 4)
    down = single("max_pool2d", shape, kernel_size=3, stride=2, ceil_mode=False)(x)
    up = single("max_pool2d", shape, kernel_size=3, stride=2, ceil_mode=True)(x)
    assert down.flatten().tolist() == [10]
    assert up.flatten().tolist() == [10, 11, 14, 15]


def test_adaptive_average_pool_lays_overlapping_windows():
    x = torch.arange(5, dtype=torch.float64).view(1, 1, 1, 5)
    y = single("adaptive_avg_pool2d", CHW(1, 1, 5), output_size=[1, 3])(x)
    assert y.flatten().tolist() == [0.5, 2.0, 3.5]


def test_global_average_pool_is_the_mean_of_a_channel():
    (x,) = images([CHW(3, 4, 5)], torch.float64)
    y = single("global_avg_pool2d", CHW(3, 4, 5))(x)
    torch.testing.assert_close(y, x.flatten(2).sum(2) / 20)


def test_dropout_acts_in_training_only():
    shape, x = Vector(10_000), torch.ones(2, 10_000, dtype=torch.float64)
    module = single("dropout", shape, p=0.25)
    y = module(x)
    assert set(y.unique().tolist()) == {0.0, 1 / 0.75}
    assert (y == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(module.eval()(x), x)


def test_dropout_of_nothing_changes_nothing():
    (x,) = images([Vector(50)], torch.float64)
    assert torch.equal(single("dropout", Vector(50), p=0.0)(x), x)


@pytest.mark.parametrize("shape", [CHW(5, 2, 3), Vector(5)])
def test_softmax_sums_to_1_over_channels_or_features(shape):
    (x,) = images([shape], torch.float64)
    y = single("softmax", shape)(x)
    assert (y > 0).all()
    torch.testing.assert_close(y.sum(1), torch.ones_like(y.sum(1)))
    torch.testing.assert_close(y, x.exp() / x.exp().sum(1, keepdim=True))


ELEMENTWISE = {
    "relu": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "tanh": lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x)),
    "relu6": lambda x: torch.minimum(ELEMENTWISE["relu"](x), torch.full_like(x, 6)),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "elu": lambda x: torch.where(x > 0, x, torch.exp(x) - 1),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "hardswish": lambda x: x * ELEMENTWISE["relu6"](x + 3) / 6,
    "hardsigmoid": lambda x: ELEMENTWISE["relu6"](x + 3) / 6,
    "log_softmax": lambda x: torch.log(x.exp() / x.exp().sum(1, keepdim=True)),
    "identity": lambda x: x,
    "flatten": lambda x: x.reshape(len(x), -1),
}


@pytest.mark.parametrize("shape", [CHW(5, 2, 3), Vector(5)])
@pytest.mark.parametrize("op", ELEMENTWISE)
def test_formulas(op, shape):
    (x,) = images([shape], torch.float64)
    x = 5 * x  # so that every piece of the piecewise ones is met
    torch.testing.assert_close(single(op, shape)(x), ELEMENTWISE[op](x), rtol=1e-11, atol=1e-11)


def test_add_is_the_sum_of_all_inputs():
    xs = images([CHW(2, 3, 3)] * 3, torch.float64)
    torch.testing.assert_close(single("add", *[CHW(2, 3, 3)] * 3)(*xs), xs[0] + xs[1] + xs[2])


def test_concat_keeps_the_order_of_its_inputs():
    xs = images([CHW(2, 3, 3), CHW(1, 3, 3), CHW(4, 3, 3)], torch.float64)
    y = single("concat", CHW(2, 3, 3), CHW(1, 3, 3), CHW(4, 3, 3))(*xs)
    for found, x in zip(y.split([2, 1, 4], 1), xs, strict=True):
        assert torch.equal(found, x)


def test_linear_is_a_product_and_a_bias():
    module = single("linear", Vector(3), out_features=4)
    weight, bias = module.state_dict().values()
    (x,) = images([Vector(3)], torch.float64)
    torch.testing.assert_close(module(x), torch.einsum("ni,oi->no", x, weight) + bias)


def test_batch_norm_normalises_and_keeps_moving_averages():
    shape, momentum, eps = CHW(3, 4, 5), 0.25, 0.1
    module = single("batch_norm2d", shape, momentum=momentum, eps=eps)
    (x,) = images([shape], torch.float64)
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    expected = (x - mean.view(3, 1, 1)) / (var.view(3, 1, 1) + eps).sqrt()
    torch.testing.assert_close(module(x), expected)
    state = module.state_dict()
    torch.testing.assert_close(state["layer.running_mean"], momentum * mean)
    unbiased = x.var((0, 2, 3), correction=1)
    torch.testing.assert_close(state["layer.running_var"], (1 - momentum) + momentum * unbiased)
    assert state["layer.num_batches_tracked"] == 1
