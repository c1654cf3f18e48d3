"""Networks made faster give what they gave before: each pass, each way of carrying out, and the whole zoo."""

import copy
import pickle

import pytest
import torch
from torch.nn import functional as F

import archspec
from archspec.block import Primitive
from archspec.errors import BuildError
from archspec.graph.optimize import MODES
from archspec.lowering.emitter import emit
from archspec.lowering.optimize import optimized, step_names
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import agreement, standalone_module
from archspec.ops.form import plain_forms
from archspec.ops.packed_conv2d import ACTIVATIONS, PackedConv2d
from archspec.spec.shelves import zoo_names
from archspec.spec.writer import write
from archspec.tensor import Shape
from archspec.views.expanded import expanded

SPEC = """
archspec: 1
name: net
inputs: {{image: [4, 9, 9]}}
layers:
{layers}
outputs: {outputs}
"""


def network(layers, outputs="{y: last}", seed=0):
    """A graph and its network, with norms that have something to do."""
    text = SPEC.format(layers="".join(f"  {line}\n" for line in layers.strip().splitlines()), outputs=outputs)
    return lively(archspec.compile(archspec.load(text=text)), seed)


def lively(graph, seed=0):
    made = archspec.build(graph, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in made.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(0, 0.2, generator=generator)
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5, generator=generator)
            if value.dim() == 1 and name.endswith(("weight", "bias")):
                value.add_(torch.randn(value.shape, generator=generator), alpha=0.1)
    return graph, made


def images(graph, batch=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(batch, *node.shape.dims, generator=generator).to(dtype) for node in graph.inputs]


def values(module, inputs):
    found = module(*inputs)
    return tuple(found) if isinstance(found, tuple) else (found,)


def apart(ones, others):
    """The largest difference, as a share of the largest value."""
    return max(((a - b).abs().max() / a.abs().max()).item() for a, b in zip(ones, others, strict=True))


def only(mode, *kept):
    return [name for name in step_names(mode) if name not in kept]


# The whole zoo.


@pytest.mark.parametrize("name", zoo_names())
def test_zoo_for_inference(name):
    graph, module = lively(archspec.compile(name))
    made = optimized(module, graph, "inference")
    inputs = images(graph, 1)
    with torch.no_grad():
        assert apart(values(module.eval(), inputs), values(made.network, inputs)) < 1e-5
    assert archspec.compile(archspec.load(text=write(expanded(made.graph)))).state_shapes() == made.graph.state_shapes()
    assert not any(node.op == "dropout" for node in made.graph.layers)
    assert "preact" in name or not any(node.op == "batch_norm2d" for node in made.graph.layers)


@pytest.mark.parametrize("name", [name for name in zoo_names() if not name.startswith(("vgg13", "vgg16", "vgg19"))])
def test_zoo_for_training(name):
    """The same bits forward and backward, but for the layout, which has a test of its own."""
    graph, module = lively(archspec.compile(name))
    made = optimized(copy.deepcopy(module), graph, "training", skip=["channels-last"]).network
    assert list(made.state_dict()) == list(module.state_dict())
    inputs = images(graph, 2)
    found = []
    for one in (module, made):
        torch.manual_seed(3)
        outputs = values(one.train(), inputs)
        sum(output.square().mean() for output in outputs).backward()
        found.append((outputs, [parameter.grad for parameter in one.parameters()], list(one.buffers())))
    for ones, others in zip(*found, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ones, others, strict=True))


@pytest.mark.parametrize("name", ["resnet-cifar", "alexnet-torchvision"])
def test_training_in_channels_last(name):
    graph, module = lively(archspec.compile(name))
    made = optimized(copy.deepcopy(module).double(), graph, "training").network
    module.double()
    inputs = images(graph, 2, torch.float64)
    for one in (module, made):
        one.eval()  # dropout takes another mask in another layout
        values(one, inputs)[0].square().mean().backward()
    with torch.no_grad():
        assert apart(values(module, inputs), values(made, inputs)) < 1e-12
    pairs = list(zip(module.parameters(), made.parameters(), strict=True))
    assert all(apart([a.grad], [b.grad]) < 1e-9 for a, b in pairs if a.grad.abs().max() > 0)


