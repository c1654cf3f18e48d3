"""What the wider vocabulary computes, against formulas and independent references."""

import sys
import types

import pytest
import torch
from torch.nn import functional as F

from archspec.blocks.max_pool2d import MaxPool2d
from archspec.errors import BlockError
from archspec.ops.lrn_within import local_response_norm_within
from archspec.tensor import CHW, Vector
from tests.blocks.test_blocks import BATCH, images, single
from tests.strategies import case, graph_of

MAP = CHW(6, 3, 4)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def drawn(module):
    """The module's parameters, with new values."""
    parameters = list(module.parameters())
    for parameter in parameters:
        torch.nn.init.normal_(parameter)
    return parameters


# Activations.


def test_gelu_with_a_tanh():
    """Hendrycks and Gimpel 2016, section 2: the approximation as printed."""
    (x,) = images([Vector(50)], torch.float64)
    expected = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
    close(single("gelu", Vector(50), approximate="tanh")(x), expected)


def test_slopes_below_zero_are_as_told():
    x = torch.tensor([[-2.0, 3.0]], dtype=torch.float64)
    assert single("leaky_relu", Vector(2), negative_slope=0.1)(x).tolist() == [[-0.2, 3.0]]
    close(single("elu", Vector(2), alpha=0.5)(x), torch.tensor([[0.5 * (torch.e**-2 - 1), 3.0]], dtype=torch.float64))


@pytest.mark.parametrize("shape", [CHW(5, 2, 3), Vector(5)])
@pytest.mark.parametrize("per_channel", [True, False])
def test_prelu_has_a_slope_for_each_channel_or_one_for_all(shape, per_channel):
    module = single("prelu", shape, per_channel=per_channel)
    assert next(module.parameters()).tolist() == [0.25] * (5 if per_channel else 1)
    (weight,) = drawn(module)
    (x,) = images([shape], torch.float64)
    for channel in range(5):
        one = x[:, channel]
        slope = weight[channel if per_channel else 0]
        close(module(x)[:, channel], torch.where(one > 0, one, slope * one))


# Normalisation.


@pytest.mark.parametrize("shape", [CHW(5, 2, 3), Vector(5)])
@pytest.mark.parametrize("bias", [True, False])
def test_scale_multiplies_and_adds(shape, bias):
    module = single("scale", shape, bias=bias)
    (x,) = images([shape], torch.float64)
    assert torch.equal(module(x), x)
    weight, *rest = drawn(module)
    for channel in range(5):
        shift = rest[0][channel] if bias else 0
        close(module(x)[:, channel], x[:, channel] * weight[channel] + shift)


def normalised(x, dims, eps):
    mean = x.mean(dims, keepdim=True)
    return (x - mean) / ((x - mean).square().mean(dims, keepdim=True) + eps).sqrt()


def with_affine(module, y):
    weight, bias = drawn(module)
    return y * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)


def test_group_norm_normalises_each_group():
    (x,) = images([MAP], torch.float64)
    module = single("group_norm", MAP, num_groups=3, eps=0.1)
    groups = normalised(x.view(BATCH, 3, 2, 3, 4), (2, 3, 4), 0.1).view_as(x)
    expected = with_affine(module, groups)
    close(module(x), expected)


def test_layer_norm2d_normalises_each_place():
    (x,) = images([MAP], torch.float64)
    module = single("layer_norm2d", MAP, eps=0.1)
    expected = with_affine(module, normalised(x, (1,), 0.1))
    close(module(x), expected)
    close(single("layer_norm2d", MAP, affine=False)(x), normalised(x, (1,), 1e-5))


def test_instance_norm_normalises_each_channel_of_each_image():
    (x,) = images([MAP], torch.float64)
    module = single("instance_norm2d", MAP, eps=0.1, affine=True)
    expected = with_affine(module, normalised(x, (2, 3), 0.1))
    close(module(x), expected)
    plain = single("instance_norm2d", MAP)
    assert not list(plain.parameters())
    close(plain.eval()(x), normalised(x, (2, 3), 1e-5))


def test_instance_norm_keeps_moving_averages_if_told_so():
    (x,) = images([MAP], torch.float64)
    module = single("instance_norm2d", MAP, momentum=0.25, track_running_stats=True)
    close(module(x), normalised(x, (2, 3), 1e-5))
    state = module.state_dict()
    close(state["layer.running_mean"], 0.25 * x.mean((0, 2, 3)))
    mean, var = (state[f"layer.{name}"].view(-1, 1, 1) for name in ("running_mean", "running_var"))
    close(module.eval()(x), (x - mean) / (var + 1e-5).sqrt())


