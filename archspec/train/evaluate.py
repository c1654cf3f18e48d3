"""Testing by a protocol: views of each image, the network's answers to them, and one answer made of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archspec.data.loader import loaded
from archspec.data.pipeline import Pipeline
from archspec.errors import DataError, RunError
from archspec.image import Image
from archspec.part import Evaluation
from archspec.train.job import Job
from archspec.train.shard import gathered, whole
from archspec.train.state import freeze_norms
from archspec.train.viewing import Viewed, at_once, viewing_of, views_of

Answer = Callable[[Tensor], Tensor]
"""Images, N x 3 x H x W -> scores, N x classes."""


class Interrupted(Exception):
    """A test was stopped before its end."""


def answering(job: Job, module: nn.Module, protocol: Evaluation) -> Answer:
    """What the network answers: scores, averaged over places where it is applied at every place."""
    main = module
    if protocol.fully_convolutional:
        from archspec.api import build

        wide = build(job.graph, passes="fully-convolutional", dtype=job.dtype).to(job.device)
        if job.execution.channels_last:
            wide = wide.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.no_grad():
            held = {key: whole(value) for key, value in module.state_dict().items()}
            for key, value in wide.state_dict().items():
                value.copy_(held[key].reshape(value.shape))
        main = wide.eval()

    def answer(pixels: Tensor) -> Tensor:
        with job.cast():
            found = main(pixels)
        scores: Tensor = found[0] if isinstance(found, tuple) else found
        scores = scores.to(torch.float32) if scores.element_size() < 4 else scores
        return scores.mean((2, 3)) if scores.dim() == 4 else scores

    return answer


def combined(scores: Tensor, how: str) -> Tensor:
    """One answer from those to the views.

    Shape: images x views x classes -> images x classes
    """
    if how == "logits":
        return scores.mean(1)
    if how == "vote":
        votes = F.one_hot(scores.argmax(2), scores.shape[2]).to(scores.dtype).mean(1)
        return (votes + scores.softmax(2).mean(1) * 1e-3) / 1.001  # of equal votes, the likelier
    return scores.softmax(2).mean(1)


@torch.no_grad()
def answers(
    job: Job, module: nn.Module, protocol: Evaluation, stop: Callable[[], bool] | None = None
) -> Iterator[tuple[Tensor, Tensor, list[str]]]:
    """For some test images at a time: answers, images x classes, their targets, and what is wrong with those left out.

    Each process takes its share of the images. Errors: Interrupted if any process is to stop
    """
    viewing, pipeline = viewing_of(job, protocol)
    count = at_once(job, viewing)
    mine = range(job.processes.rank, len(job.test), job.processes.world)
    keys = [list(mine[k : k + count]) for k in range(0, len(mine), count)]
    shared = -(-(len(job.test) // job.processes.world) // count)  # turns that all processes have
    training = module.training
    answer = answering(job, module.eval(), protocol)
    # Images of all sizes come, and to look for the fastest way for each would take longest of all.
    looked_for = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = looked_for and not protocol.fully_convolutional
    try:
        with gathered(module):
            made = loaded(viewing, keys, job.execution.workers, job.device.type == "cuda")
            for turn, viewed in enumerate(made):
                if stop is not None and turn < shared and job.processes.any(stop()):
                    raise Interrupted
                scores = _answer(job, answer, viewed, pipeline, protocol)
                yield scores, torch.tensor(viewed.targets, dtype=torch.int64).to(job.device), viewed.bad
    finally:
        torch.backends.cudnn.benchmark = looked_for
        module.train(training)
        freeze_norms(module)


def _answer(job: Job, answer: Answer, viewed: Viewed, pipeline: Pipeline, protocol: Evaluation) -> Tensor:
    if not viewed.targets:
        return torch.zeros(0, job.classes, device=job.device)
    scores: Tensor | None = None
    for places, batch in zip(viewed.places, viewed.batches, strict=True):
        pixels = job.floats(pipeline, batch.to(job.device))
        found = torch.cat([answer(part) for part in torch.split(pixels, job.execution.test_batch)])
        if scores is None:
            scores = found.new_zeros(len(viewed.targets), viewed.views, found.shape[1])
        rows, columns = torch.tensor(places).to(job.device, non_blocking=True).unbind(1)
        scores[rows, columns] = found
    assert scores is not None
    return combined(scores, protocol.combine)


def together(asked: Sequence[tuple[Job, nn.Module, Evaluation]]) -> dict[str, Any]:
    """The metrics of several networks that answer together, by the mean of their answers, on the same test images.

    Every process calls it at the same time. Errors: RunError if their test images or classes differ
    """
    first = asked[0][0]
    nothing = (torch.zeros(0, first.classes, device=first.device), torch.zeros(0, dtype=torch.int64).to(first.device))
    total: Tensor | None = None
    targets: Tensor | None = None
    bad = 0
    for job, module, protocol in asked:
        if job.test.fingerprint != first.test.fingerprint or list(job.test.classes) != list(first.test.classes):
            raise RunError("the runs are tested on other images or classes, so they cannot answer together")
        rows = [(*nothing, []), *answers(job, module, protocol)]
        scores, here = torch.cat([row[0] for row in rows]), torch.cat([row[1] for row in rows])
        bad = max(bad, sum(len(row[2]) for row in rows))
        total = scores if total is None else total + scores
        if targets is not None and not torch.equal(targets, here):
            raise RunError("the runs could not read the same images, so they cannot answer together")
        targets = here
    assert total is not None and targets is not None
    counts = [metric.count(total / len(asked), targets) for metric in first.recipe.metrics]
    rows_of = [[float(wrong), count] for wrong, count in counts]
    sums = first.processes.sum(torch.tensor([*rows_of, [len(targets), bad]], dtype=torch.float64).to(first.device))
    *of_metrics, (images, bad_images) = sums.tolist()
    if not images:
        raise DataError("none of the test images can be read")
    found: dict[str, Any] = {"images": int(images)}
    for metric, (wrong, count) in zip(first.recipe.metrics, of_metrics, strict=True):
        found[metric.op] = wrong / count
    return found | ({"bad_images": int(bad_images)} if bad_images else {})


@torch.no_grad()
def answer_to(job: Job, module: nn.Module, protocol: Evaluation, image: Image, name: str) -> Tensor:
    """The answer to one image: a value for each class. Errors: DataError"""
    viewing, pipeline = viewing_of(job, protocol)
    viewed = viewing.together([(views_of(image, name, viewing, 0), 0)], [])
    return _answer(job, answering(job, module.eval(), protocol), viewed, pipeline, protocol)[0]


def evaluate(
    job: Job, module: nn.Module, protocol: Evaluation, stop: Callable[[], bool] | None = None
) -> dict[str, Any]:
    """The metrics of a protocol on the test images, over all processes. Every process calls it at the same time.

    Errors: Interrupted if any process is to stop
    """
    rows = torch.zeros(len(job.recipe.metrics) + 1, 2, dtype=torch.float64, device=job.device)
    for scores, targets, bad in answers(job, module, protocol, stop):
        for row, metric in zip(rows, job.recipe.metrics, strict=False):
            total, count = metric.count(scores, targets)
            row[0] += total
            row[1] += count
        rows[-1, 0] += len(bad)
    sums = job.processes.sum(rows).tolist()
    if not sums[0][1]:
        raise DataError("none of the test images can be read")
    found: dict[str, Any] = {m.op: s / c for m, (s, c) in zip(job.recipe.metrics, sums, strict=False) if c}
    return found | ({"bad_images": int(sums[-1][0])} if sums[-1][0] else {})
