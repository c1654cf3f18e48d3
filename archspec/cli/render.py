"""archspec render"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archspec.cli.options import Chosen, settings, spec_options

if TYPE_CHECKING:
    from archspec.graph.graph import Graph

SUFFIXES = "svg png html dot mmd json"
COLUMNS_HELP = "Also say params, macs, memory, saved, sees, inputs, weights, fields."


@click.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@spec_options(passes=True, outputs=True)
@click.option(
    "--out", "-o", "outs", multiple=True, metavar="FILE", help=f"File: .{' .'.join(SUFFIXES.split())}; - for output."
)
@click.option("--format", "kind", type=click.Choice(SUFFIXES.split()), default=None, help="For `-o -`; unsaid, svg.")
@click.option(
    "--depth", type=click.IntRange(1), default=None, help="Names of a path to draw; deeper groups are closed."
)
@click.option("--focus", metavar="PATH", default="", help="Draw one part and what it is joined to.")
@click.option("--direction", type=click.Choice(["down", "right"]), default=None, help="To read; unsaid, down.")
@click.option("--style", type=click.Choice(["default", "paper", "blocks"]), default="default", show_default=True)
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True, help="Colours.")
@click.option("--columns", metavar="NAME,...", default="", help=COLUMNS_HELP)
@click.option("--heat", type=click.Choice(["params", "macs", "memory"]), default=None, help="Colour by a cost.")
@click.option("--unfold", is_flag=True, help="Draw every copy of a repeated block.")
@click.option("--edge-shapes", is_flag=True, help="Write shapes on the wires.")
@click.option("--bare", is_flag=True, help="Without title and legend.")
@click.option("--transparent", is_flag=True, help="Without background.")
@click.option("--scale", type=click.FloatRange(0.05, 16), default=2.0, show_default=True, help="Of a PNG.")
@click.option("--engine", type=click.Choice(["archspec", "graphviz"]), default="archspec", help="Lays it out.")
@click.option("--diff", is_flag=True, help="Draw what differs between two specs, or two settings of one.")
@click.option("--set-a", multiple=True, metavar="NAME=VALUE", callback=settings, help="Set a param of the first alone.")
@click.option("--set-b", multiple=True, metavar="NAME=VALUE", callback=settings, help="Of the second alone.")
def render(
    specs: tuple[str, ...],
    chosen: Chosen,
    outs: tuple[str, ...],
    kind: str | None,
    columns: str,
    heat: str | None,
    direction: str | None,
    diff: bool,
    set_a: dict[str, object],
    set_b: dict[str, object],
    **look: Any,
) -> None:
    """Draw networks: as SVG, PNG, an interactive page (.html), DOT, Mermaid (.mmd) or JSON.

    Without --out, NAME.svg in this folder is written. Several specs are drawn side by side.

    \b
      archspec render googlenet -o googlenet.html
      archspec render vgg19 plain34 resnet34 --style blocks -o figure3.svg
      archspec render --diff resnet34 resnet50 -o diff.svg
    """
    import sys
    from pathlib import Path

    from archspec.drawing.look import Look
    from archspec.drawing.picture import Picture, format_of, refuse_format
    from archspec.errors import ArchspecError
    from archspec.file import write_file

    if kind is not None and "-" not in outs:
        raise click.UsageError("--format is for `--out -`: the suffix of a file says its format")
    if specs.count("-") > 1:
        raise click.UsageError("standard input can be read once")
    if diff and (heat or look["style"] != "default"):
        raise click.UsageError("--heat and --style do not go with --diff: colours say what has changed")
    if (set_a or set_b) and not diff:
        raise click.UsageError("--set-a and --set-b go with --diff")
    try:
        said = tuple(name.strip() for name in columns.split(",") if name.strip())
        wanted = Look(columns=said, heat=heat or "", direction=direction or "", **look)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        kinds = [(kind or "svg") if out == "-" else format_of(out) for out in outs]
        for one in kinds:
            refuse_format(one, 1 if diff else len(specs), wanted.style)
    except ArchspecError as error:
        raise click.UsageError(str(error)) from None
    graphs = _pair(specs, chosen, set_a, set_b) if diff else [chosen.compile(spec) for spec in specs]
    picture = Picture(graphs, wanted, diff=diff)
    made = [picture.bytes_of(one) for one in kinds or ["svg"]]
    for out, data in zip(outs or [f"{picture.name}.svg"], made, strict=True):
        if out == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            write_file(Path(out), data)
            click.echo(f"wrote {out}", err="-" in outs)


def _pair(specs: tuple[str, ...], chosen: Chosen, set_a: dict[str, object], set_b: dict[str, object]) -> list[Graph]:
    """The two networks of a comparison; one spec is compared with itself under other settings."""
    from dataclasses import replace

    from archspec.api import load

    if len(specs) > 2:
        raise click.UsageError(f"--diff compares two specs, found {len(specs)}")
    if len(specs) == 1 and not (set_a or set_b):
        raise click.UsageError("name a second spec, or set a param of one side: --set-b NAME=VALUE")
    one = load(specs[0])
    two = one if len(specs) == 1 else load(specs[1])
    return [
        replace(chosen, settings={**chosen.settings, **mine}).compile(spec)
        for spec, mine in ((one, set_a), (two, set_b))
    ]
