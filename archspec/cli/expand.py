"""archspec expand"""

from __future__ import annotations

import click

from archspec.cli.options import spec_options


@click.command()
@click.argument("spec")
@spec_options
def expand(spec: str, settings: dict[str, object], inputs: dict[str, list[int]], max_nodes: int) -> None:
    """Print a spec with every block, repeat and expression worked out.

    The result is a spec again; building it gives the same module.
    """
    from archspec.api import compile
    from archspec.spec.writer import write
    from archspec.views.expanded import expanded

    click.echo(write(expanded(compile(spec, set=settings, inputs=inputs, max_nodes=max_nodes))), nl=False)