# Passes, one by one.


def after(pass_name, graph, mode="inference"):
    return MODES[mode][pass_name](graph)


def same(graph, module, *kept, batch=2):
    """The network with only some steps, after seeing that it gives the same."""
    made = optimized(module, graph, "inference", skip=only("inference", *kept))
    inputs = images(graph, batch)
    with torch.no_grad():
        assert apart(values(module.eval(), inputs), values(made.network, inputs)) < 1e-5
    return made


@pytest.mark.parametrize(
    "layer",
    [
        "{op: conv2d, out_channels: 6, kernel_size: 3}",
        "{op: conv2d, out_channels: 6, kernel_size: 3, bias: false, groups: 2}",
        "{op: depthwise_conv2d, multiplier: 2, kernel_size: 3, bias: false}",
        "{op: conv_transpose2d, out_channels: 6, kernel_size: 3, stride: 2}",
    ],
)
@pytest.mark.parametrize(
    "norm", ["batch_norm2d", "{op: batch_norm2d, affine: false, eps: 0.01}", "{op: scale, bias: false}"]
)
def test_norms_fold(layer, norm):
    graph, module = network(f"conv: {layer}\nlast: {norm}")
    made = same(graph, module, "fold-norms")
    assert [node.name for node in made.graph.layers] == ["conv"]
    assert list(made.network.state_dict()) == ["conv.weight", "conv.bias"]


def test_norm_and_scale_fold_into_one_layer():
    graph, module = network(
        "conv: {op: conv2d, out_channels: 6, kernel_size: 3}\n"
        "bn: {op: batch_norm2d, affine: false}\nlast: {op: scale, bias: true}"
    )
    assert len(same(graph, module, "fold-norms").graph.layers) == 1


def test_scale_folds_into_a_linear_layer():
    graph, module = network(
        "flat: flatten\nfc: {op: linear, out_features: 5, bias: false}\nlast: {op: scale, bias: true}"
    )
    assert [node.name for node in same(graph, module, "fold-norms").graph.layers] == ["flat", "fc"]


@pytest.mark.parametrize(
    ("layers", "outputs"),
    [
        (
            "conv: {op: conv2d, out_channels: 4, kernel_size: 1}\nbn: batch_norm2d\nlast: {op: add, from: [conv, bn]}",
            "{y: last}",
        ),
        ("conv: {op: conv2d, out_channels: 4, kernel_size: 1}\nlast: batch_norm2d", "{y: last, z: conv}"),
        ("conv: {op: conv2d, out_channels: 4, kernel_size: 1}\nagain: {shares: conv}\nlast: batch_norm2d", "{y: last}"),
        ("relu: relu\nlast: batch_norm2d", "{y: last}"),
        (
            "conv: {op: conv_transpose2d, out_channels: 4, kernel_size: 2, groups: 2}\nlast: batch_norm2d",
            "{y: last}",
        ),
        (
            "conv: {op: conv2d, out_channels: 4, kernel_size: 1}\nbn: batch_norm2d\nrelu: relu\n"
            "conv2: {op: conv2d, out_channels: 4, kernel_size: 1, place: 1}\nlast: batch_norm2d",
            "{y: last}",
        ),
    ],
    ids=["two readers", "an output", "shared", "no layer before", "groups transposed", "another place"],
)
def test_norms_that_stay(layers, outputs):
    graph, module = network(layers, outputs)
    made = same(graph, module, "fold-norms")
    assert made.graph.layers[-1].op in ("batch_norm2d", "add")


def test_siblings_merge_with_their_relus():
    graph, module = network(
        "a: {op: conv2d, from: image, out_channels: 3, kernel_size: 1}\nra: relu\n"
        "b: {op: conv2d, from: image, out_channels: 5, kernel_size: 1, bias: false}\nrb: relu\n"
        "last: {op: concat, from: [rb, ra]}"
    )
    made = same(graph, module, "merge-siblings")
    assert [(node.name, node.op) for node in made.graph.layers] == [
        ("a_merged", "conv2d"),
        ("a_merged_relu", "relu"),
        ("ra", "channel_slice"),
        ("rb", "channel_slice"),
        ("last", "concat"),
    ]
    assert list(made.network.state_dict()) == ["a_merged.weight", "a_merged.bias"]


