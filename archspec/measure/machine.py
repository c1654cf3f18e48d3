"""What this machine can do at most: a large matrix product, and a copy that fits no cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch

from archspec.views.measured import Machine

ROUNDS = 7
LONG = 0.03
"""Seconds of a product after which no larger one is tried."""


def measured_machine(device: torch.device, dtype: torch.dtype) -> Machine:
    """The peaks of a device, each the best of a few rounds. Takes about a second on a CPU."""
    sizes, length = ((256, 512, 1024, 2048), 2**25) if device.type == "cpu" else ((1024, 4096, 8192), 2**28)
    flops = 0.0
    for size in sizes:  # small ones first: some types have no fast product on some devices
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        c = torch.empty_like(a)
        took = best(partial(torch.mm, a, b, out=c), device)
        flops = max(flops, 2 * size**3 / took)
        if took > LONG:
            break
    source = torch.zeros(length, device=device, dtype=dtype)
    target = torch.zeros_like(source)
    moved = 2 * source.numel() * source.element_size()
    bandwidth = moved / best(lambda: target.copy_(source), device)
    threads = torch.get_num_threads() if device.type == "cpu" else 0
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return Machine(name, threads, str(dtype).removeprefix("torch."), flops, bandwidth)


def best(function: Callable[[], object], device: torch.device) -> float:
    """The seconds of the fastest round."""
    function()
    return min(timed(function, device) for _ in range(ROUNDS))


def timed(function: Callable[[], object], device: torch.device) -> float:
    """The seconds of one call, until the device has done it."""
    wait(device)
    began = time.perf_counter()
    function()
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Wait until a device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
