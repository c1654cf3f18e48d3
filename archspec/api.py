"""What Python code calls: load, compile, build."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archspec.graph.compile import MAX_NODES
from archspec.graph.compile import compile as compile_spec
from archspec.graph.expectations import check, refuse_unused_rules
from archspec.graph.graph import Graph
from archspec.spec import files
from archspec.spec.document import Spec

if TYPE_CHECKING:
    import torch
    from torch import nn

Named = str | os.PathLike[str]


def load(
    path: Named | None = None,
    *,
    set: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    text: str | None = None,
) -> Spec:
    """Read a spec from a path, from the zoo by its name, or from a text.

    `set` gives values to its params, `inputs` other shapes to its inputs, without the batch axis.
    Mistakes of form are told by `compile`, together with its own.
    Errors: SpecError if it cannot be read at all
    """
    if (path is None) == (text is None):
        raise TypeError("load takes a path or a text")
    return replace(files.load(path, text=text), settings=dict(set or {}), sizes=dict(inputs or {}))


def compile(
    spec: Spec | Named,
    *,
    set: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    max_nodes: int = MAX_NODES,
) -> Graph:
    """The graph of a spec: its layers in execution order with shapes, params and MACs. Never imports torch.

    Errors: SpecError with every problem of the spec
    """
    loaded = spec if isinstance(spec, Spec) else load(spec)
    settings, sizes = {**loaded.settings, **(set or {})}, {**loaded.sizes, **(inputs or {})}
    graph = compile_spec(loaded, settings, max_nodes, sizes)
    refuse_unused_rules(loaded, graph, max_nodes)
    return graph


def validate(
    spec: Spec | Named,
    *,
    set: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    max_nodes: int = MAX_NODES,
) -> Graph:
    """Compile a spec and check the numbers it expects of itself. Errors: SpecError"""
    loaded = spec if isinstance(spec, Spec) else load(spec)
    settings, sizes = {**loaded.settings, **(set or {})}, {**loaded.sizes, **(inputs or {})}
    return check(loaded, settings, max_nodes, sizes)


def build(
    spec: Spec | Graph | Named,
    *,
    set: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    devices: Sequence[torch.device | str] = (),
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """The torch module of a spec, in training mode, with its parameters initialised from `seed`.

    Takes N x (the spec's input shape); see `archspec.lowering.module.Network` for what it returns.
    With `devices`, a layer runs on the one that its `place` counts, and values move where they cross.
    The same seed gives the same parameters on every device, and torch's global generators are untouched.
    Errors: SpecError, BuildError
    """
    from archspec.lowering.build import lower

    if isinstance(spec, Graph) and (set or inputs):
        raise TypeError("a compiled graph has its params and inputs already: give `set` and `inputs` to compile")
    graph = spec if isinstance(spec, Graph) else compile(spec, set=set, inputs=inputs)
    return lower(graph, seed, device, dtype, devices)
