"""The processes of a run under torchrun, and what they tell each other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from archspec.errors import RunError


@dataclass(frozen=True)
class Processes:
    """How many processes train together, and which this is."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """A tensor summed over the processes, in place."""
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def sum_all(self, tensors: list[Tensor]) -> None:
        """Tensors summed over the processes, in place, in one message for each type."""
        if self.world == 1:
            return
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            mine = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.reshape(-1) for tensor in mine])
            dist.all_reduce(flat)
            for tensor, part in zip(mine, torch.split(flat, [tensor.numel() for tensor in mine]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def agree(self, what: str, value: str) -> None:
        """Errors: RunError on every process, if they do not all say the same"""
        first, *others = self.told(value)
        for rank, other in enumerate(others, 1):
            if other != first:
                raise RunError(f"process {rank} has another {what} than process 0: {other} instead of {first}")

    def told(self, value: Any) -> list[Any]:
        """What every process says."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def any(self, mine: bool) -> bool:
        """Whether it is so for any process; every process asks at the same time."""
        if self.world == 1:
            return mine
        flag = torch.tensor([float(mine)], device="cuda" if dist.get_backend() == "nccl" else "cpu")
        return bool(self.sum(flag).item())

    def wait(self) -> None:
        if self.world > 1:
            dist.barrier()


def leave() -> None:
    """Part from the other processes in good order, once all are here."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def join(device: str) -> tuple[Processes, str]:
    """The processes that torchrun started, and this one's device; without torchrun, one process."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or not dist.is_available():
        return Processes(), device
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    if not dist.is_initialized():
        # torchrun keeps one store over restarts, in which gloo would find addresses of processes that are gone.
        store, rank, world = next(dist.rendezvous("env://"))  # type: ignore[attr-defined]
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        backend = "nccl" if device.startswith("cuda") else "gloo"
        own = dist.PrefixStore(f"archspec/{attempt}", store)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=own, rank=rank, world_size=world)
    return Processes(dist.get_rank(), dist.get_world_size()), device
