"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from archspec.graph.graph import Graph
    from archspec.spec.document import Spec


def settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """`--set name=value`, each value kept as text until its param's type is known."""
    found: dict[str, Any] = dict(_pairs(values, "--set NAME=VALUE", "--set "))
    if found:
        from archspec.spec.params import Setting

        found = {name: Setting(value) for name, value in found.items()}
    return found


def _pairs(values: tuple[str, ...], form: str, option: str = "") -> dict[str, str]:
    """Texts of the form NAME=VALUE, each name once."""
    found: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"write {form}, found {text!r}")
        if name in found:
            raise click.BadParameter(f"{option}{name} is given twice")
        found[name] = value
    return found


def recipe_settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """`--set optimizer.lr=0.05`: values of a recipe by path, as they are typed."""
    return dict(_pairs(values, "PATH=VALUE, such as optimizer.lr=0.05"))


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


def blocks(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> None:
    """`--blocks ./my_blocks.py`: the blocks of a Python file are known for as long as the command runs."""
    for path in values:
        from archspec.registry import BLOCKS, blocks_of

        BLOCKS.add(*blocks_of(path))


def blocks_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that adds blocks of one's own; it works before the command does."""
    option = click.option(
        "--blocks", multiple=True, metavar="FILE.py", callback=blocks, expose_value=False, help=BLOCKS_HELP
    )
    return option(command)


def _paths(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    paths = tuple(path.strip() for path in value.split(","))
    if not all(paths):
        raise click.BadParameter(f"name layers, with commas between them, found {value!r}")
    return paths


@dataclass(frozen=True)
class Chosen:
    """What a command is told of the network that it compiles."""

    settings: dict[str, Any]
    inputs: dict[str, list[int]]
    max_nodes: int
    passes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def compile(self, spec: Spec | str) -> Graph:
        """The graph of a spec. Errors: SpecError"""
        from archspec.api import compile

        return compile(
            spec,
            set=self.settings,
            inputs=self.inputs,
            max_nodes=self.max_nodes,
            passes=self.passes,
            outputs=self.outputs,
        )


def spec_options(*, passes: bool = False, outputs: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a command that compiles a spec, given to it as one value, `chosen`."""
    options = [
        click.option("--set", "-s", "settings", multiple=True, metavar="NAME=VALUE", callback=settings, help=SET_HELP),
        click.option("--input", "-i", "inputs", multiple=True, metavar="NAME=CxHxW", callback=sizes, help=INPUT_HELP),
    ]
    if passes:
        options.append(click.option("--pass", "passes", multiple=True, metavar="NAME", help=PASS_HELP))
    if outputs:
        options.append(click.option("--outputs", metavar="PATH,...", callback=_paths, help=OUTPUTS_HELP))
    options.append(
        click.option(
            "--max-nodes", type=click.IntRange(1), default=200_000, show_default=True, help="Refuse larger networks."
        )
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_chosen(**given: Any) -> Any:
            mine = {name: given.pop(name) for name in CHOSEN if name in given}
            return command(chosen=Chosen(**mine), **given)

        found: Callable[..., Any] = with_chosen
        for option in reversed(options):
            found = option(found)
        return blocks_option(found)

    return decorate


CHOSEN = ("settings", "inputs", "max_nodes", "passes", "outputs")
SET_HELP = "Set a param."
INPUT_HELP = "Resize an input."
PASS_HELP = "Change the network, such as fully-convolutional."
BLOCKS_HELP = "Know the blocks of this Python file, which is run."
OUTPUTS_HELP = "Give these layers' values, and leave out the rest."


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
