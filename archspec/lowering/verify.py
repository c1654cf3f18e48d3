"""Trying a module for real: does it do what its spec says?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from archspec.errors import BuildError
from archspec.graph.graph import Graph
from archspec.lowering.emitter import emit
from archspec.lowering.module import class_name
from archspec.lowering.no_init import NoInit
from archspec.ops.form import plain_forms

if TYPE_CHECKING:
    from archspec.lowering.module import Network
    from archspec.lowering.optimize import Optimized

BATCH = 2
TOLERANCE = 1e-4
"""How far an output may be off, as a share of its largest value."""


def verify(trial: nn.Module, graph: Graph, source: str, device: torch.device, trains: bool = True) -> list[str]:
    """Run a module forward and, if it trains, backward, with its inputs on a device; the standalone source beside it.

    The module is changed: give a copy. Returns what was found to hold, one line each. torch's random state is as
    before. On the device `meta` there are no values, so only shapes are looked at.
    Errors: BuildError
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(0)
        _unsettle(trial)
        inputs = [torch.randn(BATCH, *node.shape.dims, device=device) for node in graph.inputs]
        found = [_evaluates(trial, graph, inputs, source)]
        found += [_trains(trial, graph, inputs)] if trains else []
    return [f"{sum(p.numel() for p in trial.parameters()):,} parameters, as the spec says", *found]


def _unsettle(trial: nn.Module) -> None:
    """Move parameters that are the same everywhere: behind a head of zeros, all outputs would be alike."""
    for parameter in trial.parameters():
        if not parameter.is_meta and parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
            with torch.no_grad():
                parameter.add_(torch.randn_like(parameter), alpha=0.02)


def holds_values(module: nn.Module) -> bool:
    return not any(value.is_meta for value in module.state_dict().values())


def as_tuple(outputs: Any) -> tuple[torch.Tensor, ...]:
    return tuple(outputs) if isinstance(outputs, tuple) else (outputs,)


def _check_shapes(outputs: tuple[torch.Tensor, ...], graph: Graph, training: bool) -> str:
    wanted = graph.outputs if training else graph.main_outputs
    if len(outputs) != len(wanted):
        raise BuildError(f"{graph.name}: {len(outputs)} outputs, expected {len(wanted)}")
    for output, value in zip(wanted, outputs, strict=True):
        expected = (BATCH, *graph[output.node].shape.dims)
        if tuple(value.shape) != expected:
            raise BuildError(f"output {output.name} is {tuple(value.shape)}, expected {expected}")
        if not value.is_meta and not bool(torch.isfinite(value).all()):
            raise BuildError(f"output {output.name} is not finite on random input; see the `init` rules")
    return ", ".join(
        f"{output.name} {'x'.join(map(str, value.shape))}" for output, value in zip(wanted, outputs, strict=True)
    )


def _evaluates(trial: nn.Module, graph: Graph, inputs: list[torch.Tensor], source: str) -> str:
    trial.eval()
    with torch.no_grad(), plain_forms(), _blamed(trial, graph, inputs, training=False):
        outputs = as_tuple(trial(*inputs))
    with torch.no_grad():
        text = _check_shapes(outputs, graph, training=False)
        if not holds_values(trial) or inputs[0].is_meta:
            return f"evaluation: {text}; shapes only, since `meta` holds no values"
        alone = standalone_module(graph, source)
        alone.load_state_dict(trial.state_dict())
        alone.to(inputs[0].device).eval()
        if list(alone.state_dict()) != list(trial.state_dict()):
            raise BuildError("model.py has other state-dict keys than the module")
        for ours, theirs in zip(outputs, as_tuple(alone(*inputs)), strict=True):
            if not torch.equal(ours.to(theirs.device), theirs):
                raise BuildError("model.py gives other outputs than the module")
    return f"evaluation: {text}; model.py gives the same bits"


def standalone_module(graph: Graph, source: str) -> nn.Module:
    """The network that a standalone source defines, its parameters not yet drawn."""
    space: dict[str, Any] = {"__name__": "archspec_standalone"}
    exec(compile(source, "model.py", "exec", dont_inherit=True), space)
    with NoInit():
        module: nn.Module = space[class_name(graph.name)]()
    return module


class _LayerByLayer(fx.Interpreter):
    """Runs a network as its fx graph, and remembers the layer it is at."""

    layer = ""

    def run_node(self, n: fx.Node) -> Any:
        self.layer = str(n.meta.get("layer", self.layer))
        return super().run_node(n)


@contextmanager
def _blamed(trial: nn.Module, graph: Graph, inputs: list[torch.Tensor], training: bool) -> Iterator[None]:
    """Whatever goes wrong inside is told of the layer that it goes wrong in. Errors: BuildError"""
    try:
        yield
    except Exception:
        runner = _LayerByLayer(trial, graph=emit(graph, training).graph)
        try:
            runner.run(*inputs)
        except Exception as again:
            if runner.layer in graph:
                node, told = graph[runner.layer], str(again).strip().partition("\n")[0]
                reads = ", ".join(str(graph[name].shape) for name in node.inputs)
                message = f"{node.name} ({node.op}) cannot be run on {reads}: {type(again).__name__}: {told}"
                hint = f"it is written at {node.position}; `infer` and `lower` of a layer before it may disagree too"
                raise BuildError(f"{message}\n  hint: {hint}") from again
        raise


def _trains(trial: nn.Module, graph: Graph, inputs: list[torch.Tensor]) -> str:
    trial.train()
    with _blamed(trial, graph, inputs, training=True):
        outputs = as_tuple(trial(*inputs))
    text = _check_shapes(outputs, graph, training=True)
    if not any(value.requires_grad for value in outputs):
        return f"training: {text}; no output depends on a parameter, so there is nothing to differentiate"
    torch.stack([value.square().mean().to(inputs[0].device) for value in outputs]).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in trial.named_parameters():
        if parameter.grad is None:
            raise BuildError(f"{name} gets no gradient in training: no training output depends on it")
        if not parameter.grad.is_meta and not bool(torch.isfinite(parameter.grad).all()):
            raise BuildError(f"{name} gets a gradient that is not finite on random input; see the `init` rules")
    count = sum(1 for _ in trial.parameters())
    return f"training: {text}; all {count} parameter tensors get gradients"


def agreement(network: Network, made: Optimized, graph: Graph) -> str:
    """How far the optimised network's outputs are off on random images, as a line. torch's random state is as before.

    Errors: BuildError if it is more than rounding
    """
    was_training = network.training
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        images = [torch.randn(2, *node.shape.dims) for node in graph.inputs]
        device = next((value.device for value in network.state_dict().values()), torch.device("cpu"))
        images = [image.to(device) for image in images]
        wanted, found = as_tuple(network.eval()(*images)), as_tuple(made.network.eval()(*images))
    network.train(was_training)
    if made.network._conversion is None:
        made.network.train(was_training)
    each = [float((a - b).abs().max()) / (float(a.abs().max()) or 1.0) for a, b in zip(wanted, found, strict=True)]
    worst = next((share for share in each if math.isnan(share)), max(each))
    if not worst <= TOLERANCE:
        raise BuildError(f"{graph.name}: the optimised network gives other outputs: {worst:.1e} of the largest apart")
    said = f"optimised outputs are at most {worst:.1e} of the largest value off, allowed {TOLERANCE:.0e}"
    alike = all(torch.equal(a[0], a[1]) for a in wanted)
    return f"{said}; with these weights, they do not depend on the image, which shows little" if alike else said
