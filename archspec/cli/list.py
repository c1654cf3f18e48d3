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
    """List the specs of the zoo and of plugins with params, MACs and paper.

    The counts are those of the defaults; `archspec summary NAME` tells more. On a terminal, lines are cut to its width.
    """
    import json
    import shutil
    import sys

    from archspec.api import compile
    from archspec.errors import SpecError
    from archspec.plugins import Provider, built_in
    from archspec.spec.shelves import shelves
    from archspec.views.listing import Listed, listing_data, listing_table

    found = []
    for shelf in shelves():
        owner = Provider("") if shelf.owner == built_in() else shelf.owner
        for name in sorted(shelf.specs, key=by_number):
            try:
                found.append(Listed(compile(shelf.folder / f"{name}.yaml"), str(owner)))
            except Exception as error:  # one that is wrong must not cost the others their line
                told = (
                    error.problems[0].headline if isinstance(error, SpecError) else f"{type(error).__name__}: {error}"
                )
                click.echo(f"left out: {name} of {shelf.owner}: {told}", err=True)
    if as_json:
        click.echo(json.dumps(listing_data(found), indent=1, ensure_ascii=False))
    else:
        click.echo(listing_table(found, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
