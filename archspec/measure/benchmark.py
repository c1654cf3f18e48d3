"""What `archspec bench` measures: networks in several forms, at one batch size after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from archspec.graph.graph import Graph
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
) -> Iterator[tuple[list[Times], list[Profile]]]:
    """The times of networks, by the names they are to have, for each batch size; with `layers`, their profiles too.

    With `steps`, those that are optimised are also run without each of their steps. All are built before anything is
    timed, and but once. Errors: BuildError
    """
    subjects: list[Subject] = []
    for name, graph in graphs.items():
        for variant in dict.fromkeys(variants):
            whole = subject(graph, variant, run, batches[0], device, dtype, name=name)
            left_out = whole.steps if steps else ()
            subjects.append(whole)
            subjects += [subject(graph, variant, run, batches[0], device, dtype, step, name) for step in left_out]
    for batch in batches:
        subjects = at_batch(subjects, batch)
        times = measured(subjects, rounds, seconds)
        shown = [one for one in subjects if layers and one.call is None and one.left_out == NOTHING]
        yield times, [Profile(one.name, one.variant, batch, tuple(layer_times(one))) for one in shown]
