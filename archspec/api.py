"""What Python code calls: load, compile, build, render."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archspec.block import Block
from archspec.graph.compile import MAX_NODES
from archspec.graph.compile import compile as compile_spec
from archspec.graph.expectations import check, refuse_unused_rules
from archspec.graph.graph import Graph
from archspec.notebook import teach
from archspec.plugins import Provider
from archspec.registry import BLOCKS, blocks_of
from archspec.spec import files
from archspec.spec.document import Spec

if TYPE_CHECKING:
    import torch
    from torch import nn

    from archspec.drawing.picture import Picture
    from archspec.spec.renames import Rename

Named = str | os.PathLike[str]


Blocks = Iterable["type[Block] | Named"]
"""Blocks of one's own: classes, or Python files that define some."""


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
    passes: str | Iterable[str] = (),
    outputs: str | Iterable[str] = (),
    blocks: Blocks = (),
) -> Graph:
    """The graph of a spec: its layers in execution order with shapes, params and MACs. Never imports torch.

    `passes` are names of changes to the whole network, such as `fully-convolutional`, made in their order.
    `outputs` are paths of layers and groups, whose values take the place of the spec's outputs; what they do not
    depend on is left out. `blocks` are blocks of your own that the spec may use: classes, or Python files of them.
    Errors: SpecError with every problem of the spec; PluginError if an op of `blocks` is taken
    """
    with _known(blocks):
        return _compile(spec, set, inputs, max_nodes, passes, outputs)


def _compile(
    spec: Spec | Named,
    set: Mapping[str, Any] | None,
    inputs: Mapping[str, Sequence[int]] | None,
    max_nodes: int,
    passes: str | Iterable[str],
    outputs: str | Iterable[str],
) -> Graph:
    loaded = spec if isinstance(spec, Spec) else load(spec)
    settings, sizes = {**loaded.settings, **(set or {})}, {**loaded.sizes, **(inputs or {})}
    changes = _texts(passes)
    graph = compile_spec(loaded, settings, max_nodes, {} if changes else sizes)
    refuse_unused_rules(loaded, graph, max_nodes)
    if changes:  # a pass is about the network at its own size
        from archspec.graph.passes import apply
        from archspec.graph.reinfer import with_inputs

        graph = apply(graph, changes)
        graph = with_inputs(graph, sizes) if sizes else graph
    return _with_outputs(graph, outputs)


@contextmanager
def _known(blocks: Blocks) -> Iterator[None]:
    """While it lasts, these blocks are known. Errors: PluginError if an op is taken"""
    with ExitStack() as stack:
        for given in (blocks,) if isinstance(blocks, str | os.PathLike | type) else blocks:
            if isinstance(given, type) and (not issubclass(given, Block) or not given.op):
                raise TypeError(f"`blocks` takes subclasses of archspec.block.Block that have an op, found {given!r}")
            if isinstance(given, type):
                found, owner = {given.op: given}, Provider(f"{given.__module__}.{given.__qualname__}")
            elif isinstance(given, str | os.PathLike):
                found, owner = blocks_of(given)
            else:
                raise TypeError(f"`blocks` takes classes of blocks and Python files, found {given!r}")
            stack.enter_context(BLOCKS.extended(found, owner))
        yield


def _with_outputs(graph: Graph, outputs: str | Iterable[str]) -> Graph:
    """The graph with other outputs, where any are named."""
    paths = _texts(outputs)
    if not paths:
        return graph

    from archspec.graph.features import with_outputs

    return with_outputs(graph, paths)


