"""What was measured of networks, as a table or JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archspec.views.summary import aligned

VARIANTS = ("eager", "compiled", "optimized", "optimized-compiled")
"""In which form a network is run."""
RUNS = {"forward": "forward in evaluation", "step": "training step: forward and backward"}
"""What is run -> how it is told."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine can do, measured in the dtype of the networks."""

    device: str
    threads: int
    """0 where it is no CPU."""
    dtype: str
    flops: float
    """Per second, of a large matrix product: 2 for each multiply-accumulate."""
    bandwidth: float
    """Bytes per second read and written by a copy that fits no cache."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of `optimize` that did something for a network."""

    name: str
    did: str


@dataclass(frozen=True, slots=True)
class Times:
    """One network, as it was run."""

    name: str
    """Of its spec, and where others are called alike, what tells it from them."""
    variant: str
    """One of `VARIANTS`."""
    seconds: tuple[float, ...]
    """Of each round, in order; the rounds of all networks were interleaved."""
    batch: int
    flops: float
    """Of one run."""
    memory: int | None
    """Bytes at the most beside what was there before the run; None where it cannot be measured."""
    left_out: Step | None = None
    """The one step of `optimize` that was not made."""
    recomputed: bool = False
    """Whether segments were computed again in the backward pass."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The quarters: a quarter of the rounds was faster than the first, a quarter slower than the second."""
        return _quarters(self.seconds)

    def gain_on(self, first: Times) -> float:
        """How many times faster it is than another, as the median over pairs of rounds."""
        return statistics.median(self._gains_on(first))

    def gain_spread_on(self, first: Times) -> tuple[float, float]:
        """The quarters of the gain over pairs of rounds."""
        return _quarters(self._gains_on(first))

    def _gains_on(self, first: Times) -> list[float]:
        return [a / b for a, b in zip(first.seconds, self.seconds, strict=True)]


def _quarters(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return quarters[0], quarters[2]


@dataclass(frozen=True, slots=True)
class LayerTime:
    """One layer's share of a forward pass in evaluation."""

    name: str
    op: str
    seconds: float
    flops: float
    bytes: float
    """Read and written once: inputs, parameters and output."""

    def limit(self, machine: Machine) -> float:
        """The least seconds by the machine's peaks: arithmetic, or memory, whichever takes longer."""
        return max(self.flops / machine.flops, self.bytes / machine.bandwidth)


@dataclass(frozen=True, slots=True)
class Profile:
    """The layers of a network as it was run at one batch size, in evaluation."""

    name: str
    variant: str
    batch: int
    layers: tuple[LayerTime, ...]

    @property
    def title(self) -> str:
        return f"{self.name} {self.variant}, batch {self.batch}"


def names_apart(names: Sequence[str], specs: Sequence[str]) -> list[str]:
    """The names of networks; of those called alike, each with its spec as it was given, or else with a number."""
    found = []
    for k, name in enumerate(names):
        alike = [j for j, other in enumerate(names) if other == name]
        given = [specs[j] for j in alike]
        mark = specs[k] if len(set(given)) == len(given) else alike.index(k) + 1
        found.append(f"{name} ({mark})" if len(alike) > 1 else name)
    return found


def machine_line(machine: Machine) -> str:
    threads = f", {machine.threads} thread{'s' if machine.threads > 1 else ''}" if machine.threads else ""
    peaks = f"{machine.flops / 1e9:,.0f} GFLOP/s in matrix products, {machine.bandwidth / 1e9:,.1f} GB/s in copies"
    return f"{machine.device}{threads}, {machine.dtype}: {peaks}"


def tables(times: Sequence[Times], machine: Machine, run: str, steps: bool) -> list[str]:
    """The networks that were run at one batch size; with `steps`, what each step gains, a table for each network."""
    gains = [steps_table(whole, without) for whole, without in without_steps(times)] if steps else []
    return [times_table(times, machine, run), *gains]


def times_table(times: Sequence[Times], machine: Machine, run: str) -> str:
    """The networks that were run at one batch size, beside the first of them."""
    times = _whole(times)
    first = times[0]
    head = ("network", "median ms", "quarters", "images/s", "faster", "GFLOP/s", "of peak", "peak MiB")
    rows = [head]
    for one in times:
        rate = one.flops / one.median
        rows.append(
            (
                f"{one.name} {one.variant}{', recomputed' if one.recomputed else ''}",
                _digits(one.median * 1e3),
                _milliseconds(one.spread),
                f"{one.batch / one.median:,.1f}",
                "" if one is first else f"{one.gain_on(first):.2f} x",
                _rate(rate / 1e9),
                f"{rate / machine.flops:.0%}",
                _mebibytes(one.memory),
            )
        )
    lines = "\n".join(aligned(rows, right=tuple(range(1, len(head)))))
    rounds = f"{len(first.seconds)} round{'s' if len(first.seconds) > 1 else ''}"
    return f"{RUNS[run]}, batch {first.batch}, {rounds}\n{lines}"


def without_steps(times: Sequence[Times]) -> list[tuple[Times, list[Times]]]:
    """Each optimised network, with what it took without each of its steps."""
    found: dict[tuple[str, str, int], list[Times]] = {}
    for one in times:
        if one.variant.startswith("optimized") and not one.recomputed:
            found.setdefault((one.name, one.variant, one.batch), []).append(one)
    return [(whole, without) for whole, *without in found.values()]


def steps_table(whole: Times, without: Sequence[Times]) -> str:
    """What each step of `optimize` gains: a network, and the same without that step."""
    title = f"{whole.name} {whole.variant}, batch {whole.batch}, without each of its steps"
    if not without:
        return f"{title}: none found anything to do"
    rows = [("left out", "median ms", "quarters", "gain", "quarters", "peak MiB", "what it does")]
    for one in (whole, *without):
        low, high = whole.gain_spread_on(one)
        rows.append(
            (
                one.left_out.name if one.left_out else "nothing",
                _digits(one.median * 1e3),
                _milliseconds(one.spread),
                "" if one is whole else f"{whole.gain_on(one):.2f} x",
                "" if one is whole else f"{low:.2f} to {high:.2f}",
                _mebibytes(one.memory),
                one.left_out.did if one.left_out else "",
            )
        )
    return "\n".join([title, *aligned(rows, right=tuple(range(1, 6)))])


def layers_table(layers: Sequence[LayerTime], machine: Machine, title: str) -> str:
    """Layers in the order they are run, with how far each is from what the machine allows."""
    total = sum(layer.seconds for layer in layers)
    rows = [("layer", "op", "ms", "share", "GFLOP", "GFLOP/s", "GB/s", "limit ms", "x limit", "bound by")]
    for layer in layers:
        limit = layer.limit(machine)
        rows.append(
            (
                layer.name,
                layer.op,
                _digits(layer.seconds * 1e3),
                f"{layer.seconds / total:.1%}",
                _digits(layer.flops / 1e9) if layer.flops else "",
                _rate(layer.flops / layer.seconds / 1e9) if layer.flops else "",
                f"{layer.bytes / layer.seconds / 1e9:,.1f}",
                _digits(limit * 1e3) if limit else "",
                f"{layer.seconds / limit:.1f}" if limit else "",
                "arithmetic" if layer.flops / machine.flops > layer.bytes / machine.bandwidth else "memory",
            )
        )
    least = sum(layer.limit(machine) for layer in layers)
    said = f"layer by layer {total * 1e3:,.2f} ms, at the machine's limits {least * 1e3:,.2f} ms"
    return "\n".join([title, *aligned(rows, right=tuple(range(2, 9))), said])


def _whole(times: Sequence[Times]) -> list[Times]:
    """Those that no step was left out of."""
    return [one for one in times if one.left_out is None]


def _milliseconds(spread: tuple[float, float]) -> str:
    return f"{_digits(spread[0] * 1e3)} to {_digits(spread[1] * 1e3)}"


def _mebibytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**20:,.1f}"


