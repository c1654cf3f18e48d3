"""archspec plugin"""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

STARTER = Path(__file__).with_name("starter_plugin")
NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


@click.group()
def plugin() -> None:
    """Begin a package of blocks and specs."""


@plugin.command()
@click.argument("name")
@click.option("--out", type=click.Path(file_okay=False), default=".", help="Folder to make the package's folder in.")
def new(name: str, out: str) -> None:
    """Write a complete package, archspec-NAME, whose tests pass as written.

    It has one block, its tests by the kit, a spec that uses it, and a README. Nothing is overwritten.
    """
    from archspec.errors import ArchspecError
    from archspec.registry import BLOCKS

    short = name.lower().replace("_", "-").removeprefix("archspec-")
    if not NAME.fullmatch(short) or "starter" in short:
        rule = "lower case words with `-` between them, beginning with a letter; none of them `starter`"
        raise click.BadParameter(f"{name!r} cannot name a plugin: {rule}", param_hint="NAME")
    op = short.replace("-", "_")
    if taken := "is a built-in op" if op in BLOCKS.builtin else _taken(op):
        raise click.BadParameter(f"its block would be called {op!r}, which {taken}", param_hint="NAME")
    folder = Path(out) / f"archspec-{short}"
    if folder.exists():
        raise ArchspecError(f"{folder}: exists already\n  hint: --out names another folder to make it in")
    try:
        for source in _starter_files():
            target = folder / _renamed(str(source.relative_to(STARTER)), short)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = _renamed(source.read_text(encoding="utf-8"), short)
            target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ArchspecError(f"{folder}: {(error.strerror or str(error)).lower()}") from None
    click.echo(f"wrote {folder}{os.sep}\n  try: pip install -e '{folder}[test]' && pytest {folder}")


def _starter_files() -> list[Path]:
    """The files of the starter, without what tools may have left beside them."""
    found = sorted(path for path in STARTER.rglob("*.*") if path.suffix in (".toml", ".md", ".py", ".yaml"))
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(STARTER).parts)]


def _taken(op: str) -> str:
    """Why a word cannot be the name of the new block, or nothing."""
    import ast
    import builtins
    import keyword

    if keyword.iskeyword(op) or hasattr(builtins, op) or op in ("true", "false", "null", "none"):
        return "is a word of Python or YAML"
    names = set()
    for path in _starter_files():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names |= {getattr(node, part, None) for part in ("id", "arg", "name", "attr", "module")}
    names -= {"starter", "Starter"}
    return "means something else in its own code" if op in names or _class_name(op) in names else ""


def _class_name(op: str) -> str:
    return "".join(word.capitalize() for word in op.split("_"))


def _renamed(text: str, short: str) -> str:
    """A text of the starter with the plugin's own names."""
    op = short.replace("-", "_")
    text = text.replace("starter-net", f"{short}-net").replace("archspec-starter", f"archspec-{short}")
    text = text.replace("Starter", _class_name(op))
    return text.replace("starter", op)
