"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
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


def pass_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--pass", "passes", multiple=True, metavar="NAME", help="Change the network: fully-convolutional."
    )(command)


def _paths(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(path.strip() for path in value.split(",")) if value else ()


def outputs_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--outputs", metavar="PATH,...", callback=_paths, help="Give these layers' values, and leave out the rest."
    )(command)


@dataclass(frozen=True)
class WeightsOptions:
    """What a command is told of weights."""

    file: str | None
    rename: str | None
    allow_missing: tuple[str, ...]
    allow_unexpected: tuple[str, ...]

    def about(self) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
        """The renames read, and the globs. Errors: SpecError"""
        from archspec.spec.renames import load_renames

        return load_renames(self.rename) if self.rename else (), self.allow_missing, self.allow_unexpected


def rename_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options on how a checkpoint's names fit a spec's."""
    for option in (
        click.option("--allow-unexpected", multiple=True, metavar="GLOB", help="Tensors that may be unused."),
        click.option("--allow-missing", multiple=True, metavar="GLOB", help="Tensors that may keep first values."),
        click.option("--rename", type=click.Path(), metavar="FILE", help="YAML map of the file's names to the spec's."),
    ):
        command = option(command)
    return command


def weights_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options on weights to load, given to the command as one value."""

    @wraps(command)
    def with_weights(
        weights: str | None,
        rename: str | None,
        allow_missing: tuple[str, ...],
        allow_unexpected: tuple[str, ...],
        **others: Any,
    ) -> Any:
        if weights is None and (rename or allow_missing or allow_unexpected):
            raise click.UsageError("--rename, --allow-missing and --allow-unexpected go with --weights")
        return command(weights=WeightsOptions(weights, rename, allow_missing, allow_unexpected), **others)

    option = click.option("--weights", type=click.Path(), metavar="FILE", help="Safetensors or PyTorch checkpoint.")
    return option(rename_options(with_weights))
