"""archspec explain"""

from __future__ import annotations

import click

from archspec.cli.options import Chosen, spec_options


@click.command()
@click.argument("spec")
@click.argument("layer")
@spec_options()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def explain(spec: str, layer: str, chosen: Chosen, as_json: bool) -> None:
    """Print how a layer comes by its shape and costs, back to the input.

    LAYER is a path as `archspec summary` prints it; of a block, group or repeat, its last layer is explained.
    """
    import json

    from archspec.api import load
    from archspec.views.explain import explain_data, explain_text

    loaded = load(spec)
    graph = chosen.compile(loaded)
    if as_json:
        click.echo(json.dumps(explain_data(graph, loaded, layer), indent=1))
    else:
        click.echo("\n".join(explain_text(graph, loaded, layer)))
