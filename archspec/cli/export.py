"""archspec export"""

from __future__ import annotations

import click

from archspec.cli.options import Chosen, WeightsOptions, spec_options, weights_options


@click.command()
@click.argument("spec")
@click.option("--format", "style", type=click.Choice(["onnx", "torch-export"]), required=True, help="Kind of file.")
@spec_options(passes=True, outputs=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first parameter values.")
@weights_options
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="File to write; unsaid, in build/NAME.")
def export(
    spec: str,
    style: str,
    chosen: Chosen,
    seed: int,
    weights: WeightsOptions,
    out: str | None,
) -> None:
    """Write what a network computes in evaluation as an ONNX file or an exported program of torch.

    The file takes any batch size. It is run again and compared with the module before it is written.
    """
    from dataclasses import replace
    from pathlib import Path

    from archspec.graph.features import with_outputs

    graph = replace(chosen, outputs=()).compile(spec)
    part = with_outputs(graph, chosen.outputs) if chosen.outputs else graph

    from archspec.file import check_writable, write_file
    from archspec.lowering.artifacts import folder_name
    from archspec.lowering.build import lower
    from archspec.lowering.export import SUFFIXES, check_libraries
    from archspec.lowering.export import export as exported
    from archspec.lowering.weights import put, read_weights

    check_libraries(style)
    path = Path(out) if out else Path("build") / folder_name(graph) / f"model{SUFFIXES[style]}"
    check_writable(path.parent)
    loaded = read_weights(graph, weights.file, *weights.about()) if weights.file else None
    module = lower(part, seed)
    if loaded:
        put(module, loaded)
    data, found = exported(module, part, style)
    inference = part.inference()
    shapes = ", ".join(f"{node.name} Nx{node.shape}" for node in inference.inputs)
    results = ", ".join(f"{output.name} Nx{inference[output.node].shape}" for output in inference.outputs)
    for line in loaded.lines if loaded else []:
        click.echo(line)
    click.echo(f"{graph.name}: {shapes} -> {results}")
    click.echo(found)
    write_file(path, data)
    click.echo(f"wrote {path} ({len(data) / 2**20:,.1f} MiB)")