@pytest.mark.parametrize(
    "other",
    [
        "{op: conv2d, from: image, out_channels: 5, kernel_size: 3, padding: 1}",
        "{op: conv2d, from: image, out_channels: 4, kernel_size: 1, groups: 2}",
        "{op: conv2d, from: image, out_channels: 4, kernel_size: 1, place: 1}",
        "{op: conv2d, from: a, out_channels: 4, kernel_size: 1}",
        "{shares: a}",
    ],
    ids=["kernel", "groups", "place", "reads another", "shares"],
)
def test_what_differs_does_not_merge(other):
    graph, _ = network(
        f"a: {{op: conv2d, out_channels: 4, kernel_size: 1}}\nb: {other}\nlast: {{op: concat, from: [a, b]}}"
    )
    assert after("merge-siblings", graph).graph is graph


def test_idle_layers_go_but_not_what_an_input_would_be_the_output_of():
    graph, module = network(
        "a: identity\nb: {op: dropout, p: 0.3}\nc: {op: conv2d, out_channels: 4, kernel_size: 1}\nlast: identity",
        "{y: last, z: a}",
    )
    made = same(graph, module, "drop-idle")
    assert [node.name for node in made.graph.layers] == ["a", "c"]
    assert [node.name for node in after("drop-idle", graph, "training").graph.layers] == ["a", "b", "c"]


def test_even_padding_goes_into_convolutions():
    graph, module = network(
        "pad: {op: pad2d, padding: [2, 1], mode: zeros}\n"
        "last: {op: conv2d, out_channels: 3, kernel_size: 3, padding: 1}"
    )
    made = same(graph, module, "fold-padding")
    assert [node.fields["padding"] for node in made.graph.layers] == [[3, 2]]


@pytest.mark.parametrize(
    "pad", ["{op: pad2d, padding: 1, mode: reflect}", "{op: pad2d, padding: {left: 1}, mode: zeros}"]
)
def test_other_padding_stays(pad):
    graph, _ = network(f"pad: {pad}\nlast: {{op: conv2d, out_channels: 3, kernel_size: 3, padding: 1}}")
    assert after("fold-padding", graph).graph is graph


