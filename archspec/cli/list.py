"""archspec list"""

from __future__ import annotations

import re

import click


def by_number(name: str) -> tuple[str | int, ...]:
    """What to sort names by so that resnet18 comes before resnet101."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with exact counts.")
def list(as_json: bool) -> None:
    """List the specs of the zoo with params, MACs and paper.

    The counts are those of the defaults; `archspec summary NAME` tells more. On a terminal, lines are cut to its width.
    """
    import json
    import shutil
    import sys

    from archspec.api import compile
    from archspec.spec.shelves import zoo_names
    from archspec.views.listing import listing_data, listing_table

    graphs = [compile(name) for name in sorted(zoo_names(), key=by_number)]
    if as_json:
        click.echo(json.dumps(listing_data(graphs), indent=1, ensure_ascii=False))
    else:
        click.echo(listing_table(graphs, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
