"""archspec plugins"""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plugins(as_json: bool) -> None:
    """List the installed plugins: what each brings, and whether it is healthy.

    Each is imported, and its specs are compiled. Exit status 1 if any has a problem.
    """
    import json

    from archspec.views.plugins import plugin_data, plugin_report

    data = plugin_data()
    click.echo(json.dumps(data, indent=1) if as_json else plugin_report(data))
    sys.exit(1 if any(plugin["problems"] for plugin in data) else 0)
