"""What a CUDA GPU gives is what the CPU gives: building, optimising, measuring, training. Skipped without one."""

import json

import pytest
import torch
from click.testing import CliRunner

import archspec
from archspec.cli.app import cli
from archspec.ops.lrn import local_response_norm as plain
from archspec.ops.lrn_swift import local_response_norm as swift
from tests.lrn import LAYOUTS, SETTINGS, value_and_gradient
from tests.train.small import write_small

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")


@pytest.fixture(autouse=True)
def _exact():
    """Single precision is what it says."""
    was = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = was


def good(*arguments):
    found = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert found.exit_code == 0, found.output + repr(found.exception)
    return found.output


def apart(one, other):
    one, other = one.detach().cpu().double(), other.detach().cpu().double()
    return float((one - other).abs().max() / other.abs().max())


def first(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


# Local response normalisation.


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("dtype", "most"), [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 4e-3), (torch.float16, 5e-4)]
)
def test_lrn(settings, layout, dtype, most):
    for channels, places in (40, (5, 7)), (96, (13, 13)), (192, (3, 5)), (256, (4, 4)), (1000, (2, 3)):
        generator = torch.Generator().manual_seed(channels)
        x, slope = (torch.randn(3, channels, *places, generator=generator).to(dtype) * 3 for _ in range(2))
        exact = value_and_gradient(plain, x.double(), settings, slope.double())
        on_gpu = [one.cuda().to(memory_format=LAYOUTS[layout]) for one in (x, slope)]
        for found, wanted in zip(value_and_gradient(swift, on_gpu[0], settings, on_gpu[1]), exact, strict=True):
            assert found.dtype == dtype and found.stride() == on_gpu[0].stride()
            assert apart(found, wanted) < most


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lrn_is_one_kernel_each_way(layout):
    """And so is it where it is compiled."""
    x = torch.randn(2, 96, 13, 13, device="cuda").to(memory_format=LAYOUTS[layout]).requires_grad_()
    names = (
        ("_forward_of_places", "_backward_of_places")
        if layout == "contiguous"
        else ("_forward_of_rows", "_backward_of_rows")
    )
    for norm in swift, torch.compile(swift, fullgraph=True):
        norm(x, 5, 0.3, 0.75, 1.0).sum().backward()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as told:
            norm(x, 5, 0.3, 0.75, 1.0).sum().backward()
        kernels = [one.key for one in told.key_averages()]
        assert all(any(name in kernel for kernel in kernels) for name in names), kernels


def test_a_convolution_with_its_relu_is_one_operation_of_cudnn():
    module = archspec.build("resnet18", device="cuda", optimize="inference")
    with torch.no_grad(), torch.profiler.profile() as told:
        module(torch.randn(2, 3, 224, 224, device="cuda"))
    counts = {one.key: one.count for one in told.key_averages()}
    assert counts["aten::cudnn_convolution_relu"] + counts["aten::cudnn_convolution_add_relu"] >= 17


