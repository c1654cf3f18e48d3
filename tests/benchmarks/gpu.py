"""What is measured where there is a CUDA GPU: LRN beside its bandwidth floor, and inference beside torchvision's."""

from __future__ import annotations

import statistics
import types
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

import archspec
from archspec.measure.machine import measured_machine, timed
from tests.benchmarks.lrn import LAYOUTS, SHAPES, ours

ROUNDS = 30


def median(function: Callable[[], object]) -> float:
    """Seconds of the middle round; the first three are left out."""
    device = torch.device("cuda")
    return statistics.median([timed(function, device) for _ in range(ROUNDS + 3)][3:])


def lrn() -> None:
    """Forward reads and writes each tensor once at the least; the goal is 1.5 times that, compiled."""
    for dtype in (torch.float32, torch.bfloat16):
        machine = measured_machine(torch.device("cuda"), dtype)
        for shape in SHAPES:
            for name, layout in LAYOUTS.items():
                x = torch.randn(shape, device="cuda", dtype=dtype).to(memory_format=layout)
                floor = 2 * x.numel() * x.element_size() / machine.bandwidth
                torch._dynamo.reset()
                for how, function in ("eager", ours), ("compiled", torch.compile(ours, dynamic=False)):
                    with torch.inference_mode():
                        took = median(partial(function, x))
                    what = f"{'x'.join(map(str, shape))} {name} {machine.dtype} {how}"
                    print(f"LRN forward, {what}: {took / floor:.2f} x the floor of {floor * 1e6:.0f} us", flush=True)


def inference(models: types.ModuleType) -> None:
    """GoogLeNet and ResNet-50 optimised, compiled with CUDA graphs, beside torchvision's compiled the same way."""
    for name in ("googlenet", "resnet50"):
        keywords = {"init_weights": False, "transform_input": False} if name == "googlenet" else {}
        for dtype in (torch.float32, torch.bfloat16):
            peer: nn.Module = getattr(models, name)(weights=None, **keywords).eval()
            peer = peer.to(device="cuda", dtype=dtype, memory_format=torch.channels_last)
            mine = archspec.build(f"{name}-torchvision", device="cuda", dtype=dtype, optimize="inference")
            for batch in (1, 8, 128):
                image = torch.randn(batch, 3, 224, 224, device="cuda", dtype=dtype)
                image = image.to(memory_format=torch.channels_last)
                torch._dynamo.reset()
                one, other = (torch.compile(module, mode="reduce-overhead") for module in (mine, peer))
                with torch.inference_mode():
                    took = [median(partial(function, image)) for function in (mine, peer, one, other)]
                said = f"eager {took[0] / took[1]:.2f} x, with CUDA graphs {took[2] / took[3]:.2f} x"
                kind = str(dtype).removeprefix("torch.")
                print(f"{name}, {kind}, batch {batch}, time / torchvision's: {said}", flush=True)
