"""Built networks: what they declare, return and compute, and what torch can do with them."""

import copy
import io
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.lowering.emitter import emit

SPECS = Path(__file__).parents[2] / "specs"

VARIANTS = [
    *((path.stem, {}) for path in sorted(SPECS.glob("*.yaml"))),
    ("alexnet", {"lrn_groups": 2, "classes": 10}),
    ("googlenet", {"aux": False}),
    ("plain-cifar", {"depth": 110}),
    ("resnet-cifar", {"depth": 110}),
    ("resnet-cifar", {"shortcut": "B"}),
    ("resnet18", {"shortcut": "B"}),
    ("resnet34", {"shortcut": "C"}),
    ("resnet50", {"stride_in": "conv2"}),
]

TINY = """
archspec: 1
name: tiny
inputs: {image: [3, 15, 15]}
layers:
  conv1: {op: conv2d, out_channels: 8, kernel_size: 3, stride: 2, padding: {right: 1, bottom: 1}}
  bn1:   batch_norm2d
  relu1: relu
  norm1: {op: lrn, size: 3, alpha: 0.1, beta: 0.75, k: 1, divide_by_size: false, groups: 2}
  pool1: {op: max_pool2d, kernel_size: 3, stride: 2, ceil_mode: true}
  res:
    layers:
      conv: {op: conv2d, out_channels: 8, kernel_size: 3, padding: same, groups: 4, bias: false}
      bn:   batch_norm2d
      add:  {op: add, from: [bn, pool1]}
      relu: relu
  gap:   global_avg_pool2d
  fc:    {op: linear, out_features: 5}
  head:
    from: res
    layers:
      flat: flatten
      drop: {op: dropout, p: 0.3}
      fc:   {op: linear, out_features: 5}
outputs:
  logits: fc
  aux: {from: head, training_only: true, loss_weight: 0.3}
"""


def compiled(spec, settings=None):
    return archspec.compile(archspec.load(SPECS / f"{spec}.yaml"), set=settings)


def tiny(**options):
    return archspec.build(archspec.load(text=TINY), **options)


def batch(graph, count=2, dtype=torch.float32, size=None):
    """Random images, the same in every run."""
    channels, height, width = graph.inputs[0].shape.dims
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, size or height, size or width, generator=generator, dtype=dtype)


TINY_BATCH = batch(archspec.compile(archspec.load(text=TINY)))


def outputs_of(result):
    """The outputs as a plain tuple."""
    return tuple(result) if isinstance(result, tuple) else (result,)


def run(module, x, training, seed=0):
    """All outputs, with dropout drawn from a seed."""
    torch.manual_seed(seed)
    with torch.no_grad():
        return outputs_of(module.train(training)(x))


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


def assert_close(found, expected, **tolerance):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


class Recorder(torch.fx.Interpreter):
    """Runs the code of a network and keeps the shape of what each layer gives."""

    def __init__(self, module, graph):
        super().__init__(module, graph=graph)
        self.shapes = {}

    def run_node(self, n):
        result = super().run_node(n)
        if "layer" in n.meta:
            self.shapes[n.meta["layer"]] = tuple(result.shape[1:])
        return result


@pytest.mark.parametrize(("spec", "settings"), VARIANTS)
def test_what_a_graph_declares_holds_in_torch(spec, settings):
    """State dict, params, MACs, and the shape of every value, in training and in evaluation."""
    graph = compiled(spec, settings)
    module = archspec.build(graph)
    state = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert list(state.items()) == list(graph.state_shapes().items())
    assert sum(parameter.numel() for parameter in module.parameters()) == graph.params
    module.to("meta")
    x = batch(graph).to("meta")
    for training, part in (True, graph), (False, graph.inference()):
        with FlopCounterMode(display=False) as counter:
            results = outputs_of(module.train(training)(x))
        assert counter.get_total_flops() == 2 * len(x) * part.macs
        assert [tuple(y.shape) for y in results] == [(2, *part[o.node].shape.dims) for o in part.outputs]
        recorder = Recorder(module, emit(graph, training).graph)
        recorder.run(x)
        silent = {node.name for node in part if node.op in ("identity", "dropout")}
        assert recorder.shapes.keys() | silent == {node.name for node in part}
        assert all(part[name].shape.dims == shape for name, shape in recorder.shapes.items())


def test_one_output_is_bare_and_several_are_a_named_tuple():
    module = tiny()
    result = module(TINY_BATCH)
    assert result._fields == ("logits", "aux")
    assert result.logits is result[0]
    assert isinstance(module.eval()(TINY_BATCH), torch.Tensor)


def test_the_main_output_comes_first():
    text = TINY.replace("  logits: fc\n", "").rstrip() + "\n  logits: fc\n"
    assert archspec.build(archspec.load(text=text))(TINY_BATCH)._fields[0] == "logits"


