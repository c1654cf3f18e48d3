"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """`--set name=value`, each value kept as text until its param's type is known."""
    found: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"write --set NAME=VALUE, found {text!r}")
        if name in found:
            raise click.BadParameter(f"--set {name} is given twice")
        from archspec.spec.params import Setting

        found[name] = Setting(value)
    return found


def set_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--set", "-s", "settings", multiple=True, metavar="NAME=VALUE", callback=settings, help="Set a param."
    )(command)


def max_nodes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--max-nodes", type=click.IntRange(1), default=200_000, show_default=True, help="Refuse larger networks."
    )(command)


def sizes(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, list[int]]:
    """`--input image=3x320x320`: the shape of an input, without the batch axis."""
    found: dict[str, list[int]] = {}
    for text in values:
        name, equals, dims = text.partition("=")
        parts = dims.split("x")
        if not equals or not name or not all(part.isascii() and part.isdecimal() for part in parts):
            raise click.BadParameter(f"write --input NAME=CHANNELSxHEIGHTxWIDTH, found {text!r}")
        if name in found:
            raise click.BadParameter(f"--input {name} is given twice")
        found[name] = [int(part) for part in parts]
    return found


def input_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--input", "-i", "inputs", multiple=True, metavar="NAME=CxHxW", callback=sizes, help="Resize an input."
    )(command)


def spec_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that compiles a spec: --set, --input, --max-nodes."""
    return set_option(input_option(max_nodes_option(command)))
