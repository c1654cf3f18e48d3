"""What is measured where there is a CUDA GPU: LRN beside its bandwidth floor, inference and training beside others'."""

from __future__ import annotations

import statistics
import time
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

import archspec
from archspec.measure.machine import measured_machine
from archspec.recipe.files import load_recipe
from archspec.train.execution import Execution
from archspec.train.job import Job, prepare_job, prepare_module
from archspec.train.loop import train
from archspec.train.state import fresh
from tests.benchmarks.lrn import LAYOUTS, ours
from tests.benchmarks.trainer import held, with_batches

SHAPES = [(128, 96, 55, 55), (128, 64, 56, 56)]
"""Larger than the GPU's cache."""
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
CUDA = torch.device("cuda")


def seconds(function: Callable[[], object], rounds: int = 7, least: float = 0.02) -> float:
    """The GPU's seconds of one call, the median of rounds of many calls each."""
    for _ in range(3):
        function()
    torch.cuda.synchronize()
    began = time.perf_counter()
    function()
    torch.cuda.synchronize()
    calls = max(1, round(least / (time.perf_counter() - began)))
    taken = []
    for _ in range(rounds):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(calls):
            function()
        end.record()
        end.synchronize()
        taken.append(begin.elapsed_time(end) / calls / 1000)
    return statistics.median(taken)


def graphed(function: Callable[[], object]) -> Callable[[], object]:
    """The same as a CUDA graph, so that what Python does for each call is not timed."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            function()
    torch.cuda.synchronize()  # a fault is told here, not by whoever comes next
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


def lrn() -> None:
    """Beside the time in which each tensor is read and written once; the goal is 1.5 times that."""
    torchs = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    for kind, dtype in TYPES.items():
        machine = measured_machine(CUDA, dtype)
        print(f"copy, {kind}: {machine.bandwidth / 1e12:.2f} TB/s", flush=True)
        for shape in SHAPES:
            for name, layout in LAYOUTS.items():
                x = torch.randn(shape, device=CUDA, dtype=dtype).to(memory_format=layout).requires_grad_()
                slope = torch.randn(shape, device=CUDA, dtype=dtype).to(memory_format=layout)
                once = x.numel() * x.element_size() / machine.bandwidth
                what = f"{'x'.join(map(str, shape))} {name} {kind}"
                torch._dynamo.reset()
                norms = {
                    "ours": ours,
                    "ours, compiled": torch.compile(ours, dynamic=False),
                    "torch's": torchs,
                    "torch's, compiled": torch.compile(torchs, dynamic=False),
                }
                for (
                    who,
                    norm,
                ) in norms.items():  # told one by one: after a fault of one, the rest of the process is lost

                    def forward(norm: Callable[..., torch.Tensor] = norm, x: torch.Tensor = x) -> None:
                        with torch.no_grad():
                            norm(x)

                    def both(norm: Callable[..., Any] = norm, x: torch.Tensor = x, slope: torch.Tensor = slope) -> None:
                        torch.autograd.grad(norm(x), x, slope)

                    alone, whole = seconds(graphed(forward)), seconds(graphed(both))
                    print(
                        f"LRN {what}, {who}: forward {alone / once / 2:.2f} x its floor of {2 * once * 1e6:.0f} us, "
                        f"with backward {whole / once / 5:.2f} x",
                        flush=True,
                    )


def inference(models: types.ModuleType) -> None:
    """GoogLeNet and ResNet-50 beside torchvision's in channels_last: in eager mode, and as CUDA graphs."""
    peak = measured_machine(CUDA, torch.bfloat16).flops
    print(f"matrix product, bfloat16: {peak / 1e12:.0f} TFLOP/s", flush=True)
    for name in ("googlenet", "resnet50"):
        macs = archspec.compile(f"{name}-torchvision").inference().macs
        for kind, dtype in TYPES.items():
            mine = archspec.build(f"{name}-torchvision", device="cuda", dtype=dtype, optimize="inference")
            shipped, last = (_peer(models, name).eval().to(CUDA, dtype) for _ in range(2))
            last.to(memory_format=torch.channels_last)
            for batch in (1, 8, 128):
                image = torch.randn(batch, 3, 224, 224, device=CUDA, dtype=dtype)
                laid_out = image.to(memory_format=torch.channels_last)
                calls: list[Callable[[], object]]
                calls = [partial(mine, image), partial(shipped, image), partial(last, laid_out)]
                with torch.inference_mode():
                    eager = [seconds(call) for call in calls]
                    graphs = [seconds(graphed(call)) for call in calls]
                said = [
                    f"{how} {took[0] * 1e3:.2f} ms, {took[1] / took[0]:.2f} x faster than torchvision's, "
                    f"{took[2] / took[0]:.2f} x in channels_last"
                    for how, took in (("eager", eager), ("CUDA graph", graphs))
                ]
                share = 2 * macs * batch / graphs[0] / peak
                print(f"{name}, {kind}, batch {batch}: {'; '.join(said)}; {share:.0%} of the matrix rate", flush=True)


