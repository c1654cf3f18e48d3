"""archspec bench"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archspec.cli.options import Chosen, spec_options

if TYPE_CHECKING:
    from archspec.views.measured import Machine, Profile, Times


def _batches(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    sizes = [size.strip() for size in value.split(",")]
    if not all(size.isascii() and size.isdecimal() and 0 < int(size) < 2**20 for size in sizes):
        raise click.BadParameter(f"whole numbers from 1, with commas between them, found {value!r}")
    return tuple(dict.fromkeys(map(int, sizes)))


def _seconds(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not 0 < value < float("inf"):
        raise click.BadParameter(f"a number of seconds above 0, found {value:g}")
    return value


@click.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@spec_options(passes=True)
@click.option(
    "--run", type=click.Choice(["forward", "step"]), default="forward", show_default=True, help="What is timed."
)
@click.option(
    "--as",
    "variants",
    type=click.Choice(["eager", "compiled", "optimized", "optimized-compiled"]),
    multiple=True,
    default=("eager", "optimized"),
    help="In which form, several times if need be; unsaid, eager and optimized.",
)
@click.option("--batch", "batches", default="1", show_default=True, metavar="N,...", callback=_batches, help="Images.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option("--threads", type=click.IntRange(1), default=None, help="Of the CPU; unsaid, as many as torch takes.")
@click.option("--rounds", type=click.IntRange(1), default=None, help="Of each network; unsaid, as many as fit.")
@click.option(
    "--seconds", type=float, default=5.0, show_default=True, callback=_seconds, help="For the rounds of one batch."
)
@click.option("--layers", is_flag=True, help="Each layer's time beside the machine's limit.")
@click.option("--steps", is_flag=True, help="What each step of optimize gains: the time without it.")
@click.option(
    "--recompute",
    multiple=True,
    metavar="GLOB",
    help="Of a step, also with these groups computed again in the backward pass.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="Picture of the layers: .svg or .png.")
def bench(
    specs: tuple[str, ...],
    chosen: Chosen,
    run: str,
    variants: tuple[str, ...],
    batches: tuple[int, ...],
    dtype: str,
    device: str,
    threads: int | None,
    rounds: int | None,
    seconds: float,
    layers: bool,
    steps: bool,
    recompute: tuple[str, ...],
    as_json: bool,
    out: str | None,
) -> None:
    """Time networks in turn, and say how near they come to what this machine can do.

    `optimized` is `build(..., optimize=...)`, for inference, or for training where a step is timed. Times are medians;
    `faster` is the median over pairs of rounds, beside the network in the first line. Values are random.
    """
    import json

    from archspec.graph.recompute import refuse_unmatched
    from archspec.views.measured import layers_table, machine_line, measured_data, names_apart, tables

    _check(specs, run, variants, layers, steps, recompute, out)
    graphs = [chosen.compile(spec) for spec in specs]
    refuse_unmatched(graphs, recompute)
    named = dict(zip(names_apart([graph.name for graph in graphs], specs), graphs, strict=True))

    import torch

    from archspec.lowering.device import usable_device
    from archspec.measure.benchmark import benchmark
    from archspec.measure.machine import measured_machine

    where, kind = usable_device(device), getattr(torch, dtype)
    if threads:
        torch.set_num_threads(threads)
    machine = measured_machine(where, kind)
    if not as_json:
        click.echo(machine_line(machine))
    every: list[Times] = []
    profiles: list[Profile] = []
    for times, found in benchmark(
        named,
        variants,
        run,
        batches,
        where,
        kind,
        rounds=rounds,
        seconds=seconds,
        steps=steps,
        layers=bool(layers or out),
        recompute=recompute,
    ):
        every += times
        profiles += found
        for table in [] if as_json else tables(times, machine, run, steps):
            click.echo(f"\n{table}")
    if as_json:
        click.echo(json.dumps(measured_data(machine, run, every, profiles if layers else [], steps), indent=1))
    elif layers:
        for one in profiles:
            click.echo(f"\n{layers_table(one.layers, machine, f'{one.title}, forward in evaluation')}")
    if out:
        _draw(out, machine, profiles)
        click.echo(f"wrote {out}", err=as_json)


def _check(
    specs: tuple[str, ...],
    run: str,
    variants: tuple[str, ...],
    layers: bool,
    steps: bool,
    recompute: tuple[str, ...],
    out: str | None,
) -> None:
    """Refuse what does not go together, before anything takes time. Errors: click.UsageError; ArchspecError"""
    from pathlib import Path

    from archspec.file import check_writable

    if specs.count("-") > 1:
        raise click.UsageError("standard input can be read once")
    if recompute and run != "step":
        raise click.UsageError("--recompute is about the backward pass; add --run step, found --run forward")
    if (out or layers) and all(one.endswith("compiled") for one in variants):
        raise click.UsageError("a compiled network has no layers to show; add --as eager or --as optimized")
    if steps and not any(one.startswith("optimized") for one in variants):
        found = " ".join(f"--as {one}" for one in variants)
        raise click.UsageError(f"--steps is about what optimize does; add --as optimized, found {found}")
    if out and Path(out).suffix.lower() not in (".svg", ".png"):
        raise click.UsageError(f"--out is a picture, .svg or .png, found {out!r}")
    if out:
        check_writable(Path(out).parent)


def _draw(out: str, machine: Machine, profiles: list[Profile]) -> None:
    """Write the layers below the machine's roofline. Errors: ArchspecError"""
    from pathlib import Path

    from archspec.drawing.png import png_of
    from archspec.drawing.roofline import roofline
    from archspec.file import write_file

    svg = roofline(machine, [(one.title, one.layers) for one in profiles])
    write_file(Path(out), svg.encode() if out.lower().endswith(".svg") else png_of(svg, 2.0))
