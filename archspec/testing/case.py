"""A block on inputs of some shapes, as a network of one layer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from archspec.api import build, compile, load
from archspec.block import Block
from archspec.errors import ArchspecError, PluginError, SpecError
from archspec.graph.graph import Graph
from archspec.plugins import Provider
from archspec.registry import BLOCKS
from archspec.spec.writer import write
from archspec.tensor import BY_AXES, CHW, SHAPES, Features, Shape

LAYER = "layer"
"""Name of the block's layer."""
PROVIDER = Provider("the case")
BATCH = 2
ADDRESS = r" at 0x[0-9a-f]+"


class Fault(AssertionError):
    """What a check found, and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}\n  to mend it: {mend}")
        self.what, self.mend = what, mend


@contextmanager
def faults(what: str, mend: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a Fault."""
    try:
        yield
    except Fault:
        raise
    except Exception as error:
        raise Fault(f"{what}: {told(error)}", mend) from error


def told(error: Exception) -> str:
    """An error in words, on as few lines as say something."""
    if isinstance(error, SpecError):
        return "\n".join(problem.headline for problem in error.problems)
    if isinstance(error, ArchspecError):
        return re.sub(ADDRESS, "", str(error))
    if isinstance(error, ValidationError):
        return "; ".join(f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in error.errors())
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "https://" not in line]
    text = re.sub(ADDRESS, "", " ".join(lines[:2]))
    return f"{type(error).__name__}: {text[:400]}"


@dataclass(frozen=True)
class Case:
    """A block, primitive or composite, and the shapes of its inputs for one image."""

    block: Block
    shapes: tuple[Shape, ...]

    @classmethod
    def of(cls, given: Case | Sequence[Any]) -> Case:
        """A case from (block, shape, ...)."""
        if isinstance(given, Case):
            return given
        block, *shapes = given if isinstance(given, tuple | list) and given else (given,)
        if isinstance(block, type) and issubclass(block, Block):
            raise TypeError(f"a case is (block, shape, ...) with a block made: {block.__name__}(...), found the class")
        if not isinstance(block, Block):
            raise TypeError(f"a case is (block, shape, ...), found {given!r}, which begins with no block")
        if not shapes or not all(isinstance(shape, Shape) for shape in shapes):
            raise TypeError(f"a case is (block, shape, ...): {block!r} is followed by {shapes or 'no shape'}")
        return cls(block, tuple(shapes))

    def __str__(self) -> str:
        return f"{self.block.op}-{','.join(map(str, self.shapes))}"

    @property
    def fields(self) -> dict[str, Any]:
        """The block's fields as a spec has them."""
        return self.block.model_dump(mode="json", exclude_unset=True, warnings="none")

    @property
    def inputs(self) -> dict[str, Shape]:
        """The network's inputs by name."""
        return {f"x{number}": shape for number, shape in enumerate(self.shapes)}

    def graph(self) -> Graph:
        """The network of this layer alone. Errors: Fault if the block refuses its inputs"""
        return self._compiled(self.text())

    def learned_graph(self) -> Graph | None:
        """The network in which a layer with weights makes each input; None for kinds that no built-in layer makes."""
        before: dict[str, Any] = {}
        for name, shape in self.inputs.items():
            if isinstance(shape, CHW):
                fields = {"op": "conv2d", "out_channels": shape.channels, "kernel_size": 1}
            elif isinstance(shape, Features):
                fields = {"op": "linear", "out_features": shape.width_of_place}
            else:
                return None
            before[f"{name}_made"] = {"from": name, **fields}
        return self._compiled(self.text(before))

    def text(self, before: Mapping[str, Any] | None = None) -> str:
        """The spec of the network: this layer alone, or after layers that make its inputs."""
        with faults("its fields cannot be written", "fields must be such that YAML can hold them"):
            layer = {"op": self.block.op, "from": list(before or self.inputs), **self.fields}
            return write(
                {
                    "archspec": 1,
                    "name": "case",
                    "inputs": {name: _written(shape) for name, shape in self.inputs.items()},
                    "layers": {**(before or {}), LAYER: layer},
                    "outputs": {"y": LAYER},
                }
            )

    def _compiled(self, text: str) -> Graph:
        mend = "choose a case that the block takes, or mend `infer`; fields must be such that YAML can hold them"
        with faults("the case does not compile", mend), self.known():
            return compile(load(text=text))

    @property
    def unknown(self) -> tuple[dict[str, type[Block]], dict[str, type[Shape]]]:
        """The block and the kinds of its shapes by name, where no installed distribution brings them."""
        kinds = {type(shape).name: type(shape) for shape in self.shapes}
        ops = {} if _is_known(BLOCKS, self.block.op, type(self.block)) else {self.block.op: type(self.block)}
        return ops, {name: kind for name, kind in kinds.items() if not _is_known(SHAPES, name, kind)}

    @contextmanager
    def known(self) -> Iterator[None]:
        """While it lasts, the block's op and the kinds of its shapes are known, though no plugin may be installed."""
        try:
            ops, kinds = self.unknown
            with BLOCKS.extended(ops, PROVIDER), SHAPES.extended(kinds, PROVIDER):
                yield
        except PluginError as error:
            raise Fault(error.message, error.hint) from error

    def module(self, seed: int = 0, dtype: torch.dtype | None = None) -> nn.Module:
        """The network built, in training mode. Errors: Fault if it cannot be"""
        graph = self.graph()
        mend = "`parameters`, `buffers` and `lower` must agree; functions have names, modules are made from literals"
        with faults("it cannot be built", mend):
            return build(graph, seed=seed, dtype=dtype)

    def images(self, count: int = BATCH, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
        """Random inputs, the same in every run."""
        return images(self.shapes, count, dtype)


def images(shapes: Iterable[Shape], count: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """A random batch for each shape, the same in every run."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(count, *shape.dims, generator=generator).to(dtype) for shape in shapes]


def _is_known(registry: Any, name: str, kind: object) -> bool:
    return name in registry and registry[name] is kind


def _written(shape: Shape) -> Any:
    dims = list(shape.dims)
    return dims if BY_AXES.get(len(dims)) is type(shape) else {shape.name: dims}


def run(module: nn.Module, inputs: Sequence[torch.Tensor], training: bool, seed: int = 1) -> torch.Tensor:
    """The output with torch's generator seeded; without gradients. Errors: Fault if it is no tensor"""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        output = module.train(training)(*inputs)
    if not isinstance(output, torch.Tensor):
        raise Fault(f"its output is a {type(output).__name__}", "`lower` must return the value of one tensor")
    return output