def test_several_main_outputs_are_a_named_tuple_in_evaluation_too():
    text = TINY.replace("logits: fc", "logits: fc\n  features: gap")
    module = archspec.build(archspec.load(text=text))
    assert module(TINY_BATCH)._fields == ("logits", "features", "aux")
    assert module.eval()(TINY_BATCH)._fields == ("logits", "features")


@pytest.mark.parametrize(
    ("spec", "fields"), [("googlenet", ("logits", "aux1", "aux2")), ("alexnet", None), ("resnet-cifar", None)]
)
def test_outputs_of_the_papers_networks(spec, fields):
    graph = compiled(spec)
    module, x = archspec.build(graph).to("meta"), batch(graph).to("meta")
    assert getattr(module(x), "_fields", None) == fields
    assert isinstance(module.eval()(x), torch.Tensor)


def poison(module, prefix):
    with torch.no_grad():
        found = [
            parameter.fill_(float("nan")) for key, parameter in module.named_parameters() if key.startswith(prefix)
        ]
    assert found


def test_evaluation_computes_no_auxiliary_head():
    graph = compiled("googlenet", {"classes": 7})
    module, x = archspec.build(graph), batch(graph, 1)
    expected = run(module, x, training=False)
    poison(module, ("aux1.", "aux2."))
    found = run(module, x, training=False)
    assert found[0].isfinite().all()
    assert_equal(found, expected)
    assert run(module, x, training=True)[1].isnan().all()


def test_evaluation_does_without_the_modules_of_auxiliary_heads():
    module = tiny().eval()
    expected = module(TINY_BATCH)
    del module.head
    assert torch.equal(module(TINY_BATCH), expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("spec", "size"), [("alexnet", None), ("googlenet", None), ("resnet18", 64), ("resnet-cifar", None)]
)
def test_compile_without_graph_breaks(spec, size, training):
    graph = compiled(spec, {"classes": 10})
    module, x = archspec.build(graph), batch(graph, size=size)
    expected = run(copy.deepcopy(module), x, training)
    torch._dynamo.reset()
    found = run(torch.compile(module, fullgraph=True, backend="aot_eager"), x, training)
    assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="inductor needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")
def test_inductor():
    module = tiny().eval()
    torch._dynamo.reset()
    with torch.no_grad():
        found, expected = torch.compile(module, fullgraph=True)(TINY_BATCH), module(TINY_BATCH)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("spec", ["alexnet", "googlenet", "resnet-cifar"])
def test_export_with_any_batch(spec, training):
    graph = compiled(spec, {"classes": 10})
    module = archspec.build(graph).train(training)
    shapes = ({0: torch.export.Dim("batch", min=2)},)
    exported = torch.export.export(copy.deepcopy(module), (batch(graph, 2),), dynamic_shapes=shapes).module()
    x = batch(graph, 3)
    with torch.no_grad():
        torch.manual_seed(0)
        found = outputs_of(exported(x))
        torch.manual_seed(0)
        expected = outputs_of(module(x))
    assert_close(found, expected, rtol=1e-4, atol=1e-5)


def by_pickle(module):
    return pickle.loads(pickle.dumps(module))