def _digits(value: float) -> str:
    """A number to three digits at the least."""
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:#.3g}"


def _rate(value: float) -> str:
    """A number to two digits at the least."""
    return f"{value:,.0f}" if value >= 10 or not value else f"{value:#.2g}"


def measured_data(
    machine: Machine,
    run: str,
    times: Sequence[Times],
    profiles: Sequence[Profile],
    steps: bool,
) -> dict[str, Any]:
    """Everything as JSON has it: seconds, FLOP and bytes. `steps` where steps were left out."""
    return {
        "machine": {
            "device": machine.device,
            "threads": machine.threads,
            "dtype": machine.dtype,
            "flops_per_second": machine.flops,
            "bytes_per_second": machine.bandwidth,
        },
        "run": run,
        "networks": [_network_data(one, _first(times, one.batch)) for one in _whole(times)],
        "steps": [_steps_data(whole, without) for whole, without in (without_steps(times) if steps else [])],
        "layers": [_layers_data(one, machine) for one in profiles],
    }


def _network_data(one: Times, first: Times) -> dict[str, Any]:
    return {
        "name": one.name,
        "variant": one.variant,
        "recomputed": one.recomputed,
        "batch": one.batch,
        "median_s": one.median,
        "quarters_s": list(one.spread),
        "seconds": list(one.seconds),
        "images_per_s": one.batch / one.median,
        "flop": one.flops,
        "peak_bytes": one.memory,
        "times_faster_than_first": one.gain_on(first),
    }


def _steps_data(whole: Times, without: Sequence[Times]) -> dict[str, Any]:
    steps = [
        {
            "name": one.left_out.name,
            "did": one.left_out.did,
            "gain": whole.gain_on(one),
            "gain_quarters": list(whole.gain_spread_on(one)),
            "median_s_without": one.median,
            "quarters_s_without": list(one.spread),
            "seconds_without": list(one.seconds),
            "peak_bytes_without": one.memory,
        }
        for one in without
        if one.left_out
    ]
    return {"name": whole.name, "variant": whole.variant, "batch": whole.batch, "steps": steps}


def _layers_data(one: Profile, machine: Machine) -> dict[str, Any]:
    layers = [
        {
            "name": layer.name,
            "op": layer.op,
            "seconds": layer.seconds,
            "flop": layer.flops,
            "bytes": layer.bytes,
            "limit_s": layer.limit(machine),
        }
        for layer in one.layers
    ]
    return {"name": one.name, "variant": one.variant, "batch": one.batch, "layers": layers}


def _first(times: Sequence[Times], batch: int) -> Times:
    return next(one for one in times if one.batch == batch)