def compiled(models: types.ModuleType) -> None:
    """The same in bf16, compiled with CUDA graphs by torch.compile, torchvision's in channels_last."""
    for name, batch in (("googlenet", 1), ("googlenet", 128), ("resnet50", 128), ("resnet50", 1)):
        mine = archspec.build(f"{name}-torchvision", device="cuda", dtype=torch.bfloat16, optimize="inference")
        peer = _peer(models, name).eval().to(CUDA, torch.bfloat16, memory_format=torch.channels_last)
        image = torch.randn(batch, 3, 224, 224, device=CUDA, dtype=torch.bfloat16)
        image = image.to(memory_format=torch.channels_last)
        took = []
        for module in (mine, peer):
            torch._dynamo.reset()
            call = torch.compile(module, mode="reduce-overhead", dynamic=False)
            with torch.inference_mode():
                took.append(seconds(partial(call, image)))
        print(
            f"{name}, bfloat16, batch {batch}, compiled: {took[0] * 1e3:.2f} ms, {took[1] / took[0]:.2f} x faster",
            flush=True,
        )


def _peer(models: types.ModuleType, name: str, **keywords: Any) -> nn.Module:
    more = {"init_weights": False, "transform_input": False} if name == "googlenet" else {}
    made: nn.Module = getattr(models, name)(weights=None, **more, **keywords)
    return made


def training(models: types.ModuleType) -> None:
    """Images a second of the trainer in bf16 and channels_last, beside torchvision's model in the same loop."""
    peak = measured_machine(CUDA, torch.bfloat16).flops
    for compiles in (False, True):
        machine = Execution(device="cuda", precision="bf16", compile=compiles, channels_last=True, log_every=20)
        for name in ("resnet50", "googlenet", "alexnet"):
            if compiles and name == "googlenet":
                continue  # minutes of compiling
            spec = name if name == "alexnet" else f"{name}-torchvision"
            job = _job(spec, machine)
            modules = {"archspec": prepare_module(job)}
            if name != "alexnet":
                modules["torchvision"] = _peer(models, name, num_classes=10)
            speeds = {}
            for who, module in modules.items():
                module.to(CUDA, memory_format=torch.channels_last)
                speeds[who] = _images_a_second(job, module)
            share = speeds["archspec"] * 6 * job.graph.macs / peak
            others = "".join(f"; {who}'s {speed:,.0f}" for who, speed in speeds.items() if who != "archspec")
            how = "compiled" if compiles else "eager"
            said = f"{speeds['archspec']:,.0f} images/s, {share:.0%} of the matrix rate{others}"
            print(f"training {spec}, bf16, {how}: {said}", flush=True)


BATCH, STEPS = 256, (20, 60)


def _job(spec: str, machine: Execution) -> Job:
    graph = archspec.compile(spec, set={"classes": 10})
    settings = {
        "batch": f"{{size: {BATCH}, last: drop}}",
        "length": f"{STEPS[1]} steps",
        "data": f"{{op: synthetic, train: {2 * BATCH}, test: 8, size: {graph.inputs[0].shape.dims[1]}}}",
        "augment": "[]",
        "evaluate": "{}",
        "reported": "[]",
        "select": "last",
        "metrics": "[top1_error]",
    }
    job = prepare_job(graph, load_recipe("torchvision-classic", settings).recipe, None, machine)
    return with_batches(job, held(job, 2))


def _images_a_second(job: Job, module: nn.Module) -> float:
    state = fresh(job, prepare_module(job))
    state.module = module.train()
    (group,) = state.optimizer.param_groups
    group["params"] = list(module.parameters())
    marks = []
    for one in train(job, state):
        if one.kind == "step" and one.step in STEPS:
            torch.cuda.synchronize()
            marks.append(time.perf_counter())
    return (STEPS[1] - STEPS[0]) * BATCH / (marks[1] - marks[0])
