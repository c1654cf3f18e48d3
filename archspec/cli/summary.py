"""archspec summary"""

from __future__ import annotations

import click

from archspec.cli.options import Chosen, spec_options

COLUMNS = "op output params macs sees stride padding memory saved intensity place line"


@click.command()
@click.argument("spec")
@spec_options(passes=True, outputs=True)
@click.option("--by", type=click.Choice(["layer", "block"]), default="layer", help="One row per layer, or block use.")
@click.option("--depth", type=click.IntRange(1), default=None, help="One row per path of so many names.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Images, for memory.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16", "float64"]),
    default="float32",
    show_default=True,
    help="Of values and parameters, for memory.",
)
@click.option(
    "--optimizer",
    type=click.Choice(["sgd", "momentum", "adam"]),
    default="momentum",
    show_default=True,
    help="Whose state training holds.",
)
@click.option("--columns", default="", metavar="A,B,...", help=f"All or some of {', '.join(COLUMNS.split())}.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with everything.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, with every column.")
def summary(
    spec: str,
    chosen: Chosen,
    by: str,
    depth: int | None,
    batch: int,
    dtype: str,
    optimizer: str,
    columns: str,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print the layers of a spec with shapes, params, MACs, memory and receptive fields.

    `sees` is the receptive field: how many pixels of the input one place sees; `stride` and `padding` say from where.
    `memory` is the layer's output, `saved` what training keeps of it for backward, MACs/byte the arithmetic intensity.
    """
    import json
    import shutil
    import sys

    from archspec.views.summary import Summary

    shown = COLUMNS.split() if columns == "all" else [name for name in columns.split(",") if name]
    for name in shown:
        if name not in COLUMNS.split():
            raise click.BadParameter(f"there is no column {name!r}: {COLUMNS}", param_hint="--columns")
    if as_json and as_csv:
        raise click.UsageError("give --json or --csv, not both")
    if by == "block" and depth is not None:
        raise click.UsageError("give --by block or --depth, not both")
    found = Summary(chosen.compile(spec), by, depth, batch, dtype, optimizer)
    if as_json:
        click.echo(json.dumps(found.data(), indent=1))
    elif as_csv:
        click.echo(found.csv(), nl=False)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(found.table(shown, width))