@pytest.mark.parametrize("divide_by_size", [True, False])
@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_lrn_within_is_caffes(size, divide_by_size):
    """The sum over the window, zeros beyond the edges; divided by the whole window's area at the edges too."""
    alpha, beta, k = 0.3, 0.75, 1.5
    (x,) = images([MAP], torch.float64)
    expected, half = torch.empty_like(x), size // 2
    for i in range(MAP.height):
        for j in range(MAP.width):
            seen = x[:, :, max(0, i - half) : i + half + 1, max(0, j - half) : j + half + 1]
            total = (seen**2).sum((2, 3)) / (size**2 if divide_by_size else 1)
            expected[:, :, i, j] = x[:, :, i, j] / (k + alpha * total) ** beta
    module = single("lrn_within", MAP, size=size, alpha=alpha, beta=beta, k=k, divide_by_size=divide_by_size)
    close(module(x), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_lrn_within_adds_up_in_float32(dtype):
    x = (images([CHW(3, 9, 9)])[0] * 300).to(dtype)
    found = local_response_norm_within(x, 5, 1e-2, 0.75, 1.0)
    assert found.dtype == dtype
    assert torch.equal(found, local_response_norm_within(x.float(), 5, 1e-2, 0.75, 1.0).to(dtype))


# Dropping.


def torchvision_ops():
    """torchvision, whose import needs compiled ops that a CPU-only torch lacks unless this module is skipped."""
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
    return pytest.importorskip("torchvision").ops


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", [CHW(3, 2, 2), Vector(6)])
def test_drop_path_is_torchvisions(shape):
    (x,) = images([shape])
    graph_module = single("drop_path", shape, p=0.25).float()
    torch.manual_seed(0)
    found = [graph_module(x) for _ in range(5)]
    torch.manual_seed(0)
    for y in found:
        assert torch.equal(y, torchvision_ops().stochastic_depth(x, 0.25, "row"))


@pytest.mark.parametrize("shape", [CHW(3, 2, 2), Vector(6)])
def test_drop_path_drops_whole_images(shape):
    x = torch.ones(2000, *shape.dims, dtype=torch.float64)
    module = single("drop_path", shape, p=0.25)
    y = module(x).flatten(1)
    assert set(y[:, 0].tolist()) == {0.0, 1 / 0.75}
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert (y[:, 0] == 0).double().mean().item() == pytest.approx(0.25, abs=0.05)
    assert torch.equal(module.eval()(x), x)


def test_dropout2d_drops_whole_channels():
    shape = CHW(500, 3, 3)
    x = torch.ones(BATCH, *shape.dims, dtype=torch.float64)
    module = single("dropout2d", shape, p=0.25)
    y = module(x).flatten(2)
    assert set(y[:, :, 0].unique().tolist()) == {0.0, 1 / 0.75}
    assert torch.equal(y, y[:, :, :1].expand_as(y))
    assert (y[:, :, 0] == 0).double().mean().item() == pytest.approx(0.25, abs=0.06)
    assert torch.equal(module.eval()(x), x)


@pytest.mark.parametrize("op", ["dropout2d", "drop_path"])
def test_dropping_nothing_changes_nothing(op):
    (x,) = images([MAP], torch.float64)
    assert torch.equal(single(op, MAP, p=0.0)(x), x)


# Convolutions.


@pytest.mark.parametrize(("stride", "padding"), [((1, 1), (0, 0)), ((2, 3), (1, 0)), ((3, 2), (2, 1))])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_is_the_gradient_of_a_convolution(stride, padding, groups):
    shape = CHW(4, 5, 6)
    fields = {"out_channels": 6, "kernel_size": [3, 4], "dilation": [2, 1], "groups": groups, "bias": False}
    module = single("conv_transpose2d", shape, stride=list(stride), padding=list(padding), **fields)
    (weight,) = module.state_dict().values()
    (x,) = images([shape], torch.float64)
    y = module(x)
    under = torch.zeros_like(y, requires_grad=True)
    convolved = F.conv2d(under, weight, None, stride, padding, (2, 1), groups)
    close(y, torch.autograd.grad((convolved * x).sum(), under)[0])


def test_output_padding_adds_places_at_the_end():
    shape, fields = CHW(2, 4, 4), {"out_channels": 3, "kernel_size": 3, "stride": 2}
    plain = single("conv_transpose2d", shape, **fields)
    padded = single("conv_transpose2d", shape, output_padding=[1, 0], **fields)
    padded.load_state_dict(plain.state_dict())
    (x,) = images([shape], torch.float64)
    assert padded(x).shape[2:] == (10, 9)
    close(padded(x)[:, :, :9], plain(x))


def test_a_depthwise_convolution_is_one_with_as_many_groups_as_channels():
    shape, fields = CHW(3, 6, 7), {"kernel_size": [3, 2], "stride": 2, "padding": "same", "dilation": 2}
    told = {"depthwise_conv2d": {"multiplier": 2, **fields}, "conv2d": {"out_channels": 6, "groups": 3, **fields}}
    depthwise, grouped = (single(op, shape, **given) for op, given in told.items())
    assert [*depthwise.state_dict()] == ["layer.weight", "layer.bias"]
    assert all(map(torch.equal, depthwise.parameters(), grouped.parameters()))
    (x,) = images([shape], torch.float64)
    assert torch.equal(depthwise(x), grouped(x))
    graphs = [graph_of(case(op, given).block, shape) for op, given in told.items()]
    assert len({(graph.macs, graph.params, graph["layer"].window) for graph in graphs}) == 1


# Pools.


@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_pool_is_the_norm_of_each_window(p):
    shape = CHW(2, 4, 6)
    x = images([shape], torch.float64)[0].abs()
    module = single("lp_pool2d", shape, norm_type=p, kernel_size=[2, 3], ceil_mode=False)
    windows = x.unfold(2, 2, 2).unfold(3, 3, 3)
    close(module(x), (windows**p).sum((4, 5)) ** (1 / p))


def test_adaptive_max_pool_lays_overlapping_windows():
    x = torch.tensor([5.0, 1, 7, 2, 3], dtype=torch.float64).view(1, 1, 1, 5)
    y = single("adaptive_max_pool2d", CHW(1, 1, 5), output_size=[1, 3])(x)
    assert y.flatten().tolist() == [5, 7, 3]


def test_global_max_pool_is_the_largest_of_a_channel():
    (x,) = images([CHW(3, 4, 5)], torch.float64)
    assert torch.equal(single("global_max_pool2d", CHW(3, 4, 5))(x), x.flatten(2).max(2).values)


# Joining and reshaping.


def test_multiply_weighs_channels_by_a_map_of_one_place():
    shapes = [CHW(3, 1, 1), CHW(3, 4, 5), CHW(3, 4, 5)]
    gate, *maps = images(shapes, torch.float64)
    y = single("multiply", *shapes)(gate, *maps)
    for channel in range(3):
        close(y[:, channel], gate[:, channel] * maps[0][:, channel] * maps[1][:, channel])


def test_maximum_and_average_are_of_all_inputs():
    shapes = [CHW(2, 3, 3)] * 3
    xs = images(shapes, torch.float64)
    assert torch.equal(single("maximum", *shapes)(*xs), torch.stack(xs).max(0).values)
    close(single("average", *shapes)(*xs), torch.stack(xs).mean(0))


def test_channel_slices_in_order_are_the_input_again():
    (x,) = images([MAP], torch.float64)
    slices = [single("channel_slice", MAP, start=start, channels=2)(x) for start in (0, 2, 4)]
    assert torch.equal(torch.cat(slices, 1), x)


@pytest.mark.parametrize(("groups", "order"), [(2, [0, 3, 1, 4, 2, 5]), (3, [0, 2, 4, 1, 3, 5])])
def test_channel_shuffle_deals_out_the_groups(groups, order):
    x = torch.arange(6, dtype=torch.float64).view(1, 6, 1, 1)
    assert single("channel_shuffle", CHW(6, 1, 1), groups=groups)(x).flatten().tolist() == order


@pytest.mark.parametrize("to", [[72], [2, 4, 9], [72, 1, 1]])
def test_reshape_keeps_the_order(to):
    (x,) = images([MAP], torch.float64)
    y = single("reshape", MAP, to=to)(x)
    assert y.shape == (BATCH, *to)
    assert torch.equal(y.flatten(), x.flatten())


@pytest.mark.parametrize(
    ("mode", "row"),
    [("zeros", [0, 0, 1, 2, 3, 0]), ("reflect", [3, 2, 1, 2, 3, 2]), ("replicate", [1, 1, 1, 2, 3, 3])],
)
def test_padding_holds_what_is_told(mode, row):
    x = torch.tensor([1.0, 2, 3], dtype=torch.float64)
    wide = single("pad2d", CHW(1, 1, 3), padding={"left": 2, "right": 1}, mode=mode)
    high = single("pad2d", CHW(1, 3, 1), padding={"top": 2, "bottom": 1}, mode=mode)
    assert wide(x.view(1, 1, 1, 3)).flatten().tolist() == row
    assert high(x.view(1, 1, 3, 1)).flatten().tolist() == row


UPSAMPLED = [
    ({"scale_factor": 2, "mode": "nearest"}, [0, 0, 4, 4, 8, 8]),
    ({"output_size": [1, 2], "mode": "nearest"}, [0, 4]),
    ({"output_size": [1, 6], "mode": "bilinear", "align_corners": False}, [0, 1, 3, 5, 7, 8]),
    ({"output_size": [1, 5], "mode": "bilinear", "align_corners": True}, [0, 2, 4, 6, 8]),
]
"""Fields, and what becomes of 0, 4, 8 along an axis."""


@pytest.mark.parametrize(("fields", "row"), UPSAMPLED)
def test_upsampling_repeats_or_interpolates(fields, row):
    x = torch.tensor([0.0, 4, 8], dtype=torch.float64).view(1, 1, 1, 3)
    y = single("upsample", CHW(1, 1, 3), **fields)(x)
    close(y[0, 0, 0], torch.tensor(row, dtype=torch.float64))


def test_a_max_pool_whose_taps_miss_the_image_is_refused():
    """PyTorch takes it, gives minus infinity, and its backward writes outside the gradient."""
    block = MaxPool2d(kernel_size=2, stride=1, padding=1, dilation=3, ceil_mode=False)
    with pytest.raises(BlockError, match="sees only padding: its taps, 3 pixels apart, miss the 2 of the input"):
        block.infer(CHW(1, 2, 2))
    assert block.infer(CHW(1, 3, 3)) == CHW(1, 2, 2)
