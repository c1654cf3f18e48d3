"""archspec blocks"""

from __future__ import annotations

import click

from archspec.cli.options import blocks_option


@click.command()
@click.argument("op", required=False)
@blocks_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def blocks(op: str | None, as_json: bool) -> None:
    """List the blocks that a spec can use, or document one OP: shapes, cost, paper, fields.

    Built-in ones, those of plugins, those of libraries (which need a `use`), and those of files given by --blocks.
    """
    import json
    import shutil
    import sys

    from archspec.views.listing import fitted
    from archspec.views.vocabulary import block_page, broken_blocks, vocabulary, vocabulary_table

    if op is not None:
        data = _one(op)
        click.echo(json.dumps(data, indent=1, ensure_ascii=False) if as_json else block_page(data))
        return
    if as_json:
        click.echo(json.dumps([*vocabulary()], indent=1, ensure_ascii=False))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in vocabulary_table().splitlines():
            click.echo(fitted(line, width))
    for wrong in broken_blocks():
        click.echo(f"left out: {wrong}", err=True)


def _one(op: str) -> dict[str, object]:
    """What is to be said of one op. Errors: PluginError, SpecError if there is none"""
    from archspec.errors import PluginError, Problem, SpecError
    from archspec.graph.missing import missing_op
    from archspec.registry import BLOCKS
    from archspec.spec.shelves import libraries
    from archspec.views.vocabulary import block_data, library_data, trouble_with

    if op in BLOCKS:
        cls = BLOCKS[op]
        if wrong := trouble_with(op):
            raise PluginError("broken-plugin", wrong, "a mistake in the block's class; the test kit finds more")
        return block_data(op, cls, BLOCKS.providers(op)[0])
    for library in libraries():
        if op in library.blocks:
            return library_data(library, op)
    raise SpecError([Problem("unknown-op", f"there is no op `{op}`", hint=missing_op(op))])
