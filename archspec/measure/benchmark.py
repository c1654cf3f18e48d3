"""What `archspec bench` measures: networks in several forms, at one batch size after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch

from archspec.graph.graph import Graph
from archspec.graph.recompute import matches, segments_of
from archspec.measure.layers import layer_times
from archspec.measure.subject import Subject, at_batch, subject
from archspec.measure.times import measured
from archspec.views.measured import Profile, Times


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
    those that have some also with these computed again in the backward pass. All are built before anything is timed,
    and but once.
    Errors: BuildError
    """
    subjects: list[Subject] = []
    for name, graph in graphs.items():
        segments = segments_of(graph, [glob for glob in recompute if matches(graph, glob)])
        for variant in dict.fromkeys(variants):
            build = partial(subject, graph, variant, run, batches[0], device, dtype)
            whole = build(name=name)
            subjects.append(whole)
            subjects += [build(name=name, left_out=step) for step in (whole.steps if steps else ())]
            subjects += [build(name=name, segments=segments)] if segments else []
    for batch in batches:
        subjects = at_batch(subjects, batch)
        times = measured(subjects, rounds, seconds)
        shown = [one for one in subjects if layers and not (one.call or one.left_out or one.recomputed)]
        yield times, [Profile(one.name, one.variant, batch, tuple(layer_times(one))) for one in shown]