def validate(
    spec: Spec | Named,
    *,
    set: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    max_nodes: int = MAX_NODES,
    blocks: Blocks = (),
) -> Graph:
    """Compile a spec and check the numbers it expects of itself. Errors: SpecError"""
    loaded = spec if isinstance(spec, Spec) else load(spec)
    settings, sizes = {**loaded.settings, **(set or {})}, {**loaded.sizes, **(inputs or {})}
    with _known(blocks):
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
    weights: Named | None = None,
    rename: Named | Mapping[str, str] | None = None,
    allow_missing: str | Iterable[str] = (),
    allow_unexpected: str | Iterable[str] = (),
    passes: str | Iterable[str] = (),
    outputs: str | Iterable[str] = (),
    freeze: str | Iterable[str] = (),
    blocks: Blocks = (),
    optimize: str | None = None,
    recompute: str | Iterable[str] | None = (),
) -> nn.Module:
    """The torch module of a spec, in training mode, with its parameters initialised from `seed`.

    Takes N x (the spec's input shape); see `archspec.lowering.module.Network` for what it returns.
    With `devices`, a layer runs on the one that its `place` counts, and values move where they cross.
    The same seed gives the same parameters on every device, and torch's global generators are untouched.
    `weights` is a safetensors file or a PyTorch checkpoint that covers every tensor of the spec and has no others,
    but for those that the globs of `allow_missing` and `allow_unexpected` name; `rename` takes its names to the
    spec's, from a YAML file or a dict.
    `passes`, `outputs` and `blocks` are as for `compile`. `freeze` are globs on paths: the parameters of what they
    match, and of what is inside, are not trained.
    `optimize` makes a module that gives the same, faster: "inference" one that only evaluates, its norms folded into
    convolutions; "training" one with the same parameters under the same names. `recompute` are globs on paths: the
    values inside each group that they match are not kept for the backward pass but computed again there (activation
    checkpointing), which takes less memory and more time. See docs/speed.md.
    Errors: SpecError, BuildError
    """
    from archspec.graph.freeze import frozen
    from archspec.graph.passes import apply
    from archspec.graph.recompute import segments_of
    from archspec.lowering.build import device_names, lower

    if recompute and optimize == "inference":
        raise TypeError("`recompute` is about the backward pass, which a network optimised for inference does not have")
    if isinstance(spec, Graph) and (set or inputs):
        raise TypeError("a compiled graph has its params and inputs already: give `set` and `inputs` to compile")
    if weights is None and (rename or allow_missing or allow_unexpected):
        raise TypeError("`rename`, `allow_missing` and `allow_unexpected` are about `weights`, which is not given")
    if isinstance(spec, Graph):
        whole = apply(spec, _texts(passes))
    else:
        whole = compile(spec, set=set, inputs=inputs, passes=passes, blocks=blocks)
    graph = _with_outputs(whole, outputs)
    untrained = frozen(graph, _texts(freeze))
    segments = segments_of(graph, _texts(recompute or ()))
    loaded = None
    if weights is not None:
        from archspec.lowering.weights import put, read_weights

        loaded = read_weights(whole, weights, _renames(rename), _texts(allow_missing), _texts(allow_unexpected), dtype)
    module = lower(graph, seed, device, dtype, devices, None if optimize else segments)
    if loaded is not None:
        put(module, loaded)
    if optimize is not None:
        from archspec.lowering.optimize import optimized

        module = optimized(module, graph, optimize, device_names(graph, devices), segments=segments).network
    for name, parameter in module.named_parameters():
        if name in untrained:
            parameter.requires_grad_(False)
    return module


def render(
    *specs: Spec | Graph | Named,
    to: Named | None = None,
    set: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    outputs: str | Iterable[str] = (),
    diff: bool = False,
    depth: int | None = None,
    focus: str = "",
    direction: str | None = None,
    style: str = "default",
    theme: str = "light",
    columns: Iterable[str] = (),
    heat: str | None = None,
    unfold: bool = False,
    edge_shapes: bool = False,
    bare: bool = False,
    transparent: bool = False,
    scale: float = 2.0,
    engine: str = "archspec",
) -> Picture:
    """Networks drawn, beside each other where there are several; with `diff`, what differs between two.

    The picture shows itself in notebooks, has the formats as `svg`, `png`, `html`, `dot`, `mermaid` and `json`, and is
    written to the file `to`, whose suffix says the format. `set`, `inputs` and `outputs` are as for `compile`, for
    every spec. `depth` is how many names of a path are drawn, `focus` the path of the one part to draw; `columns` are
    what boxes say besides, as for `archspec render`, `heat` a cost to colour by: params, macs or memory. Never imports
    torch.
    Errors: SpecError; ArchspecError if it is too large or cannot be written; ValueError for an unknown option
    """
    from archspec.drawing.look import Look
    from archspec.drawing.picture import Picture

    look = Look(
        depth=depth,
        focus=focus,
        direction=direction or "",
        style=style,
        theme=theme,
        columns=_texts(columns),
        heat=heat or "",
        unfold=unfold,
        edge_shapes=edge_shapes,
        bare=bare,
        transparent=transparent,
        scale=scale,
        engine=engine,
    )
    if (set or inputs or outputs) and any(isinstance(spec, Graph) for spec in specs):
        raise TypeError("a compiled graph has its params and inputs already: give `set` and the like to compile")
    graphs = [
        spec if isinstance(spec, Graph) else compile(spec, set=set, inputs=inputs, outputs=outputs) for spec in specs
    ]
    picture = Picture(graphs, look, diff=diff)
    if to is not None:
        picture.save(to)
    return picture


def _renames(rename: Named | Mapping[str, str] | None) -> tuple[Rename, ...]:
    if rename is None:
        return ()

    from archspec.spec.renames import load_renames, renames_of

    return renames_of(rename) if isinstance(rename, Mapping) else load_renames(rename)


def _texts(texts: str | Iterable[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


teach(compile)
