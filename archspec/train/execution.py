"""How a recipe is executed: what depends on the machine, and is no part of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from archspec.train.precision import Precision

Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]


class Execution(BaseModel):
    """Settings of the machine. With the same device and precision, results depend on them in the last digits at most.

    Two exceptions: dropout's masks are others when compiled, and on maps in another layout; and images that are left
    out are not learnt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    device: str = "cpu"
    """Where the network is: cpu, cuda, cuda:1, ..."""
    precision: Precision = "fp32"
    """Of the network's arithmetic; weights stay in fp32, or are fp64."""
    compile: bool = False
    """Whether torch.compile makes the network faster."""
    channels_last: bool = False
    """Whether maps are laid out N x H x W x C."""
    optimize: bool = False
    """Whether the network is optimised for training, as by `archspec.build(optimize="training")`."""
    recompute: list[str] = []
    """Globs on paths: the values inside these groups are computed again in the backward pass instead of kept for it."""
    shard: bool = False
    """Whether each process holds but a shard of the weights, gradients and optimizer state (FSDP2)."""
    deterministic: bool = False
    """Whether only operations are used that give the same bits every time."""
    workers: Count = 0
    """Processes that make images ready; 0: the main one does."""
    log_every: Some = 50
    """Steps between records."""
    checkpoint_every: Some = 1000
    """Steps between checkpoints."""
    keep: Some = 2
    """Checkpoints that are kept."""
    test_batch: Some = 128
    """Views in one forward pass of a test."""
    on_bad_image: Literal["error", "skip"] = "error"
    """What happens at an image that cannot be read."""
