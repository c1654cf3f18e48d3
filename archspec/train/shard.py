"""Weights, gradients and the optimizer's state cut into shards, of which each process holds one (torch's FSDP2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from archspec.errors import RunError
from archspec.train.execution import Execution
from archspec.train.gradients import gradient
from archspec.train.processes import Processes

BY_ITSELF = 2**20
"""Numbers in a layer's parameters from which on it is gathered by itself; smaller ones are gathered together."""


def check_shard(execution: Execution, processes: Processes) -> None:
    """Errors: RunError"""
    if execution.shard and processes.world == 1:
        hint = "torchrun --nproc-per-node N -m archspec train ..."
        raise RunError("--shard shares a network out among processes, and here is one", hint)
    if execution.shard and execution.precision == "fp16":
        raise RunError("--shard does not go with --precision fp16, whose scale would differ", "--precision bf16")
    if execution.shard and execution.channels_last:
        raise RunError("--shard does not go with --channels-last: torch shares out contiguous weights alone")


def shard(module: nn.Module, processes: Processes, device: torch.device) -> None:
    """Leave one shard of each parameter to this process. Gradients are summed over the processes, not averaged."""
    mesh = init_device_mesh(device.type, (processes.world,))
    for one in module.modules():
        own = sum(p.numel() for p in one.parameters())
        if one is not module and not list(one.children()) and own >= BY_ITSELF:
            fully_shard(one, mesh=mesh)
    fully_shard(module, mesh=mesh)
    for part in _shared_out(module):
        part.set_gradient_divide_factor(1.0)
        part.set_force_sum_reduction_for_comms(True)  # gloo has no sum that scales


def _shared_out(module: nn.Module) -> list[FSDPModule]:
    return [one for one in module.modules() if isinstance(one, FSDPModule)]


@contextmanager
def gathered(module: nn.Module) -> Iterator[None]:
    """While it lasts, every process has the whole network, and a forward pass gathers nothing from the others."""
    parts = _shared_out(module)
    for part in parts:
        part.set_reshard_after_forward(False, recurse=False)
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.reshard()
            # The outermost, torch's default, stays for the backward pass.
            part.set_reshard_after_forward(cast(nn.Module, part) is not module, recurse=False)


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which this process may hold a shard; every process calls it at the same time."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def held(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """A tensor where another one is, cut into shards as it is."""
    if isinstance(other, DTensor) and not isinstance(tensor, DTensor):
        own = tensor.to(other.device)
        return distribute_tensor(own, other.device_mesh, other.placements, src_data_rank=None)
    return tensor


class ShardedGradients:
    """Gradients that are summed over the processes, to each its shard, as the last backward pass of a step goes on."""

    def __init__(self, parameters: Sequence[nn.Parameter], module: nn.Module) -> None:
        self.parameters, self.parts = list(parameters), _shared_out(module)

    def before_backward(self, is_last: bool) -> None:
        """Before each backward pass of a step, and whether it is the last."""
        for part in self.parts:
            part.set_requires_gradient_sync(is_last, recurse=False)

    def finish(self) -> None:
        """After all passes: what had no part in the loss has a gradient of 0, and so decays."""
        for parameter in self.parameters:
            gradient(parameter)

    def rest(self) -> None:
        """Once there are no more steps."""
