"""A network as it is run: which of its forms, on which images, forward alone or a training step."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from archspec.errors import BuildError
from archspec.graph.graph import Graph
from archspec.lowering.build import lower
from archspec.lowering.emitter import emit
from archspec.lowering.optimize import optimized

VARIANTS = ("eager", "compiled", "optimized", "optimized-compiled")
RUNS = ("forward", "step")


@dataclass
class Subject:
    """One network in one form, ready to be run."""

    name: str
    variant: str
    graph: Graph
    module: nn.Module
    images: list[torch.Tensor]
    run: str
    device: torch.device
    codes: Mapping[bool, fx.Graph] = field(default_factory=dict)
    """Its operations in training and in evaluation."""
    call: Callable[..., Any] | None = None
    """Compiled, if it is."""

    @property
    def batch(self) -> int:
        return len(self.images[0])

    @property
    def flops(self) -> float:
        """Of one run, by the MACs of its spec: backward is twice forward."""
        if self.run == "forward":
            return 2.0 * self.graph.inference().macs * self.batch
        return 6.0 * self.graph.macs * self.batch

    def __call__(self) -> None:
        call = self.call or self.module
        if self.run == "forward":
            with torch.inference_mode():
                call(*self.images)
            return
        self.module.zero_grad(set_to_none=True)
        outputs = call(*self.images)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = torch.stack([output.float().square().mean() for output in outputs]).sum()
        loss.backward()  # type: ignore[no-untyped-call]


def subject(
    graph: Graph, variant: str, run: str, batch: int, device: torch.device, dtype: torch.dtype, seed: int = 0
) -> Subject:
    """A network with its first values from a seed, and random images. Errors: BuildError"""
    module = lower(graph, seed, device, dtype)
    codes: Mapping[bool, fx.Graph] = {training: emit(graph, training).graph for training in (True, False)}
    used = graph
    if variant.startswith("optimized"):
        made = optimized(module, graph, "inference" if run == "forward" else "training")
        module, codes, used = made.network, made.codes, made.graph
    if run == "forward":
        module.eval()
    generator = torch.Generator().manual_seed(seed)
    images = [
        torch.randn(batch, *node.shape.dims, generator=generator).to(device=device, dtype=dtype)
        for node in graph.inputs
    ]
    if run == "step" and not any(parameter.requires_grad for parameter in module.parameters()):
        raise BuildError(f"{graph.name} has no parameters, so there is no training step to time")
    call = torch.compile(module) if variant.endswith("compiled") else None
    return Subject(graph.name, variant, used, module, images, run, device, codes, call)


def peak_memory(one: Subject) -> int | None:
    """Bytes that one run takes at the most beside what was held before; None where the system does not tell."""
    gc.collect()
    if one.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(one.device)
        before = torch.cuda.memory_allocated(one.device)
        one()
        return torch.cuda.max_memory_allocated(one.device) - before
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not sys.platform.startswith("linux") or not status.exists():
        return None
    one.module.zero_grad(set_to_none=True)
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was given back to the allocator goes back to the system
        reset.write_text("5")  # forget the peak so far
    except (OSError, AttributeError):
        return None
    before = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[1])
    one()
    peak = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    one.module.zero_grad(set_to_none=True)
    return max(0, peak - before)
