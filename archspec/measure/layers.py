"""The time of each layer of a network in evaluation, its operations run one by one."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch import fx, nn

from archspec.measure.machine import wait
from archspec.measure.subject import Subject
from archspec.ops.packed_conv2d import PackedConv2d
from archspec.views.measured import LayerTime

ROUNDS = 7


def layer_times(one: Subject) -> list[LayerTime]:
    """Layers in the order they are run, each the median of a few rounds; what takes no time is left out.

    What is behind the same convolution and taken along by it counts as that convolution.
    """
    was_training = one.module.training
    one.module.eval()
    try:
        watch = _Watch(one)
        with torch.inference_mode():
            for number in range(ROUNDS + 1):
                watch.keeps = number > 0
                watch.run(*one.images)
    finally:
        if was_training:
            one.module.train()
    return watch.found()


class _Watch(fx.Interpreter):
    """Runs the operations of a network, and notes how long each takes and how much it reads and writes."""

    def __init__(self, one: Subject) -> None:
        super().__init__(one.module, graph=one.code)
        self.one = one
        self.submodules: dict[str, nn.Module] = dict(one.module.named_modules())
        self.keeps = False
        self.seconds: dict[str, list[float]] = {}
        self.bytes: dict[str, float] = {}
        self.now: dict[str, float] = {}

    def run_node(self, n: fx.Node) -> Any:
        if n.op in ("placeholder", "output", "get_attr"):
            return super().run_node(n)
        wait(self.one.device)
        began = time.perf_counter()
        found = super().run_node(n)
        wait(self.one.device)
        took = time.perf_counter() - began
        module = self.submodules.get(str(n.target)) if n.op == "call_module" else None
        layer = str(n.target) if isinstance(module, PackedConv2d) else str(n.meta["layer"])
        self.now[layer] = self.now.get(layer, 0.0) + took
        if not self.keeps:
            sources = [self.env[source] for source in n.all_input_nodes]
            own = sum(map(_bytes, module.parameters())) if module is not None else 0
            moved = 0 if _is_view(found, sources) else sum(map(_bytes, sources)) + own + _bytes(found)
            self.bytes[layer] = self.bytes.get(layer, 0.0) + moved
        return found

    def run(self, *args: Any, **named: Any) -> Any:
        self.now = {}
        found = super().run(*args, **named)
        if self.keeps:
            for layer, took in self.now.items():
                self.seconds.setdefault(layer, []).append(took)
        return found

    def found(self) -> list[LayerTime]:
        graph, batch = self.one.graph, self.one.batch
        return [
            LayerTime(
                layer, graph[layer].op, statistics.median(took), 2.0 * graph[layer].macs * batch, self.bytes[layer]
            )
            for layer, took in self.seconds.items()
        ]


def _is_view(value: Any, sources: list[Any]) -> bool:
    """Whether a value is the memory of another, seen otherwise; what works in place reads and writes it."""
    return any(
        isinstance(source, torch.Tensor)
        and source is not value
        and source.untyped_storage().data_ptr() == value.untyped_storage().data_ptr()
        and source.shape != value.shape
        for source in sources
    )


def _bytes(value: Any) -> int:
    return value.numel() * value.element_size() if isinstance(value, torch.Tensor) else 0
