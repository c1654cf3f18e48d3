"""archspec export"""

from __future__ import annotations

import click

from archspec.cli.options import (
    WeightsOptions,
    max_nodes_option,
    outputs_option,
    pass_option,
    set_option,
    weights_options,
)


@click.command()
@click.argument("spec")
@click.option("--format", "style", type=click.Choice(["onnx", "torch-export"]), required=True, help="Kind of file.")
@set_option
@pass_option
@outputs_option
@max_nodes_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first parameter values.")
@weights_options
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="File to write; unsaid, in build/NAME.")
def export(
    spec: str,
    style: str,
    settings: dict[str, object],
    passes: tuple[str, ...],
    outputs: tuple[str, ...],
    max_nodes: int,
    seed: int,
    weights: WeightsOptions,
    out: str | None,
) -> None:
    """Write what a network computes in evaluation as an ONNX file or an exported program of torch.

    The file takes any batch size. It is run again and compared with the module before it is written.
    """
    from pathlib import Path

    from archspec.api import compile
    from archspec.graph.features import with_outputs

    graph = compile(spec, set=settings, max_nodes=max_nodes, passes=passes)
    part = with_outputs(graph, outputs) if outputs else graph

    from archspec.lowering.artifacts import folder_name, prepare, write_file
    from archspec.lowering.build import lower
    from archspec.lowering.export import SUFFIXES, check_libraries
    from archspec.lowering.export import export as exported
    from archspec.lowering.weights import put, read_weights

    check_libraries(style)
    path = Path(out) if out else Path("build") / folder_name(graph) / f"model{SUFFIXES[style]}"
    prepare(path.parent)
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
