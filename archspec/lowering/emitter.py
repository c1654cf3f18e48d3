"""What a block's `lower` writes to: an fx graph, and a record of how each module is made."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import fx

from archspec.errors import ArchspecError, BuildError
from archspec.graph.graph import Graph, Node
from archspec.initializers import Constant
from archspec.registry import BLOCKS


@dataclass(frozen=True)
class Construction:
    """How one module is made: a class and literal arguments, from which it can be made or written down again."""

    cls: type[torch.nn.Module]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass
class Emitter:
    """Records the torch code of one layer after another."""

    training: bool
    """Whether this is the training forward; else that of evaluation."""
    devices: tuple[str, ...] = ()
    """Where each place runs; empty where everything is on one device."""
    graph: fx.Graph = field(default_factory=fx.Graph)
    constructions: dict[str, Construction] = field(default_factory=dict)
    """By path of the layer."""
    parameters: dict[str, tuple[tuple[int, ...], float]] = field(default_factory=dict)
    """Of the parameters that functions use, by path: the shape, and what model.py starts them with."""
    layer: Node | None = None
    shapes: tuple[Any, ...] = ()
    """Shapes of the present layer's inputs, each of the kind that its `infer` takes."""

    def module(self, cls: type[torch.nn.Module], *args: Any, **kwargs: Any) -> fx.Proxy:
        """Call a module of this class at the layer's path.

        The values among `args` are what it is called with; everything else is literal and makes the module.
        """
        path = self._path()
        if not public_name(cls):
            hint = "define it at the top of a file of its own, which `lower` imports"
            raise BuildError(f"{path}: a class of modules must be importable by name, found {cls!r}\n  hint: {hint}")
        literals = tuple(arg for arg in args if not isinstance(arg, fx.Proxy))
        values = tuple(arg.node for arg in args if isinstance(arg, fx.Proxy))
        made = Construction(cls, literals, kwargs)
        shared = self.layer.shares if self.layer else ""
        if shared and self.layer and not (self.layer.weights or self.layer.buffers):
            if self.constructions.get(shared) != made:
                raise BuildError(f"{path}: the module of {shared}, which it shares, is made otherwise")
            return self._emit("call_module", shared, values, {})
        owner = shared or path
        if owner in self.constructions:
            raise BuildError(f"{path}: a layer has one module")
        _refuse_objects(path, [*literals, *kwargs.values()])
        self.constructions[owner] = made
        return self._emit("call_module", owner, values, {})

    def parameter(self, name: str = "") -> fx.Proxy:
        """A parameter that the block declares, for use in functions; "" is the one that the layer itself is."""
        assert self.layer is not None
        owner = self.layer.owner
        path = f"{owner}.{name}" if name else owner
        if not self.layer.shares or self.layer.weights:
            if name not in self.layer.weights:
                known = ", ".join(map(repr, self.layer.weights)) or "none"
                raise BuildError(f"{owner}: `lower` asks for the parameter {name!r}, its block declares {known}")
            weight = self.layer.weights[name]
            start = weight.init.value if isinstance(weight.init, Constant) else 0.0
            self.parameters[path] = (weight.shape, float(start))
        for node in reversed(self.graph.nodes):
            if node.meta.get("layer") != self.layer.name:
                break
            if (node.op, node.target) == ("get_attr", path):
                return fx.Proxy(node)
        return self._emit("get_attr", path, (), {})

    def moved(self, value: fx.Proxy, device: str) -> fx.Proxy:
        """A value on another device."""
        node = self.graph.create_node("call_method", "to", (value.node, device), name=f"{value.node.name}_moved")
        node.meta["layer"] = value.node.meta["layer"]
        return fx.Proxy(node)

    def function(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> fx.Proxy:
        """Call an importable function on values and literals."""
        path = self._path()
        if not public_name(function):
            raise BuildError(f"{path}: a function that is called must be importable by name, found {function!r}")
        if "training" in argument_names(function)[: len(args)]:
            raise BuildError(f"{path}: give `training` to {function.__name__} by its name: training=fx.training")
        _refuse_objects(path, [*args, *kwargs.values()])
        values = fx.node.map_aggregate(kwargs, _node)
        return self._emit("call_function", function, fx.node.map_aggregate(args, _node), values)

    def _path(self) -> str:
        assert self.layer is not None
        return self.layer.name

    def _emit(self, kind: str, target: Any, args: Any, kwargs: dict[str, Any]) -> fx.Proxy:
        name = self._path().replace(".", "_").replace("-", "_")
        name = "self_" if name == "self" else name
        node = self.graph.create_node(kind, target, args, kwargs, name=name)
        node.meta["layer"] = self._path()
        return fx.Proxy(node)


def public_name(target: Any) -> str:
    """The name under which a function or class can be imported, torch's short ones first; or nothing."""
    name = getattr(target, "__name__", "")
    for module in ("torch", "torch.nn.functional", "torch.nn", getattr(target, "__module__", None) or "builtins"):
        if getattr(sys.modules.get(module), name, None) is target:
            return f"{module}.{name}"
    return ""


def plain(function: Any) -> Any:
    """The form of a function that is written to files: its attribute `plain`, if it has one, of the same arguments."""
    return getattr(function, "plain", function)


@cache
def argument_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's arguments; none where Python does not know them."""
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


def _node(value: Any) -> Any:
    return value.node if isinstance(value, fx.Proxy) else value


def _refuse_objects(path: str, values: list[Any]) -> None:
    for value in values:
        if isinstance(value, tuple | list):
            _refuse_objects(path, list(value))
        elif isinstance(value, float) and not math.isfinite(value):
            raise BuildError(f"{path}: a literal must be a finite number, found {value}: write it into the function")
        elif not isinstance(value, int | float | str | bool | None | torch.dtype | fx.Proxy):
            raise BuildError(f"{path}: modules and functions are given values and literals, found {value!r}")


def emit(graph: Graph, training: bool, devices: tuple[str, ...] = ()) -> Emitter:
    """The torch code of a graph, as it trains or as it evaluates; values move where places are on different devices."""
    fx_graph = graph if training else graph.inference()
    emitter = Emitter(training, devices)
    values: dict[tuple[str, int], fx.Proxy] = {}

    def value(name: str, place: int) -> fx.Proxy:
        """A value where a place can read it; each is moved there once."""
        home = graph[name].place
        if (name, place) not in values:
            here = values[name, home]
            values[name, place] = emitter.moved(here, devices[place]) if devices else here
        return values[name, place]

    for node in fx_graph:
        if node.block is None:
            placeholder = emitter.graph.placeholder(node.name)
            placeholder.meta["layer"] = node.name
            values[node.name, node.place] = fx.Proxy(placeholder)
            continue
        inputs = [value(name, node.place) for name in node.inputs]
        emitter.layer = node
        emitter.shapes = tuple(graph[name].shape for name in node.inputs)
        values[node.name, node.place] = _lowered(node, emitter, inputs)
    results = tuple(values[output.node, graph[output.node].place].node for output in fx_graph.outputs)
    emitter.graph.output(results[0] if len(results) == 1 else results)
    return emitter


def _lowered(node: Node, emitter: Emitter, inputs: list[fx.Proxy]) -> fx.Proxy:
    """What a block's `lower` returns. Errors: BuildError if a plugin's goes wrong, or returns no value"""
    assert node.block is not None
    try:
        found = node.block.lower(emitter, *inputs)
    except ArchspecError:
        raise
    except Exception as error:
        if node.op in BLOCKS.builtin:
            raise
        message = f"{node.name} ({node.op}): `lower` went wrong: {type(error).__name__}: {error}".rstrip(": ")
        raise BuildError(f"{message}\n  hint: a mistake in the block's code; --debug shows its traceback") from error
    for made in reversed(emitter.graph.nodes):
        if made.meta.get("layer", node.name) != node.name:
            break
        if "layer" not in made.meta:
            hint = f"write a function that does it, and `fx.function(that, x)`; found {made.op} {made.target}"
            message = f"{node.name} ({node.op}): `lower` computes with a value itself instead of by fx"
            raise BuildError(f"{message}\n  hint: {hint}")
    if not isinstance(found, fx.Proxy):
        raise BuildError(f"{node.name} ({node.op}): `lower` gives {found!r}, expected what fx.module or the like gave")
    return found
