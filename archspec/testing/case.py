"""A block on inputs of some shapes, as a network of one layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archspec.api import build, compile, load
from archspec.block import Block
from archspec.errors import ArchspecError, SpecError
from archspec.graph.graph import Graph
from archspec.plugins import Provider
from archspec.registry import BLOCKS
from archspec.spec.writer import write
from archspec.tensor import BY_AXES, CHW, SHAPES, Features, Shape

LAYER = "layer"
"""Name of the block's layer."""
BATCH = 2


class Fault(AssertionError):
    """What a check found, and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}\n  to mend it: {mend}")
        self.what, self.mend = what, mend


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
        block, *shapes = given
        if not isinstance(block, Block) or not shapes or not all(isinstance(shape, Shape) for shape in shapes):
            raise TypeError(f"a case is (block, shape, ...): a block made with its fields, found {given!r}")
        return cls(block, tuple(shapes))

    def __str__(self) -> str:
        return f"{self.block.op}-{','.join(map(str, self.shapes))}"

    @property
    def fields(self) -> dict[str, Any]:
        """The block's fields as a spec has them."""
        return self.block.model_dump(mode="json", exclude_unset=True, warnings="none")

    def graph(self) -> Graph:
        """The network of this layer alone. Errors: Fault if the block refuses its inputs"""
        inputs = {f"x{number}": shape for number, shape in enumerate(self.shapes)}
        return self._compiled(inputs, {}, list(inputs))

    def learned_graph(self) -> Graph | None:
        """The network in which a layer with weights makes each input; None for kinds that no built-in layer makes."""
        inputs = {f"x{number}": shape for number, shape in enumerate(self.shapes)}
        before = {}
        for name, shape in inputs.items():
            if isinstance(shape, CHW):
                before[f"{name}_made"] = {"op": "conv2d", "from": name, "out_channels": shape.channels}
                before[f"{name}_made"]["kernel_size"] = 1
            elif isinstance(shape, Features):
                before[f"{name}_made"] = {"op": "linear", "from": name, "out_features": shape.width_of_place}
            else:
                return None
        return self._compiled(inputs, before, list(before))

    def _compiled(self, inputs: dict[str, Shape], before: dict[str, Any], reads: list[str]) -> Graph:
        spec = {
            "archspec": 1,
            "name": "case",
            "inputs": {name: _written(shape) for name, shape in inputs.items()},
            "layers": before | {LAYER: {"op": self.block.op, "from": reads, **self.fields}},
            "outputs": {"y": LAYER},
        }
        with self.known():
            try:
                return compile(load(text=write(spec)))
            except SpecError as error:
                problems = "\n".join(problem.headline for problem in error.problems)
                mend = "choose a case that the block takes; fields must be such that YAML can hold them"
                raise Fault(f"the case does not compile:\n{problems}", mend) from error

    @contextmanager
    def known(self) -> Iterator[None]:
        """While it lasts, the block's op and the kinds of its shapes are known, though no plugin may be installed."""
        from archspec.errors import PluginError

        kinds = {type(shape).name: type(shape) for shape in self.shapes}
        try:
            ops = {} if _is_known(BLOCKS, self.block.op, type(self.block)) else {self.block.op: type(self.block)}
            kinds = {name: kind for name, kind in kinds.items() if not _is_known(SHAPES, name, kind)}
            with BLOCKS.extended(ops, Provider("the case")), SHAPES.extended(kinds, Provider("the case")):
                yield
        except PluginError as error:
            raise Fault(error.message, error.hint) from error

    def module(self, seed: int = 0, dtype: torch.dtype | None = None) -> nn.Module:
        """The network built, in training mode. Errors: Fault if it cannot be"""
        try:
            return build(self.graph(), seed=seed, dtype=dtype)
        except ArchspecError as error:
            raise Fault(f"it cannot be built: {error}", "see the message") from error

    def images(self, count: int = BATCH, dtype: torch.dtype = torch.float32, seed: int = 0) -> list[torch.Tensor]:
        """Random inputs, the same in every run."""
        generator = torch.Generator().manual_seed(seed)
        return [torch.randn(count, *shape.dims, generator=generator).to(dtype) for shape in self.shapes]


def _is_known(registry: Any, name: str, kind: object) -> bool:
    return name in registry and registry[name] is kind


def _written(shape: Shape) -> Any:
    dims = list(shape.dims)
    return dims if BY_AXES.get(len(dims)) is type(shape) else {shape.name: dims}


def run(module: nn.Module, inputs: Sequence[torch.Tensor], training: bool, seed: int = 1) -> torch.Tensor:
    """The output with torch's generator seeded; without gradients."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        output: torch.Tensor = module.train(training)(*inputs)
    return output