def test_pools_come_before_relus_with_the_same_gradient():
    graph, module = network(
        "conv: {op: conv2d, out_channels: 4, kernel_size: 3}\nrelu: relu\n"
        "last: {op: max_pool2d, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true}"
    )
    made = optimized(copy.deepcopy(module), graph, "training", skip=only("training", "pool-first"))
    assert [node.name for node in made.graph.layers] == ["conv", "last", "last_relu"]
    assert made.graph.outputs[0].node == "last_relu"
    x = images(graph, 3)[0]
    gradients = []
    for one in (module, made.network):
        y = one(x)
        weighted = (y * torch.arange(y.numel()).reshape(y.shape)).sum()
        gradients.append(torch.autograd.grad(weighted, list(one.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_a_relu_that_others_read_stays_before_its_pool():
    graph, _ = network(
        "relu: relu\npool: {op: max_pool2d, kernel_size: 3, stride: 1, padding: 1, ceil_mode: false}\n"
        "last: {op: add, from: [relu, pool]}"
    )
    assert after("pool-first", graph, "training").graph is graph


# Carrying out.


def test_in_place_only_over_what_is_dead():
    graph, module = network(
        "a: {op: conv2d, out_channels: 4, kernel_size: 1}\nra: relu\n"  # over a
        "b: {op: conv2d, out_channels: 4, kernel_size: 1}\nrb: {op: relu, from: b}\n"  # b is read twice
        "sum: {op: add, from: [b, ra]}\nrs: {op: relu, from: sum}\n"  # over sum; not over b
        "sig: sigmoid\nrg: relu\n"  # sigmoid's backward needs its output
        "ri: {op: relu, from: image}\n"  # never over an input
        "last: {op: concat, from: [rb, rs, rg, ri]}"
    )
    made = optimized(copy.deepcopy(module), graph, "training", skip=only("training", "in-place"))
    assert made.lines == ("in-place: 2 relus over dead values",)
    x = images(graph)[0]
    before = x.clone()
    for one in (module, made.network):
        one(x).square().sum().backward()
    assert torch.equal(x, before)
    pairs = zip(module.parameters(), made.network.parameters(), strict=True)
    assert all(torch.equal(a.grad, b.grad) for a, b in pairs)


def packed(activation="relu", **fields):
    torch.manual_seed(0)
    return PackedConv2d(4, 8, 3, at=(9, 9), padding=1, activation=activation, **fields).requires_grad_(False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("plus", [False, True], ids=["alone", "plus"])
@pytest.mark.parametrize("batch", [1, 3])
def test_packed_convolution(activation, plus, batch):
    module = packed(activation)
    x, other = torch.randn(batch, 4, 9, 9) * 3, torch.randn(batch, 8, 9, 9) * 3
    given = (x, other) if plus else (x,)
    y = F.conv2d(x, module.weight, module.bias, padding=1)
    y = y + other if plus else y
    function = ACTIVATIONS[activation][0]
    expected = function(y) if function else y
    torch.testing.assert_close(module(*given), expected, rtol=1e-5, atol=1e-5)
    with plain_forms():
        assert torch.equal(module(*given), expected)
    torch.testing.assert_close(module(*given), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 4, 5, 12), (2, 4, 20, 20), (5, 4, 9, 9)])
def test_packed_convolution_takes_other_sizes(size):
    module, x = packed(groups=2), torch.randn(*size)
    expected = F.relu(F.conv2d(x, module.weight, module.bias, padding=1, groups=2))
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


def test_packed_convolution_follows_its_parameters():
    module, x = packed(), torch.randn(2, 4, 9, 9)
    before = module(x)
    with torch.no_grad():
        module.weight.mul_(-1)
    changed = F.relu(F.conv2d(x, module.weight, module.bias, padding=1))
    assert not torch.allclose(before, changed)
    torch.testing.assert_close(module(x), changed, rtol=1e-5, atol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(module(x), changed, rtol=1e-5, atol=1e-5)


def test_packed_convolution_follows_other_parameters_at_the_same_address():
    module, x = packed(), torch.randn(2, 4, 9, 9)
    for seed in range(4):
        weight = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(seed))
        expected = F.relu(F.conv2d(x, weight, module.bias, padding=1))
        found = torch.func.functional_call(module, {"weight": weight}, (x,))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        del weight
    with torch.inference_mode():
        module.weight = torch.nn.Parameter(torch.ones(8, 4, 3, 3), requires_grad=False)
        module(x)
        module.weight.mul_(3)
        expected = F.relu(F.conv2d(x, module.weight, module.bias, padding=1))
        torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "gone",
    [["bn1.running_mean"], ["bn1.weight"], ["conv1.weight", "fc.bias"], ["bn1.weight", "bn2.running_var"]],
    ids=str,
)
def test_an_incomplete_state_is_refused_and_leaves_its_layers_as_they_were(gone):
    text = """
archspec: 1
name: net
inputs: {image: [3, 8, 8]}
layers:
  conv1: {op: conv2d, out_channels: 4, kernel_size: 3}
  bn1: batch_norm2d
  conv2: {op: conv2d, from: image, out_channels: 4, kernel_size: 3, bias: false}
  bn2: batch_norm2d
  sum: {op: add, from: [bn1, bn2]}
  pool: global_avg_pool2d
  fc: {op: linear, out_features: 3}
outputs: {y: fc}
"""
    graph, module = lively(archspec.compile(archspec.load(text=text)))
    made = archspec.build(graph, optimize="inference", seed=3)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    state = {key: value for key, value in module.state_dict().items() if key not in gone}
    with pytest.raises(RuntimeError) as told:
        made.load_state_dict(state)
    assert all(f'"{key}"' in str(told.value) for key in gone)
    assert made.load_state_dict(state, strict=False).missing_keys == [key for key in module.state_dict() if key in gone]
    whole = optimized(module, graph, "inference").network.state_dict()
    assert len(whole) == 4, "both convolutions, with their norms, are one"
    for key, value in made.state_dict().items():
        loaded = key.startswith("fc.") and key not in gone
        assert torch.equal(value, whole[key] if loaded else before[key]), key
    made.load_state_dict(module.state_dict())
    assert all(torch.equal(value, whole[key]) for key, value in made.state_dict().items())
    with pytest.raises(RuntimeError, match=r"size mismatch for bn1.weight: expected \(4,\), found \(5,\)"):
        made.load_state_dict({**module.state_dict(), "bn1.weight": torch.ones(5)})


def test_a_compiled_network_follows_a_loaded_state():
    graph, module = residual()
    _, other = lively(graph, 5)
    made = optimized(module, graph, "inference").network
    compiled, inputs = torch.compile(made, fullgraph=True), images(graph)
    with torch.no_grad():
        compiled(*inputs)
        made.load_state_dict(other.state_dict())
        assert apart(values(other.eval(), inputs), values(compiled, inputs)) < 1e-5


def test_a_block_that_differs_in_training():
    class Noisy(Primitive, op="noisy"):
        def infer(self, x: Shape) -> Shape:
            return x

        def lower(self, fx, x):
            return fx.function(torch.mul, x, 2.0) if fx.training else x

    text = SPEC.format(
        layers="  conv: {op: conv2d, out_channels: 4, kernel_size: 3}\n  noisy: noisy\n  last: relu\n",
        outputs="{y: last}",
    )
    graph = archspec.compile(archspec.load(text=text), blocks=[Noisy])
    module = archspec.build(graph)
    made = optimized(module, graph, "inference").network
    with torch.no_grad():
        assert apart(values(module.eval(), images(graph)), values(made, images(graph))) < 1e-5


def test_built_in_inference_mode():
    with torch.inference_mode():
        made = archspec.build("lenet5", optimize="inference")
        assert made(torch.randn(2, *archspec.compile("lenet5").inputs[0].shape.dims)).shape[0] == 2


def test_packed_convolution_gives_gradients_and_takes_other_types():
    module = packed()
    x = torch.randn(2, 4, 9, 9, requires_grad=True)
    plain = F.relu(F.conv2d(x, module.weight, module.bias, padding=1))
    (expected,) = torch.autograd.grad(plain.sum(), x)
    (found,) = torch.autograd.grad(module(x).sum(), x)
    assert torch.equal(found, expected)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert module(x).dtype == torch.bfloat16
    with torch.no_grad():
        assert copy.deepcopy(module).double()(x.double()).dtype == torch.float64
        assert copy.deepcopy(module).to(torch.bfloat16)(x.to(torch.bfloat16)).dtype == torch.bfloat16
    assert torch.func.vmap(module)(torch.randn(3, 2, 4, 9, 9)).shape == (3, 2, 8, 9, 9)


def residual():
    return network(
        "a: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1, bias: false}\nbn: batch_norm2d\nrelu: relu\n"
        "b: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}\nbn2: batch_norm2d\n"
        "sum: {op: add, from: [bn2, image]}\nrelu2: relu\n"
        "c: {op: conv2d, out_channels: 5, kernel_size: {k}}\nlast: relu".replace("{k}", "3")
    )


def test_additions_and_activations_are_taken_along():
    graph, module = residual()
    made = same(graph, module, "fold-norms", "packed-convolutions")
    found = [(name, type(one)) for name, one in made.network.named_modules() if isinstance(one, PackedConv2d)]
    assert [name for name, _ in found] == ["a", "b", "c"]
    assert "torch.add" not in made.network._source and "relu(" not in made.network._source
    assert made.network.b.activation == "relu" and list(made.network.state_dict())[:2] == ["a.weight", "a.bias"]


@pytest.mark.parametrize("name", ["residual", "lenet5"])  # the second reads one channel, whose layout is any
def test_compiled_without_a_break(name):
    graph, module = residual() if name == "residual" else lively(archspec.compile(name))
    made = optimized(module, graph, "inference").network
    compiled = torch.compile(made, fullgraph=True)
    with torch.no_grad():
        for batch in (1, 3, 5):
            inputs = images(graph, batch)
            assert apart(values(module.eval(), inputs), values(compiled, inputs)) < 1e-5


def test_an_inference_network_is_copied_pickled_and_refuses_to_train():
    graph, _ = residual()
    made = archspec.build(graph, optimize="inference")
    inputs = images(graph)
    expected = made(*inputs)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(other(*inputs), expected)
        with pytest.warns(UserWarning, match="optimised for inference and stays in evaluation"):
            torch.nn.Sequential(other).train()
        assert not other.training
    assert not made.training and not any(parameter.requires_grad for parameter in made.parameters())


def test_an_inference_network_loads_the_originals_weights_and_its_own():
    graph, module = residual()
    _, other = lively(graph, 5)
    made = optimized(module, graph, "inference").network
    inputs = images(graph)
    made(*inputs)
    made.load_state_dict(other.state_dict())
    with torch.no_grad():
        assert apart(values(other.eval(), inputs), values(made, inputs)) < 1e-5
    fresh = optimized(module, graph, "inference").network
    fresh.load_state_dict(made.state_dict())
    assert torch.equal(fresh(*inputs), made(*inputs))
    around = torch.nn.Sequential(fresh)
    around.load_state_dict({f"0.{name}": v for name, v in module.state_dict().items() if "num_batches" not in name})
    with torch.no_grad():
        assert apart(values(module.eval(), inputs), values(fresh, inputs)) < 1e-5
    fresh.load_state_dict({**other.state_dict(), "more": torch.zeros(1)}, strict=False)
    with torch.no_grad():
        assert apart(values(other, inputs), values(fresh, inputs)) < 1e-5
    with pytest.raises(RuntimeError, match="Missing key"):
        made.load_state_dict({"a.weight": made.state_dict()["a.weight"]})


def test_the_original_is_left_as_it_is():
    graph, module = residual()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    optimized(module, graph, "inference")
    optimized(module, graph, "training")
    assert module.training and list(module.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(value.is_contiguous() for value in module.state_dict().values())


def test_model_py_of_an_optimised_network():
    graph, module = residual()
    made = optimized(module, graph, "inference")
    alone = standalone_module(made.graph, standalone_source(made.graph))
    alone.load_state_dict(made.network.state_dict())
    inputs = images(graph)
    assert apart(values(alone, inputs), values(made.network, inputs)) < 1e-6
    assert "archspec" not in standalone_source(made.graph).replace("written by archspec", "")


def test_frozen_places_and_types_stay():
    made = archspec.build("resnet-cifar", optimize="training", freeze="conv1", dtype=torch.float64, devices=["cpu"])
    assert not made.conv1.weight.requires_grad and made.conv1.weight.dtype == torch.float64
    assert sum(parameter.requires_grad for parameter in made.parameters()) == len(list(made.parameters())) - 1


def test_a_network_tells_what_was_done():
    graph, module = residual()
    made = optimized(module, graph, "inference")
    assert made.network.optimized == made.lines and module.optimized == ()
    assert made.lines[-1] == "channels-last: kernels in channels_last"
    assert [line.split(": ")[0] for line in made.lines] == list(made.did)
    for twin in (copy.deepcopy(made.network), pickle.loads(pickle.dumps(made.network))):
        assert twin.optimized == made.lines
    with pytest.raises(AttributeError):
        made.network.optimized = ()
    trained = archspec.build(graph, optimize="training")
    assert trained.optimized == optimized(module, graph, "training").lines


def test_disagreement_is_told():
    graph, module = residual()
    made = optimized(module, graph, "inference")
    assert "at most" in agreement(module, made, graph) and module.training
    with torch.no_grad():
        made.network.a.weight.add_(1)
    with pytest.raises(BuildError, match="gives other outputs"):
        agreement(module, made, graph)


def test_an_unknown_mode():
    with pytest.raises(BuildError, match=r"found 'infrence'[^`]*did you mean `inference`"):
        archspec.build("lenet5", optimize="infrence")


def test_emission_is_the_same_without_a_mode():
    graph, module = residual()
    assert "add_" not in str(emit(graph, training=True).graph)
    assert "inplace" not in module._source
