"""archspec predict"""

from __future__ import annotations

import click


@click.command()
@click.argument("run", type=click.Path())
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path())
@click.option("--protocol", "-p", default=None, metavar="NAME", help="Of the recipe; unsaid, its first.")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="How many classes to name.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def predict(run: str, images: tuple[str, ...], protocol: str | None, top: int, device: str, as_json: bool) -> None:
    """Print the most likely classes of images, by a finished run. The data it was trained on are not needed."""
    import json
    from pathlib import Path

    from archspec.errors import RunError, did_you_mean
    from archspec.parts.dataset.folder import decoded
    from archspec.train.evaluate import answer_to
    from archspec.train.execution import Execution
    from archspec.train.learnt import job_without_data, trained
    from archspec.train.run import opened

    found = opened(Path(run))
    job = job_without_data(found, Execution(device=device))
    protocols = job.recipe.evaluate
    name = protocol or next(iter(protocols), "")
    if name not in protocols:
        raise RunError(f"the recipe of {run} has no protocol `{name}`", did_you_mean(name, protocols, "its protocols"))
    module = trained(found, job)
    rows = []
    for path in images:
        answer = answer_to(job, module, protocols[name], decoded(Path(path)), path)
        if protocols[name].combine == "logits":
            answer = answer.softmax(0)
        values, classes = answer.topk(min(top, len(answer)))
        likely = [(job.train.classes[k], v) for k, v in zip(classes.tolist(), values.tolist(), strict=True)]
        rows.append({"image": path, "classes": [{"name": label, "probability": v} for label, v in likely]})
        if not as_json:
            click.echo(f"{path}:")
            for label, value in likely:
                click.echo(f"  {100 * value:6.2f} %  {label}")
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
