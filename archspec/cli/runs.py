"""archspec runs"""

from __future__ import annotations

import click


@click.command()
@click.argument("folder", metavar="[FOLDER]", type=click.Path(), default="runs")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with exact numbers.")
def runs(folder: str, as_json: bool) -> None:
    """List the runs below a folder, `runs` unless said: how far each is, and what it last measured.

    Errors are in per cent. On a terminal, lines are cut to its width.
    """
    import json
    import shutil
    import sys
    from pathlib import Path

    from archspec.errors import RunError
    from archspec.views.runs import find_runs, plain_text, runs_data, runs_table

    at = Path(folder)
    if not at.is_dir():
        what = "no folder" if at.exists() else "no such folder"
        raise RunError(f"{folder}: {what}", "`archspec train SPEC` makes runs/NAME-N; name the folder that holds yours")
    found = find_runs(at)
    if as_json:
        click.echo(json.dumps(runs_data(found), indent=1, ensure_ascii=False))
        return
    if not found:
        click.echo(f"{folder}: no runs below it", err=True)
        return
    click.echo(runs_table(found, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    for run in found:
        for damage in run.damaged:
            click.echo(f"{run.folder}: {plain_text(damage)}", err=True)
