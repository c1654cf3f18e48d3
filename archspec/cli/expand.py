"""archspec expand"""

from __future__ import annotations

import click

from archspec.cli.options import spec_options


@click.command()
@click.argument("spec")
@spec_options
@click.option("--provenance", "traced", is_flag=True, help="Say above each layer which file and line set its values.")
def expand(spec: str, settings: dict[str, object], inputs: dict[str, list[int]], max_nodes: int, traced: bool) -> None:
    """Print a spec with every block, repeat and expression worked out.

    The result is a spec again; building it gives the same module.
    """
    from archspec.api import compile, load
    from archspec.spec.writer import write
    from archspec.views.expanded import expanded

    if not traced:
        graph = compile(spec, set=settings, inputs=inputs, max_nodes=max_nodes)
        click.echo(write(expanded(graph)), nl=False)
        return

    from archspec.graph.provenance import provenance
    from archspec.views.provenance import notes

    graph, origins = provenance(load(spec), settings, inputs, max_nodes)
    click.echo(write(expanded(graph), notes(graph, origins)), nl=False)