def test_lrn_of_a_slope_in_another_layout_and_of_maps_with_gaps():
    x, slope = torch.randn(2, 3, 24, 6, 6, device="cuda").unbind()
    settings = (5, 0.3, 0.75, 1.0)
    gaps = torch.randn(3, 24, 6, 12, device="cuda")[..., ::2]
    for one, other in (x, slope.to(memory_format=torch.channels_last)), (gaps, slope), (gaps[:0], slope[:0]):
        exact = value_and_gradient(plain, one.double().cpu(), settings, other.double().cpu())
        for found, wanted in zip(value_and_gradient(swift, one, settings, other), exact, strict=True):
            assert torch.allclose(found.double().cpu(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compiles", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lrn_of_large_maps_and_in_cuda_graphs(layout, compiles, dtype):
    settings = (5, 1e-4, 0.75, 2.0)
    x, slope = (
        torch.randn(128, 96, 55, 55, device="cuda", dtype=dtype).to(memory_format=LAYOUTS[layout]) for _ in range(2)
    )
    exact = value_and_gradient(plain, x.float(), settings, slope.float())
    norm = torch.compile(swift, dynamic=False) if compiles else swift
    x.requires_grad_()

    def both():
        y = norm(x, *settings)
        return y.detach(), *torch.autograd.grad(y, x, slope)

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            warm = both()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = both()
    for _ in range(3):
        graph.replay()
    torch.cuda.synchronize()
    for found in (warm, captured):
        for one, wanted in zip(found, exact, strict=True):
            assert apart(one, wanted) < (1e-6 if dtype == torch.float32 else 4e-3)


def test_lrn_has_gradients_of_gradients():
    x = torch.randn(2, 8, 2, 1, device="cuda", dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: swift(x, 5, 0.3, 0.75, 1.0), x)
    assert torch.autograd.gradgradcheck(lambda x: swift(x, 5, 0.3, 0.75, 1.0), x)


def test_lrn_compiled_and_under_autocast():
    x = torch.randn(4, 96, 9, 9, device="cuda")
    compiled = torch.compile(lambda x: swift(x, 5, 0.3, 0.75, 1.0), fullgraph=True)
    exact = value_and_gradient(plain, x.double(), (5, 0.3, 0.75, 1.0), torch.ones_like(x).double())
    for found, wanted in zip(value_and_gradient(compiled, x, (), torch.ones_like(x)), exact, strict=True):
        assert apart(found, wanted) < 1e-6
    with torch.autocast("cuda", torch.bfloat16):
        assert apart(swift(x.bfloat16(), 5, 0.3, 0.75, 1.0), exact[0]) < 1e-2


# Networks.


@pytest.mark.parametrize(
    "name", ["alexnet", "googlenet", "resnet50-torchvision", "googlenet-torchvision", "squeezenet1_0-torchvision"]
)
def test_networks(name):
    graph = archspec.compile(name)
    images = torch.randn(2, *graph.inputs[0].shape.dims)
    module = archspec.build(graph, seed=1).eval()
    with torch.no_grad():
        wanted = first(module(images))
        assert apart(first(archspec.build(graph, seed=1, device="cuda").eval()(images.cuda())), wanted) < 1e-4
        for dtype, most in (torch.float32, 1e-4), (torch.bfloat16, 0.05):
            faster = archspec.build(graph, seed=1, device="cuda", dtype=dtype, optimize="inference")
            assert apart(first(faster(images.cuda().to(dtype))), wanted) < most


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet50-torchvision"])
def test_gradients_of_networks_for_training(name):
    graph = archspec.compile(name)
    images = torch.randn(2, *graph.inputs[0].shape.dims, device="cuda", dtype=torch.float64)
    found = []
    for optimize in None, "training":
        module = archspec.build(graph, seed=1, device="cuda", dtype=torch.float64, optimize=optimize).eval()
        first(module(images)).square().sum().backward()
        found.append({name: value.grad for name, value in module.named_parameters() if value.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        assert apart(found[1][name], gradient) < 1e-9, name


def test_network_on_a_gpu_and_the_cpu(tmp_path):
    text = """
archspec: 1
name: two
inputs: {image: [3, 8, 8]}
layers:
  one: {op: conv2d, out_channels: 4, kernel_size: 3, place: 0}
  two: {op: conv2d, out_channels: 4, kernel_size: 3, place: 1}
outputs: {y: two}
"""
    graph = archspec.compile(archspec.load(text=text))
    module = archspec.build(graph, devices=["cuda:0", "cpu"])
    x = torch.randn(2, 3, 8, 8)
    found = module(x.cuda())
    assert module.one.weight.is_cuda and not module.two.weight.is_cuda and not found.is_cuda
    assert apart(found, archspec.build(graph)(x)) < 1e-5


# Commands.


@pytest.fixture
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("_here")
def test_build_and_bench():
    assert "cuda" in good("build", "alexnet", "--device", "cuda", "--optimize", "inference")
    arguments = ["--device", "cuda", "--batch", 4, "--rounds", 3, "--layers", "--json", "--dtype", "bfloat16"]
    for run in "forward", "step":
        found = json.loads(good("bench", "alexnet", "--run", run, *arguments))
        assert all(one["peak_bytes"] > 0 for one in found["networks"]), found


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    "options",
    [
        ["--deterministic", "--workers", 2],
        ["--precision", "bf16", "--channels-last"],
        ["--precision", "fp16"],
        ["--precision", "tf32", "--compile"],
    ],
    ids=lambda options: options[1].lstrip("-") if len(options) > 1 else "",
)
def test_training(tmp_path, options):
    spec, recipe = write_small(tmp_path)
    machine = ["--device", "cuda", "--log-every", 5]
    good("train", spec, "-r", recipe, "--out", "run", *machine, *options)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["train.loss"] for line in lines if line["kind"] == "train"]
    good("train", spec, "-r", recipe, "--out", "cpu", "--log-every", 5)
    on_cpu = [json.loads(line) for line in (tmp_path / "cpu" / "metrics.jsonl").read_text().splitlines()]
    wanted = [line["train.loss"] for line in on_cpu if line["kind"] == "train"]
    assert len(losses) == len(wanted) and losses[0] == pytest.approx(wanted[0], rel=0.2)
    found = json.loads(good("evaluate", "run", "--device", "cuda", "--json"))
    there = json.loads(good("evaluate", "run", "--json"))
    assert found.keys() == there.keys()


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    "options", [[], ["--precision", "bf16", "--compile", "--channels-last"], ["--precision", "fp16"]]
)
def test_training_goes_on_where_it_stopped(tmp_path, options):
    spec, recipe = write_small(tmp_path)
    machine = ["--device", "cuda", "--checkpoint-every", 15, "--keep", 9, "--deterministic", *options]
    good("train", spec, "-r", recipe, "--recipe-set", "select=last", "--out", "run", *machine)
    weights = tmp_path / "run" / "weights.safetensors"
    wanted = weights.read_bytes()
    weights.unlink()
    checkpoints = sorted((tmp_path / "run" / "checkpoints").iterdir())
    assert len(checkpoints) == 3
    for path in checkpoints[1:]:
        path.unlink()
    good("train", "--resume", "run")
    assert weights.read_bytes() == wanted
