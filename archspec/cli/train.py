"""archspec train"""

from __future__ import annotations

from typing import Any, get_args

import click

from archspec.cli.options import Chosen, WeightsOptions, recipe_settings, spec_options, weights_options
from archspec.train.precision import Precision


def _globs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    """As they are given; none of them where one is empty, and None where nothing is said."""
    return ([] if "" in value else list(value)) if value else None


def execution_options(command: Any) -> Any:
    """Options on the machine, kept as they are given; unsaid ones are None."""
    some = click.IntRange(1)
    for option in (
        click.option("--on-bad-image", type=click.Choice(["error", "skip"]), help="At an image that cannot be read."),
        click.option("--test-batch", type=some, help="Views in one forward pass of a test; unsaid, 128."),
        click.option("--keep", type=some, help="Checkpoints that are kept; unsaid, 2."),
        click.option("--checkpoint-every", type=some, metavar="STEPS", help="Unsaid, 1000."),
        click.option("--log-every", type=some, metavar="STEPS", help="Unsaid, 50."),
        click.option("--workers", type=click.IntRange(0), help="Processes that make images ready."),
        click.option("--shard/--no-shard", default=None, help="Share weights out among processes (FSDP2)."),
        click.option(
            "--deterministic/--no-deterministic", default=None, help="Only operations with the same bits each time."
        ),
        click.option(
            "--recompute",
            multiple=True,
            callback=_globs,
            metavar="GLOB",
            help="Groups whose values are computed again in the backward pass: less memory, more time. Empty: none.",
        ),
        click.option("--optimize/--no-optimize", default=None, help="Make the network faster for training."),
        click.option("--channels-last/--no-channels-last", default=None, help="Lay maps out N x H x W x C."),
        click.option("--compile/--no-compile", default=None, help="Use torch.compile."),
        click.option("--precision", type=click.Choice(get_args(Precision)), help="Of arithmetic; unsaid, fp32."),
        click.option("--device", help="cpu, cuda, cuda:1, ...; unsaid, cpu."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("spec", required=False)
@spec_options()
@click.option("--recipe", "-r", "recipe_name", default=None, metavar="RECIPE", help="A file or name; unsaid, quick.")
@click.option("--recipe-set", multiple=True, metavar="PATH=VALUE", callback=recipe_settings, help="Set a value of it.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Of everything that is drawn.")
@click.option("--data", type=click.Path(), default=None, metavar="FOLDER", help="Of the recipe's dataset.")
@click.option("--out", type=click.Path(), default=None, metavar="FOLDER", help="Of the run; unsaid, runs/NAME-N.")
@click.option("--resume", type=click.Path(), default=None, metavar="FOLDER", help="Go on with a run that stopped.")
@click.option(
    "--log",
    "--logger",
    "logs",
    multiple=True,
    metavar="LOGGER",
    help="Tell the records to it too, such as tensorboard.",
)
@weights_options
@execution_options
def train(
    spec: str | None,
    chosen: Chosen,
    recipe_name: str | None,
    recipe_set: dict[str, Any],
    seed: int | None,
    data: str | None,
    out: str | None,
    resume: str | None,
    logs: tuple[str, ...],
    weights: WeightsOptions,
    **given: Any,
) -> None:
    """Train a network by a recipe.

    Everything is written to the run's folder: spec, recipe, metrics, checkpoints and, at the end, the weights. A run
    that stopped, for whatever reason, goes on exactly where its last checkpoint was.
    """
    if (spec is None) == (resume is None):
        raise click.UsageError("give a SPEC to begin a run, or --resume FOLDER to go on with one")
    if resume is not None and (recipe_name or recipe_set or seed is not None or out or weights.file):
        raise click.UsageError("a run goes on with its own recipe: --resume goes with options on the machine alone")
    settings = {**recipe_set, **({"seed": str(seed)} if seed is not None else {})}
    machine = {name: value for name, value in given.items() if value is not None}

    from pathlib import Path

    from archspec.cli.training import Command, go_on, go_train

    if resume is not None:
        go_on(Path(resume), machine, Path(data) if data else None, logs)
        return
    assert spec is not None
    from archspec.recipe.files import load_recipe

    loaded = load_recipe(recipe_name or "quick", settings)
    graph = chosen.compile(spec)
    folder = Path(out) if out else None
    go_train(Command(graph, loaded, machine, Path(data) if data else None, folder, weights, logs))
