"""archspec summary"""

from __future__ import annotations

import click

from archspec.cli.options import max_nodes_option, outputs_option, pass_option, set_option


@click.command()
@click.argument("spec")
@set_option
@pass_option
@outputs_option
@max_nodes_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def summary(
    spec: str,
    settings: dict[str, object],
    passes: tuple[str, ...],
    outputs: tuple[str, ...],
    max_nodes: int,
    as_json: bool,
) -> None:
    """Print the layers of a spec with shapes, params and MACs.

    The last column is the receptive field: how many pixels of the input one place sees.
    """
    import json

    from archspec.api import compile
    from archspec.views.summary import summary_data, summary_table

    graph = compile(spec, set=settings, max_nodes=max_nodes, passes=passes, outputs=outputs)
    click.echo(json.dumps(summary_data(graph), indent=1) if as_json else summary_table(graph))
