"""archspec build"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archspec.cli.options import Chosen, WeightsOptions, spec_options, weights_options

if TYPE_CHECKING:
    import torch

    from archspec.lowering.module import Network


@click.command()
@click.argument("spec")
@spec_options(passes=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first parameter values.")
@weights_options
@click.option("--device", default=None, help="Where to try the module: cpu, cuda, cuda:1, ...; unsaid, cpu.")
@click.option("--devices", default=None, metavar="D0,D1,...", help="Where each `place` of the spec runs; tried there.")
@click.option("--optimize", type=click.Choice(["inference", "training"]), default=None, help="Make it faster for this.")
@click.option("--out", type=click.Path(file_okay=False), default=None, help="Folder to write; unsaid, build/NAME.")
def build(
    spec: str,
    chosen: Chosen,
    seed: int,
    weights: WeightsOptions,
    device: str | None,
    devices: str | None,
    optimize: str | None,
    out: str | None,
) -> None:
    """Compile a spec to a PyTorch module, try it, and write it out.

    Tried means: one forward and one backward pass of a copy on the device. Written are model.py (plain PyTorch,
    needs no archspec), model.safetensors, spec.yaml (expanded), graph.svg and manifest.json. Weights are those drawn
    from the seed, or those of a file.
    """
    from pathlib import Path

    from archspec.views.summary import summary_table

    graph = chosen.compile(spec)

    from archspec.file import check_writable
    from archspec.lowering.artifacts import folder_name, write_artifacts
    from archspec.lowering.build import device_names, lower
    from archspec.lowering.standalone import standalone_source
    from archspec.lowering.verify import agreement, verify
    from archspec.lowering.weights import put, read_weights

    names, where = _places(device, devices)
    if devices:
        device_names(graph, where)
    folder = Path(out) if out else Path("build") / (folder_name(graph) + (f"-{optimize}" if optimize else ""))
    check_writable(folder)
    loaded = read_weights(graph, weights.file, *weights.about()) if weights.file else None
    module = lower(graph, seed)
    if loaded:
        put(module, loaded)
    trial = lower(graph, seed, devices=where) if devices else None
    found = []
    if optimize:
        from archspec.lowering.optimize import optimized  # takes long: it imports torch's compiler

        made = optimized(module, graph, optimize)
        found = [agreement(module, made, graph)]
        if trial is not None:
            trial = optimized(trial, graph, optimize, device_names(graph, where)).network
        module, graph = made.network, made.graph
    click.echo(summary_table(graph))
    for line in [*(loaded.lines if loaded else []), *(made.lines if optimize else [])]:
        click.echo(line)
    source = standalone_source(graph)
    found += verify(_trial(module, trial, where), graph, source, where[0], trains=optimize != "inference")
    if devices:
        crossing = len(graph.crossings)
        found.append(f"{crossing} {'value crosses' if crossing == 1 else 'values cross'} between places")
    click.echo(f"\nverified on {', '.join(names)}, batch 2:")
    for line in found:
        click.echo(f"  {line}")
    paths = write_artifacts(folder, module, graph, source, seed, loaded, optimize)
    click.echo("\nwrote:")
    for path in paths:
        click.echo(f"  {path}")


def _places(device: str | None, devices: str | None) -> tuple[list[str], list[torch.device]]:
    """The devices of a command line, by name and as they are. Errors: click.UsageError; BuildError"""
    from archspec.lowering.device import usable_device

    if devices is not None and not all(devices.split(",")):
        raise click.UsageError(f"--devices names devices, with commas between them, found {devices!r}")
    if device and devices:
        raise click.UsageError("give --device or --devices, not both")
    names = devices.split(",") if devices else [device or "cpu"]
    where = [usable_device(name, meta=devices is not None) for name in names]
    if len({device.type == "meta" for device in where}) > 1:
        raise click.UsageError(f"`meta` holds no values to move: all devices are meta or none is, found {devices}")
    return names, where


def _trial(module: Network, placed: Network | None, where: list[torch.device]) -> Network:
    """What is tried: a copy of a module where it is to run, in the layout in which model.py gives the same bits."""
    import copy

    import torch

    if placed is None:
        placed = copy.deepcopy(module).to(where[0])
    elif where[0].type != "meta":
        placed.load_state_dict(module.state_dict())
    return placed.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]
