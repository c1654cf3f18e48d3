"""archspec report"""

from __future__ import annotations

import click

from archspec.cli.options import blocks_option


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path())
@blocks_option
@click.option("--out", "-o", type=click.Path(), default=None, metavar="FILE", help="The page; unsaid, report.html.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON; the page is written only with --out.")
def report(runs: tuple[str, ...], out: str | None, as_json: bool) -> None:
    """Compare runs on one page: curves, settings, and the papers' numbers beside ours.

    The page is one HTML file that asks for nothing.

    \b
      archspec report runs/resnet-cifar-1 runs/plain-cifar-1 --out compared.html
    """
    import json
    from pathlib import Path

    from archspec.drawing.report import report_page
    from archspec.errors import ArchspecError, RunError
    from archspec.file import write_file
    from archspec.views.report import report_data, report_of

    found = report_of([Path(run) for run in runs])
    if as_json:
        click.echo(json.dumps(report_data(found), indent=1, ensure_ascii=False))
    if out is not None or not as_json:
        file = Path(out or "report.html")
        try:
            write_file(file, report_page(found).encode())
        except ArchspecError as error:
            raise RunError(str(error), "name another file with --out") from None
        click.echo(f"wrote {file}", err=as_json)
