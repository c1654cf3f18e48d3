"""archspec weights"""

from __future__ import annotations

import sys

import click

from archspec.cli.options import Chosen, rename_options, spec_options


@click.group()
def weights() -> None:
    """Compare files of weights with specs."""


@weights.command()
@click.argument("spec")
@click.argument("file", type=click.Path())
@spec_options(passes=True)
@rename_options
def check(
    spec: str,
    file: str,
    chosen: Chosen,
    rename: str | None,
    allow_missing: tuple[str, ...],
    allow_unexpected: tuple[str, ...],
) -> None:
    """Say which tensors of SPEC a FILE of weights covers.

    FILE is a safetensors file or a PyTorch checkpoint (.pth, .pt). Exit status 1 if any tensor is missing, unexpected
    or different, unless a glob allows it by name: `*` stands for any text within one name, `**.` for any number of
    names, and a layer's or group's path for everything inside it.
    """
    from archspec.graph.checkpoint import header, is_safetensors
    from archspec.graph.coverage import coverage, report
    from archspec.spec.renames import load_renames, renamed

    graph = chosen.compile(spec)
    renames = load_renames(rename) if rename else ()
    if is_safetensors(file):
        stored = header(file)
    else:
        from archspec.lowering.weights import read_tensors, stored_of

        stored = stored_of(read_tensors(file))
    names = renamed(stored, renames)
    found = coverage(graph, {names[name]: value for name, value in stored.items()}, allow_missing, allow_unexpected)
    for line in report(found, file, graph.name):
        click.echo(line)
    sys.exit(0 if found.complete else 1)
