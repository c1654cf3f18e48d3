"""archspec build"""

from __future__ import annotations

import click

from archspec.cli.options import WeightsOptions, max_nodes_option, pass_option, set_option, weights_options


@click.command()
@click.argument("spec")
@set_option
@pass_option
@max_nodes_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first parameter values.")
@weights_options
@click.option("--device", default="cpu", show_default=True, help="Where to try the module: cpu, cuda, cuda:1, ...")
@click.option("--out", type=click.Path(file_okay=False), default=None, help="Folder to write; unsaid, build/NAME.")
def build(
    spec: str,
    settings: dict[str, object],
    passes: tuple[str, ...],
    max_nodes: int,
    seed: int,
    weights: WeightsOptions,
    device: str,
    out: str | None,
) -> None:
    """Compile a spec to a PyTorch module, try it, and write it out.

    Tried means: one forward and one backward pass of a copy on the device. Written are model.py (plain PyTorch,
    needs no archspec), model.safetensors, spec.yaml (expanded) and manifest.json. Weights are those drawn from the
    seed, or those of a file.
    """
    from pathlib import Path

    from archspec.api import compile
    from archspec.views.summary import summary_table

    graph = compile(spec, set=settings, max_nodes=max_nodes, passes=passes)

    from archspec.lowering.artifacts import folder_name, prepare, write_artifacts
    from archspec.lowering.build import lower
    from archspec.lowering.device import usable_device
    from archspec.lowering.standalone import standalone_source
    from archspec.lowering.verify import verify
    from archspec.lowering.weights import put, read_weights

    where = usable_device(device)
    folder = Path(out) if out else Path("build") / folder_name(graph)
    prepare(folder)
    loaded = read_weights(graph, weights.file, *weights.about()) if weights.file else None
    module = lower(graph, seed)
    if loaded:
        put(module, loaded)
    click.echo(summary_table(graph))
    for line in loaded.lines if loaded else []:
        click.echo(line)
    source = standalone_source(graph)
    found = verify(module, graph, source, where)
    click.echo(f"\nverified on {where}, batch 2:")
    for line in found:
        click.echo(f"  {line}")
    paths = write_artifacts(folder, module, graph, source, seed, loaded)
    click.echo("\nwrote:")
    for path in paths:
        click.echo(f"  {path}")
