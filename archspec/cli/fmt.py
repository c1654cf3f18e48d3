"""archspec fmt"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from archspec.errors import Source


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="FILE...")
@click.option("--check", is_flag=True, help="Write nothing; name the files that would change, exit 1 if there are any.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def fmt(specs: tuple[str, ...], check: bool, diff: bool) -> None:
    """Format spec files in place; comments and data stay as they are.

    Indentation, spaces and blank lines become regular; line breaks stay, and so do columns that are aligned. Files
    that change are named. With - a text is read from standard input and written to standard output.
    """
    from archspec.errors import ArchspecError
    from archspec.spec.format import formatted

    changed = failed = False
    for name in specs:
        try:
            source = _read(name)
            text = formatted(source)
            changed |= text != source.text
            _tell(source, text, check, diff)
        except ArchspecError as error:
            click.echo(str(error), err=True)
            failed = True
    sys.exit(1 if failed or (check and changed) else 0)


def _read(name: str) -> Source:
    """Errors: ArchspecError"""
    from archspec.errors import ArchspecError
    from archspec.spec.reader import MAX_BYTES, decode

    try:
        if name == "-":
            return decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>")
        with open(name, "rb") as file:
            return decode(file.read(MAX_BYTES + 1), name)
    except OSError as error:
        raise ArchspecError(f"{name}: {(error.strerror or str(error)).lower()}") from None


def _tell(source: Source, text: str, check: bool, diff: bool) -> None:
    """Write the formatted text, or say what would change."""
    from pathlib import Path

    from archspec.file import write_file

    if diff:
        click.echo(_difference(source, text), nl=False)
    elif check:
        click.echo(f"{source.name}: would change\n" if text != source.text else "", nl=False)
    elif source.name == "<stdin>":
        sys.stdout.buffer.write(text.encode())
    elif text != source.text:
        write_file(Path(source.name), text.encode())
        click.echo(f"{source.name}: formatted")


def _difference(source: Source, text: str) -> str:
    import difflib

    old, new = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    lines = difflib.unified_diff(old, new, source.name, f"{source.name} (formatted)")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
