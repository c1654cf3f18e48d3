"""The processes of a run under torchrun, and what they tell each other."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from archspec.errors import RunError

Made = TypeVar("Made")
_turns = count()
"""Numbers of what the first process makes, which all count alike."""


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
        name = f"told/{next(_turns)}"
        _put(f"{name}/{self.rank}", pickle.dumps(value))
        return [pickle.loads(_get(f"{name}/{rank}")) for rank in range(self.world)]

    def any(self, mine: bool) -> bool:
        """Whether it is so for any process; every process asks at the same time."""
        if self.world == 1:
            return mine
        flag = torch.tensor([float(mine)], device="cuda" if dist.get_backend() == "nccl" else "cpu")
        return bool(self.sum(flag).item())

    def wait(self) -> None:
        if self.world > 1:
            dist.barrier()

    def from_first(self, make: Callable[[], Made]) -> Made:
        """What the first process makes; the others wait for it as long as it takes.

        Errors: those of the first process, on all
        """
        if self.world == 1:
            return make()
        name = f"made/{next(_turns)}"
        if self.is_first:
            try:
                made = make()
            except Exception as error:
                _put(name, pickle.dumps(error))
                raise
            _put(name, pickle.dumps(made))
            return made
        found = pickle.loads(_get(name))
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    def spread(self, tensors: list[Tensor]) -> None:
        """Give every process what the first one's tensors hold."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), 0)


def is_first_to_tell() -> bool:
    """Whether no other process that torchrun started has told of an error: most often it is the same one."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return True
    try:
        return bool(_store().add("told", 1) == 1)
    except Exception:  # whatever is wrong with the store, the error is to be told
        return True


CHUNK = 2**22
"""Bytes that the store takes at once; it refuses some more."""


def _put(name: str, data: bytes) -> None:
    """Leave something for the other processes, however long it takes them to come for it."""
    pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    for number, piece in enumerate(pieces):
        _store().set(f"{name}/piece {number}", piece)
    _store().set(name, str(len(pieces)))


def _get(name: str) -> bytes:
    """What a process has left, or will leave. A collective call would wait for some minutes only."""
    while not _store().check([name]):
        time.sleep(0.01)
    return b"".join(_store().get(f"{name}/piece {number}") for number in range(int(_store().get(name))))


@cache
def _store() -> Any:
    """What the processes of this start share.

    torchrun keeps one store over restarts, in which gloo would find addresses of processes that are gone.
    """
    store, _, _ = next(dist.rendezvous("env://"))  # type: ignore[attr-defined]
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"archspec/{attempt}", store)  # type: ignore[attr-defined]


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
    if device.startswith("cuda:"):
        raise RunError(f"--device {device}, and {world} processes would share it", "--device cuda: each takes its own")
    if device == "cuda":
        if local >= torch.cuda.device_count():
            have = f"{torch.cuda.device_count()} of CUDA here"
            raise RunError(f"process {local} of this machine finds no device of its own: {have}", "fewer processes")
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    if not dist.is_initialized():
        backend = "nccl" if device.startswith("cuda") else "gloo"
        rank = int(os.environ["RANK"])
        own = torch.device(device) if backend == "nccl" else None
        dist.init_process_group(backend, store=_store(), rank=rank, world_size=world, device_id=own)
    return Processes(dist.get_rank(), dist.get_world_size()), device