def by_save(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = [copy.deepcopy, by_pickle, by_save]


def storages(module):
    return {value.untyped_storage().data_ptr() for value in module.state_dict().values()}


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_is_equal_and_apart(copied):
    module = tiny()
    module(TINY_BATCH)
    twin = copied(module)
    assert type(twin) is type(module)
    assert not storages(twin) & storages(module)
    for training in (True, False):
        assert_equal(run(twin, TINY_BATCH, training), run(module, TINY_BATCH, training))
    poison(twin, "fc")
    assert run(module, TINY_BATCH, training=False)[0].isfinite().all()


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_of_googlenet_is_equal(copied):
    graph = compiled("googlenet", {"classes": 3})
    module, x = archspec.build(graph), batch(graph, 1)
    twin = copied(module)
    assert_equal(run(twin, x, training=True), run(module, x, training=True))


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_can_be_trained(copied):
    module = copied(tiny())
    sum(y.square().sum() for y in module(TINY_BATCH)).backward()
    assert all(parameter.grad.any() for key, parameter in module.named_parameters() if key != "conv1.bias")


@pytest.mark.parametrize("training", [True, False])
def test_a_copy_keeps_the_mode(training):
    assert by_pickle(tiny().train(training)).training is training


def test_another_process_can_load_what_was_saved(tmp_path):
    module = tiny().eval()
    torch.save(module, tmp_path / "module.pt")
    torch.save(TINY_BATCH, tmp_path / "x.pt")
    program = (
        "import torch; module = torch.load('module.pt', weights_only=False);"
        "torch.save(module(torch.load('x.pt')).detach(), 'y.pt')"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    torch.testing.assert_close(torch.load(tmp_path / "y.pt"), module(TINY_BATCH).detach(), rtol=1e-6, atol=1e-6)


def test_a_state_dict_goes_round():
    first, second = tiny(seed=0), tiny(seed=1)
    first(TINY_BATCH)
    expected = run(first, TINY_BATCH, training=False)
    assert not torch.equal(run(second, TINY_BATCH, training=False)[0], expected[0])
    second.load_state_dict(first.state_dict(), strict=True)
    assert_equal(run(second, TINY_BATCH, training=False), expected)


TRAINED = [
    ("alexnet", {"classes": 10}, None),
    ("googlenet", {"classes": 10}, None),
    ("plain-cifar", {}, None),
    ("plain18", {}, 64),
    ("resnet-cifar", {}, None),
    ("resnet-cifar", {"shortcut": "C"}, None),
    ("resnet18", {}, 64),
    ("resnet50", {}, 64),
]


@pytest.mark.parametrize(("spec", "settings", "size"), TRAINED)
def test_gradients_reach_every_parameter(spec, settings, size):
    graph = compiled(spec, settings)
    module, x = archspec.build(graph), batch(graph, size=size)
    torch.manual_seed(0)
    results = outputs_of(module(x))
    sum(F.cross_entropy(y, torch.arange(len(y))) for y in results).backward()
    assert [key for key, parameter in module.named_parameters() if not parameter.grad.any()] == []


@pytest.mark.parametrize(("spec", "settings", "size"), TRAINED)
def test_the_same_input_gives_the_same_output_and_stays_as_it_was(spec, settings, size):
    graph = compiled(spec, settings)
    module, x = archspec.build(graph), batch(graph, size=size)
    before = x.clone()
    first, second = (run(module, x, training=False) for _ in range(2))
    assert_equal(first, second)
    assert_equal(run(module, x, training=True), run(module, x, training=True))
    assert torch.equal(x, before)


@pytest.mark.parametrize(("spec", "settings", "size"), TRAINED)
def test_float32_agrees_with_float64(spec, settings, size):
    graph = compiled(spec, settings)
    module, x = archspec.build(graph), batch(graph, size=size)
    narrow = run(module, x, training=False)
    wide = run(module.double(), x.double(), training=False)
    scale = wide[0].abs().max().item()
    assert_close(narrow, [y.float() for y in wide], rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("training", [True, False])
def test_channels_last(training):
    graph = compiled("resnet-cifar")
    module, x = archspec.build(graph), batch(graph)
    twin = copy.deepcopy(module).to(memory_format=torch.channels_last)
    assert twin.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    found = run(twin, x.to(memory_format=torch.channels_last), training)
    assert_close(found, run(module, x, training), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_moves_to_another_dtype(dtype):
    moved, made = tiny().to(dtype), tiny(dtype=dtype)
    for (key, a), b in zip(moved.state_dict().items(), made.state_dict().values(), strict=True):
        assert a.dtype == b.dtype == (torch.int64 if key.endswith("num_batches_tracked") else dtype)
        assert torch.equal(a, b)
    assert {y.dtype for y in run(moved, TINY_BATCH.to(dtype), training=True)} == {dtype}


def test_a_network_is_built_in_training_mode():
    assert all(part.training for part in tiny().modules())


def test_modules_have_the_paths_of_the_spec():
    names = [name for name, _ in tiny().named_modules() if name]
    assert names == ["conv1", "bn1", "res", "res.conv", "res.bn", "fc", "head", "head.fc"]


# The same networks written by hand.


class AlexNet(nn.Module):
    """Krizhevsky et al. 2012, figure 2, on one device."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(9216, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, 1000)
        self.lrn = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)

    def forward(self, x):
        x = F.relu(self.conv1(F.pad(x, (0, 3, 0, 3))))
        x = F.max_pool2d(self.lrn(x), 3, 2)
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(self.lrn(x), 3, 2)
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.max_pool2d(F.relu(self.conv5(x)), 3, 2).flatten(1)
        x = F.dropout(F.relu(self.fc6(x)), 0.5, self.training)
        x = F.dropout(F.relu(self.fc7(x)), 0.5, self.training)
        return self.fc8(x)


class ZeroPadding(nn.Module):
    """Option A of the ResNet paper."""

    def __init__(self, extra, stride):
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, x):
        x = F.avg_pool2d(x, 1, self.stride)
        zeros = x.new_zeros(len(x), self.extra, *x.shape[2:])
        return torch.cat([x, zeros], 1)


class Residual(nn.Module):
    """He et al. 2015, figure 5: convolutions (width, kernel, stride) and a shortcut."""

    def __init__(self, before, convolutions, option):
        super().__init__()
        self.branch, channels, step = nn.ModuleList(), before, 1
        for width, kernel, stride in convolutions:
            conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
            self.branch.extend([conv, nn.BatchNorm2d(width)])
            channels, step = width, step * stride
        self.shortcut = nn.Identity()
        if option == "C" or (before, step) != (channels, 1):
            projection = nn.Sequential(nn.Conv2d(before, channels, 1, step, bias=False), nn.BatchNorm2d(channels))
            self.shortcut = ZeroPadding(channels - before, step) if option == "A" else projection

    def forward(self, x):
        y = x
        for i in range(0, len(self.branch), 2):
            y = self.branch[i + 1](self.branch[i](y))
            y = F.relu(y) if i + 2 < len(self.branch) else y
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """He et al. 2015, Table 1: widths and counts of blocks; the blocks are basic, or bottlenecks of 4 x width."""

    def __init__(self, counts, widths, option, bottleneck=False, stride_in=0, imagenet=True, classes=1000):
        super().__init__()
        kernel, stride = (7, 2) if imagenet else (3, 1)
        self.conv1 = nn.Conv2d(3, widths[0], kernel, stride, kernel // 2, bias=False)
        self.bn1, self.imagenet = nn.BatchNorm2d(widths[0]), imagenet
        self.blocks, channels = nn.ModuleList(), widths[0]
        for stage, (count, width) in enumerate(zip(counts, widths, strict=True)):
            for index in range(count):
                shape = [(width, 1), (width, 3), (4 * width, 1)] if bottleneck else [(width, 3), (width, 3)]
                step = 2 if stage and not index else 1
                convolutions = [(*conv, step if i == stride_in else 1) for i, conv in enumerate(shape)]
                self.blocks.append(Residual(channels, convolutions, option))
                channels = shape[-1][0]
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, 2, 1) if self.imagenet else x
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean((2, 3)))


IMAGENET = (64, 128, 256, 512)
BY_HAND = {
    "alexnet": ("alexnet", {}, AlexNet, None),
    "resnet18": ("resnet18", {}, lambda: ResNet((2, 2, 2, 2), IMAGENET, "A"), 64),
    "resnet18 B": ("resnet18", {"shortcut": "B"}, lambda: ResNet((2, 2, 2, 2), IMAGENET, "B"), 64),
    "resnet34 C": ("resnet34", {"shortcut": "C"}, lambda: ResNet((3, 4, 6, 3), IMAGENET, "C"), 64),
    "resnet50": ("resnet50", {}, lambda: ResNet((3, 4, 6, 3), IMAGENET, "B", True), 64),
    "resnet50 A": ("resnet50", {"shortcut": "A"}, lambda: ResNet((3, 4, 6, 3), IMAGENET, "A", True), 64),
    "resnet50 v1.5": ("resnet50", {"stride_in": "conv2"}, lambda: ResNet((3, 4, 6, 3), IMAGENET, "B", True, 1), 64),
    "resnet-cifar": (
        "resnet-cifar",
        {},
        lambda: ResNet((3, 3, 3), (16, 32, 64), "A", imagenet=False, classes=10),
        None,
    ),
    "resnet-cifar B": (
        "resnet-cifar",
        {"shortcut": "B"},
        lambda: ResNet((3, 3, 3), (16, 32, 64), "B", imagenet=False, classes=10),
        None,
    ),
}
"""Spec, settings, the network by hand, and the side of the images."""


@pytest.mark.parametrize("name", BY_HAND)
def test_a_network_computes_what_its_twin_by_hand_computes(name):
    spec, settings, made, size = BY_HAND[name]
    graph = compiled(spec, settings)
    module, twin = archspec.build(graph, dtype=torch.float64), made().double()
    weights = module.state_dict().values()
    twin.load_state_dict(dict(zip(twin.state_dict(), weights, strict=True)))
    x = batch(graph, dtype=torch.float64, size=size)
    for training in (True, False):
        found, expected = run(module, x, training), run(twin, x, training)
        assert expected[0].std() > 0
        assert_close(found, expected, rtol=1e-6, atol=1e-6 * expected[0].abs().max().item())
    for found, expected in zip(module.state_dict().values(), twin.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_network_learns_as_its_twin_by_hand_learns():
    graph = compiled("resnet-cifar")
    module = archspec.build(graph, dtype=torch.float64)
    twin = ResNet((3, 3, 3), (16, 32, 64), "A", imagenet=False, classes=10).double()
    twin.load_state_dict(dict(zip(twin.state_dict(), module.state_dict().values(), strict=True)))
    x, labels = batch(graph, 4, torch.float64), torch.arange(4)
    for network in module, twin:
        F.cross_entropy(network(x), labels).backward()
    for found, expected in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-6, atol=1e-9)
