"""How much memory a run takes at the most."""

from __future__ import annotations

import ctypes
import gc
import mmap
import sys
from pathlib import Path

import torch

from archspec.measure.subject import Subject


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
    before = mmap.PAGESIZE * int(Path("/proc/self/statm").read_text().split()[1])
    one()
    peak = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    one.module.zero_grad(set_to_none=True)
    return max(0, peak - before)
