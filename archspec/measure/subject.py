"""A network as it is run: which of its forms, on which images, forward alone or a training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn

from archspec.errors import BuildError
from archspec.graph.graph import Graph
from archspec.graph.recompute import Segments
from archspec.lowering.build import lower
from archspec.lowering.emitter import emit
from archspec.lowering.optimize import optimized
from archspec.lowering.verify import as_tuple
from archspec.views.measured import Step


@dataclass
class Subject:
    """One network in one form, ready to be run."""

    name: str
    """Of its spec, or another that it is to be told by."""
    variant: str
    """One of `views.measured.VARIANTS`."""
    graph: Graph
    module: nn.Module
    images: list[torch.Tensor]
    """What it reads: N x (the spec's input shape) each."""
    run: str
    """One of `views.measured.RUNS`."""
    device: torch.device
    code: fx.Graph
    """Its operations in evaluation."""
    call: Callable[..., Any] | None = None
    """Compiled, if it is."""
    steps: tuple[Step, ...] = ()
    """Of `optimize`, those that did something."""
    left_out: Step | None = None
    """The one step that was not made."""
    recomputed: bool = False
    """Whether segments are computed again in the backward pass."""

    @property
    def batch(self) -> int:
        return len(self.images[0])

    @property
    def flops(self) -> float:
        """FLOP of one run, by the MACs of its spec: two for each, and backward is twice forward."""
        if self.run == "forward":
            return 2.0 * self.graph.inference().macs * self.batch
        return 6.0 * self.graph.macs * self.batch

    def __call__(self) -> None:
        call = self.module if self.call is None else self.call
        if self.run == "forward":
            with torch.inference_mode():
                call(*self.images)
            return
        loss = torch.stack([output.float().square().mean() for output in as_tuple(call(*self.images))]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self.module.zero_grad(set_to_none=True)  # now, since others are run before its next step


def at_batch(subjects: Sequence[Subject], batch: int) -> list[Subject]:
    """The same networks on another number of random images; what was compiled for other numbers is forgotten."""
    torch.compiler.reset()
    return [
        replace(
            one,
            images=_images(one.graph, batch, one.device, one.images[0].dtype),
            call=_call(one.module, one.variant),
        )
        for one in subjects
    ]


def subject(
    graph: Graph,
    variant: str,
    run: str,
    batch: int,
    device: torch.device,
    dtype: torch.dtype,
    left_out: Step | None = None,
    name: str = "",
    segments: Segments | None = None,
) -> Subject:
    """A network with its first values, and random images; `segments` are computed again in the backward pass.

    Errors: BuildError
    """
    module = lower(graph, device=device, dtype=dtype, segments=None if "optimized" in variant else segments)
    used, code = graph, emit(graph, training=False).graph
    steps = list[Step]()
    if variant.startswith("optimized"):
        mode = "inference" if run == "forward" else "training"
        made = optimized(module, graph, mode, skip=[left_out.name] if left_out else (), segments=segments)
        module, code, used = made.network, made.code, made.graph
        steps = [Step(name, did) for name, did in made.did.items()]
    if run == "forward":
        module.eval()
    if run == "step" and not any(parameter.requires_grad for parameter in module.parameters()):
        raise BuildError(f"{graph.name} has no parameters, so there is no training step to time")
    images = _images(graph, batch, device, dtype)
    call = _call(module, variant)
    return Subject(
        name or graph.name,
        variant,
        used,
        module,
        images,
        run,
        device,
        code,
        call,
        steps=tuple(steps),
        left_out=left_out,
        recomputed=bool(segments),
    )


def _images(graph: Graph, batch: int, device: torch.device, dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, *node.shape.dims, generator=generator).to(device=device, dtype=dtype)
        for node in graph.inputs
    ]


def _call(module: nn.Module, variant: str) -> Callable[..., Any] | None:
    """The network compiled, if it is to be: for this size of images alone, as it would be by itself."""
    return torch.compile(module, dynamic=False) if variant.endswith("compiled") else None
