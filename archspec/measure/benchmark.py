"""What `archspec bench` measures: networks in several forms, at one batch size after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch

from archspec.graph.graph import Graph
from archspec.graph.recompute import recomputed
from archspec.measure.layers import layer_times
from archspec.measure.subject import Subject, at_batch, subject
from archspec.measure.times import measured
from archspec.views.measured import NOTHING, Profile, Times


def benchmark(
    graphs: Mapping[str, Graph],
    variants: Sequence[str],
    run: str,
    batches: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
    *,
    rounds: int | None,
    seconds: float,
    steps: bool = False,
    layers: bool = False,
    recompute: Sequence[str] = (),
) -> Iterator[tuple[list[Times], list[Profile]]]:
    """The times of networks, by the names they are to have, for each batch size; with `layers`, their profiles too.

    With `steps`, those that are optimised are also run without each of their steps; with `recompute`, globs on groups,
    all also with these computed again in the backward pass. All are built before anything is timed, and but once.
    Errors: SpecError if a glob matches nothing; BuildError
    """
    subjects: list[Subject] = []
    for name, graph in graphs.items():
        parts = recomputed(graph, recompute)
        for variant in dict.fromkeys(variants):
            build = partial(subject, graph, variant, run, batches[0], device, dtype)
            whole = build(name=name)
            subjects.append(whole)
            subjects += [build(name=name, left_out=step) for step in (whole.steps if steps else ())]
            subjects += [build(name=f"{name} (recomputed)", parts=parts)] if parts else []
    for batch in batches:
        subjects = at_batch(subjects, batch)
        times = measured(subjects, rounds, seconds)
        whole_ones = [one for one in subjects if one.name in graphs and one.left_out == NOTHING]
        shown = [one for one in whole_ones if layers and one.call is None]
        yield times, [Profile(one.name, one.variant, batch, tuple(layer_times(one))) for one in shown]
