"""archspec schema"""

from __future__ import annotations

from typing import Any

import click

from archspec.cli.options import blocks_option


@click.command()
@click.argument("spec", required=False)
@blocks_option
@click.option("--recipe", "of_recipes", is_flag=True, help="Of recipes instead, with every installed part.")
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="File to write; unsaid, standard output.")
def schema(spec: str | None, of_recipes: bool, out: str | None) -> None:
    """Print a JSON Schema of specs or of recipes, for editors.

    It describes the language and every installed block. With a SPEC, or a library of blocks, it has that file's own
    blocks too, and refuses ops that neither knows.
    """
    import json
    from pathlib import Path

    from archspec.file import write_file

    if of_recipes and spec is not None:
        raise click.UsageError("--recipe is of all recipes: it takes no SPEC")
    found = _of_recipes() if of_recipes else _of_specs(spec)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    if out is None:
        click.echo(text)
    else:
        write_file(Path(out), f"{text}\n".encode())


def _of_recipes() -> dict[str, Any]:
    from archspec.registry import RECIPE_PARTS
    from archspec.views.recipe_schema import APART, recipe_schema

    for registry in (registry for kind, registry in RECIPE_PARTS.items() if kind not in APART):
        for wrong in registry.working()[1]:
            click.echo(f"left out: {wrong}", err=True)
    return recipe_schema()


def _of_specs(spec: str | None) -> dict[str, Any]:
    from archspec.spec.files import load
    from archspec.views.schema import form_problems
    from archspec.views.schema import schema as schema_of
    from archspec.views.vocabulary import broken_blocks

    loaded = None
    if spec is not None:
        loaded = load(spec)
        if problems := form_problems(loaded):
            from archspec.errors import SpecError

            raise SpecError(problems)
    for wrong in broken_blocks():
        click.echo(f"left out: {wrong}", err=True)
    return schema_of(loaded)
