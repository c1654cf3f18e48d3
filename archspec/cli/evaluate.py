"""archspec evaluate"""

from __future__ import annotations

from typing import get_args

import click

from archspec.train.precision import Precision


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path())
@click.option("--protocol", "-p", "names", multiple=True, metavar="NAME", help="Of the recipe; unsaid, all of them.")
@click.option("--data", type=click.Path(), default=None, metavar="FOLDER", help="Unsaid, that of the run.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option("--precision", type=click.Choice(get_args(Precision)), default="fp32", show_default=True)
@click.option(
    "--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that make images ready."
)
@click.option("--test-batch", type=click.IntRange(1), default=128, show_default=True, help="Views in one forward pass.")
@click.option("--on-bad-image", type=click.Choice(["error", "skip"]), default="error", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def evaluate(
    runs: tuple[str, ...],
    names: tuple[str, ...],
    data: str | None,
    device: str,
    precision: str,
    workers: int,
    test_batch: int,
    on_bad_image: str,
    as_json: bool,
) -> None:
    """Test finished runs by the protocols of their recipes; several runs answer together, as an ensemble."""
    import json
    from pathlib import Path

    from archspec.cli.training import shown
    from archspec.errors import RunError, did_you_mean
    from archspec.train.evaluate import together
    from archspec.train.execution import Execution
    from archspec.train.learnt import job_to_test, trained
    from archspec.train.machine import apply
    from archspec.train.processes import join, leave
    from archspec.train.run import opened

    processes, device = join(device)
    given = {"device": device, "precision": precision, "workers": workers, "test_batch": test_batch}
    execution = Execution.model_validate({**given, "on_bad_image": on_bad_image})
    apply(execution)
    found = []
    for name in runs:
        run = opened(Path(name))
        job = job_to_test(run, execution, Path(data) if data else None, processes)
        found.append((name, job, trained(run, job)))
    first = found[0][1].recipe.evaluate
    if not first:
        raise RunError(f"the recipe of {found[0][0]} names no protocol to test by")
    results = {}
    for protocol in names or first:
        for name, job, _ in found:
            if protocol not in job.recipe.evaluate:
                hint = did_you_mean(protocol, job.recipe.evaluate, "its protocols")
                raise RunError(f"the recipe of {name} has no protocol `{protocol}`", hint)
        results[protocol] = together([(job, module, job.recipe.evaluate[protocol]) for _, job, module in found])
        if not as_json and processes.is_first:
            values = ", ".join(f"{key} {shown(key, value)}" for key, value in results[protocol].items())
            click.echo(f"{protocol}: {values}")
    leave()
    if as_json and processes.is_first:
        click.echo(json.dumps({"runs": list(runs), "protocols": results}, indent=1))
