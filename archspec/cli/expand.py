"""archspec expand"""

from __future__ import annotations

import click

from archspec.cli.options import Chosen, spec_options


@click.command()
@click.argument("spec")
@spec_options(passes=True)
@click.option("--provenance", "traced", is_flag=True, help="Say above each layer which file and line set its values.")
def expand(spec: str, chosen: Chosen, traced: bool) -> None:
    """Print a spec with every block, repeat and expression worked out.

    The result is a spec again; building it gives the same module.
    """
    from archspec.spec.writer import write
    from archspec.views.expanded import expanded

    if not traced:
        click.echo(write(expanded(chosen.compile(spec))), nl=False)
        return

    from archspec.api import load
    from archspec.graph.provenance import provenance
    from archspec.views.provenance import notes

    if chosen.passes:
        raise click.UsageError("--provenance is about what is written: give it without --pass")
    graph, origins = provenance(load(spec), chosen.settings, chosen.inputs, chosen.max_nodes)
    click.echo(write(expanded(graph), notes(graph, origins)), nl=False)
