"""archspec validate"""

from __future__ import annotations

import sys
import traceback

import click

from archspec.cli.options import Chosen, spec_options


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@spec_options()
@click.option("--format", "style", type=click.Choice(["text", "json", "github"]), default="text", help="Of problems.")
def validate(specs: tuple[str, ...], chosen: Chosen, style: str) -> None:
    """Check specs, with the numbers they expect of themselves.

    One line per good spec; every problem of every other; exit status 1 if any is bad.
    """
    from archspec.api import validate as check
    from archspec.errors import Problem, SpecError

    problems: list[Problem] = []
    for spec in specs:
        try:
            graph = check(spec, set=chosen.settings, inputs=chosen.inputs, max_nodes=chosen.max_nodes)
        except SpecError as error:
            problems += error.problems
            if style == "text":
                click.echo(str(error), err=True)
            if click.get_current_context().find_root().obj and error.__cause__:
                traceback.print_exception(error.__cause__)
            continue
        if style == "text":
            layers = len(graph) - len(graph.inputs)
            noun, macs = "layer" if layers == 1 else "layers", graph.inference().macs
            click.echo(f"{spec}: {graph.name}, {layers:,} {noun}, {graph.params:,} params, {macs:,} MACs")
    if style != "text":
        from archspec.views.problems import as_github, as_json

        click.echo(as_json(problems) if style == "json" else as_github(problems), nl=style == "json" or bool(problems))
    sys.exit(1 if problems else 0)
