"""archspec expand"""

from __future__ import annotations

import click

from archspec.cli.options import max_nodes_option, pass_option, set_option


@click.command()
@click.argument("spec")
@set_option
@pass_option
@max_nodes_option
def expand(spec: str, settings: dict[str, object], passes: tuple[str, ...], max_nodes: int) -> None:
    """Print a spec with every block, repeat and expression worked out.

    The result is a spec again; building it gives the same module.
    """
    from archspec.api import compile
    from archspec.spec.writer import write
    from archspec.views.expanded import expanded

    click.echo(write(expanded(compile(spec, set=settings, max_nodes=max_nodes, passes=passes))), nl=False)
