"""The trainer beside what one would write by hand or take from torchvision, pairwise in one run."""

from __future__ import annotations

import copy
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import nn

import archspec
from archspec.parts.dataset import folder as folder_part
from archspec.recipe.files import load_recipe
from archspec.train.evaluate import answers
from archspec.train.execution import Execution
from archspec.train.job import Job, prepare_job, prepare_module
from archspec.train.loop import train
from archspec.train.state import fresh

ROOT = Path(__file__).parents[2]
IMAGES = 384
STUB = """
archspec: 1
name: stub
inputs: {image: [3, 8, 8]}
layers:
  pool: global_avg_pool2d
  fc: {op: linear, out_features: 10}
outputs: {logits: fc}
"""

Pairwise = Callable[..., None]


def jpegs(folder: Path) -> None:
    """Synthetic JPEGs of 500x375, as an image folder of two classes."""
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = Pillow.fromarray(random.integers(0, 255, (24, 32, 3), np.uint8)).resize(
            (500, 375), Pillow.Resampling.BICUBIC
        )
        pixels = np.asarray(coarse).astype(int) + random.integers(-12, 12, (375, 500, 3))
        for split in ("train", "val"):
            path = folder / split / f"c{number % 2}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            Pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
            if split == "train" or number < 8:
                path.write_bytes(buffer.getvalue())


def input_pipeline(pairwise: Pairwise) -> None:
    """Decoding, area crop, flip and normalisation by two workers; a ratio of times, so less than 1 is faster."""
    sys.modules.setdefault("torchvision._meta_registrations", type(sys)("torchvision._meta_registrations"))
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    with tempfile.TemporaryDirectory() as name:
        jpegs(Path(name))
        recipe = load_recipe("torchvision-classic", {"batch": "{size: 32, last: drop}", "length": "4 epochs"})
        graph = archspec.compile("resnet18-torchvision", set={"classes": 2})
        job = prepare_job(graph, recipe.recipe, Path(name), Execution(workers=2))

        def ours() -> None:
            for _, groups in job.steps(0):
                for _, batch in groups:
                    job.floats(job.pipeline, batch.to(job.device))

        def ours_plain() -> None:
            fast, folder_part._fast_decoder = folder_part._fast_decoder, lambda: None
            try:
                ours()
            finally:
                folder_part._fast_decoder = fast

        transforms = v2.Compose(
            [
                v2.RandomResizedCrop(224, antialias=True),
                v2.RandomHorizontalFlip(0.5),
                v2.PILToTensor(),
                v2.ToDtype(torch.float, scale=True),
                v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
                v2.ToPureTensor(),
            ]
        )
        dataset = ImageFolder(f"{name}/train", transforms)

        def theirs() -> None:
            loader = DataLoader(
                dataset, 32, shuffle=True, num_workers=2, drop_last=True, prefetch_factor=4, persistent_workers=True
            )
            for _ in range(4):
                for _ in loader:
                    pass

        if folder_part._fast_decoder() is not None:
            pairwise("input pipeline with [fast] / torchvision's reference", ours, theirs, rounds=5)
        pairwise("input pipeline without it / torchvision's reference", ours_plain, theirs, rounds=5)


def by_hand(job: Job, model: nn.Module, batches: list[Any], optimizer: torch.optim.Optimizer | None = None) -> None:
    """The loop one would write for the same recipe."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    total = torch.zeros(())
    for batch in batches:
        pixels = job.floats(job.pipeline, batch.to(job.device))
        loss = nn.functional.cross_entropy(model(pixels), batch.targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach()


def held(job: Job, count: int) -> list[Any]:
    """The batches of the first steps."""
    steps = job.steps(0)
    batches = [next(steps)[1][0][1] for _ in range(count)]
    return [batch.pin_memory() for batch in batches] if job.device.type == "cuda" else batches


def with_batches(job: Job, batches: list[Any]) -> Job:
    """The job with its batches at hand, so that no time goes into making them."""

    class Held(Job):
        def steps(self, first: int) -> Iterator[tuple[int, list[tuple[int, Any]]]]:
            for step in range(first, self.total):
                yield step, [(0, batches[step % len(batches)])]

    return Held(**{name: getattr(job, name) for name in job.__dataclass_fields__})


def job_of(spec: Any, batch: int, steps: int) -> tuple[Job, nn.Module]:
    """A job of so many steps whose batches are at hand, and its network."""
    settings = {
        "optimizer": "{op: sgd, lr: 0.1, momentum: 0.9, weight_decay: 0.0005, lr_in_velocity: false}",
        "schedule": "{op: cosine, to: 0}",
        "evaluate": "{}",
        "batch": f"{{size: {batch}, last: drop}}",
        "length": f"{steps} steps",
        "data.train": "1280",
    }
    recipe = load_recipe("quick", settings).recipe
    job = prepare_job(archspec.compile(spec), recipe, None, Execution(log_every=50))
    return with_batches(job, held(job, 10)), prepare_module(job)


def loop(pairwise: Pairwise) -> None:
    """The loop beside a bare one, on a stub network and on ResNet-20; the null ratio is bare beside bare."""
    steps = 400
    job, module = job_of(archspec.load(text=STUB), 64, steps)
    batches = [batch for _, groups in job.steps(0) for _, batch in groups]

    def ours() -> None:
        for _ in train(job, fresh(job, copy.deepcopy(module))):
            pass

    def bare() -> None:
        by_hand(job, copy.deepcopy(module).train(), batches)

    pairwise(f"loop / bare loop, {steps} steps of a stub", ours, bare, rounds=9)
    pairwise("  null: bare loop / bare loop, stub", lambda: bare(), bare, rounds=9)
    resnet(pairwise)


def resnet(pairwise: Pairwise) -> None:
    """One step at a time by turns, since this takes long enough for the machine to change its mind."""
    rounds = 60
    job, module = job_of("resnet-cifar", 128, 2 * rounds)
    batches = [batch for _, groups in job.steps(0) for _, batch in groups]
    records = train(job, fresh(job, copy.deepcopy(module)))
    models = [copy.deepcopy(module).train() for _ in range(3)]
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4) for model in models]

    def ours() -> None:
        while next(records).kind != "step":
            pass

    def bare(number: int) -> Callable[[], None]:
        waiting = iter(batches * 2)
        return lambda: by_hand(job, models[number], [next(waiting)], optimizers[number])

    pairwise("loop / bare loop, a step of ResNet-20", ours, bare(0), rounds=rounds)
    pairwise("  null: bare loop / bare loop, ResNet-20", bare(1), bare(2), rounds=rounds)


def ten_crop(pairwise: Pairwise) -> None:
    """Ten-crop evaluation beside ten plain forward passes of as many images."""
    settings = {"data.size": "40", "augment": "[{op: center_crop, size: 32}]", "data.test": "64"}
    settings["evaluate"] = "{ten: {op: ten_crop, size: 32}}"
    recipe = load_recipe("quick", settings).recipe
    job = prepare_job(archspec.compile("resnet-cifar"), recipe, None, Execution(test_batch=64))
    module = prepare_module(job).eval()
    x = torch.randn(64, 3, 32, 32)
    for index in range(64):
        job.test.image(index)

    def ours() -> None:
        for _ in answers(job, module, recipe.evaluate["ten"]):
            pass

    @torch.no_grad()
    def plain() -> None:
        for _ in range(10):
            module(x)

    pairwise("ten-crop evaluation / ten forward passes", ours, plain, rounds=9)
