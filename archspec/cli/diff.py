"""archspec diff"""

from __future__ import annotations

import sys

import click

from archspec.cli.options import Chosen, settings, spec_options

MARKS = {"+": "green", "-": "red", "~": "yellow"}


@click.command()
@click.argument("a")
@click.argument("b", required=False)
@spec_options(passes=True)
@click.option("--set-a", multiple=True, metavar="NAME=VALUE", callback=settings, help="Set a param of A alone.")
@click.option("--set-b", multiple=True, metavar="NAME=VALUE", callback=settings, help="Set a param of B alone.")
@click.option("--ignore-names", is_flag=True, help="Say nothing of layers that are only renamed or moved.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def diff(
    a: str,
    b: str | None,
    chosen: Chosen,
    set_a: dict[str, object],
    set_b: dict[str, object],
    ignore_names: bool,
    as_json: bool,
) -> None:
    """Print what differs between two specs, or between two settings of one.

    Layers are matched by what they are and how they are connected, so a renamed layer is still the same layer.
    Without B, A is compared with itself under other settings:

    \b
      archspec diff resnet-cifar --set-b depth=56

    Exit status: 0 if nothing differs, 1 if something does. A spec that is wrong exits with 1 too, and prints nothing
    but its mistakes, on standard error.
    """
    import json
    import os
    from dataclasses import replace

    from archspec.api import load
    from archspec.graph.difference import difference
    from archspec.views.diff import diff_data, diff_text

    if b is None and not (set_a or set_b):
        raise click.UsageError("name a second spec, or set a param of one side: --set-b NAME=VALUE")
    if a == b == "-":
        raise click.UsageError("standard input can be read once: leave B out to compare two settings of it")
    one = load(a)
    two = one if b is None else load(b)
    found = difference(
        replace(chosen, settings={**chosen.settings, **set_a}).compile(one),
        replace(chosen, settings={**chosen.settings, **set_b}).compile(two),
    )
    if as_json:
        click.echo(json.dumps(diff_data(found), indent=1))
    else:
        color = False if os.environ.get("NO_COLOR") else None
        for line in diff_text(found, names=not ignore_names):
            click.echo(click.style(line, fg=MARKS.get(line[:1])), color=color)
    same = found.same_structure if ignore_names else found.same
    sys.exit(0 if same else 1)
