"""archspec schema"""

from __future__ import annotations

import click

from archspec.cli.options import blocks_option


@click.command()
@click.argument("spec", required=False)
@blocks_option
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="File to write; unsaid, standard output.")
def schema(spec: str | None, out: str | None) -> None:
    """Print a JSON Schema of specs, for editors.

    It describes the language and every installed block. With a SPEC, or a library of blocks, it has that file's own
    blocks too, and refuses ops that neither knows.
    """
    import json
    from pathlib import Path

    from archspec.file import write_file
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
    text = json.dumps(schema_of(loaded), indent=1, ensure_ascii=False)
    if out is None:
        click.echo(text)
    else:
        write_file(Path(out), f"{text}\n".encode())
