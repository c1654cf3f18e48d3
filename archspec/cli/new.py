"""archspec new"""

from __future__ import annotations

import os
from pathlib import Path

import click

STARTER = Path(__file__).with_name("starter.yaml")


@click.command()
@click.argument("name")
@click.option("--out", metavar="PATH", default=None, help="File or folder to write to; unsaid, NAME.yaml here.")
def new(name: str, out: str | None) -> None:
    """Write a commented spec to begin with, NAME.yaml.

    It validates and builds as it stands, and shows the language on one page. No file is overwritten.
    """
    from archspec.errors import ArchspecError
    from archspec.spec.document import SPEC_NAME
    from archspec.spec.writer import flow

    if not SPEC_NAME.fullmatch(name):
        rule = "lower case letters, digits, `.`, `_` and `-`, beginning with a letter or digit"
        raise click.BadParameter(f"{name!r} cannot name a spec: {rule}", param_hint="NAME")
    if name.endswith((".yaml", ".yml")):
        raise click.BadParameter(f"give the name alone: {name.rpartition('.')[0]}", param_hint="NAME")
    path = Path(out or f"{name}.yaml")
    is_folder = path.is_dir() or (out or "").endswith(("/", os.sep))
    path = path / f"{name}.yaml" if is_folder else path
    text = STARTER.read_text(encoding="utf-8").replace("name: starter\n", f"name: {flow(name)}\n", 1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ArchspecError(f"{path}: exists already\n  hint: --out names another file") from None
    except OSError as error:
        raise ArchspecError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    click.echo(f"wrote {path}\n  try: archspec summary {path if path.is_absolute() else f'./{path}'}")
