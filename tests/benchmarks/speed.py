"""Networks made faster, beside torchvision's and hand-written ones; see README.md here."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

import archspec
from tests.benchmarks import by_hand

Pairwise = Callable[..., None]
NETWORKS = {"googlenet-torchvision": "googlenet", "resnet50-torchvision": "resnet50"}
STEPS = {"alexnet": ("AlexNet", 32), "googlenet": ("GoogLeNet", 16), "resnet50": ("ResNet50", 8)}
PARTS = {"googlenet": "inception*", "resnet50": "layer*.*"}


def inference(pairwise: Pairwise, models: Any) -> None:
    """Evaluation, in eager mode and compiled, with torchvision's weights in both."""
    for name, theirs in NETWORKS.items():
        keywords = {"init_weights": False, "transform_input": False} if theirs == "googlenet" else {}
        peer = getattr(models, theirs)(weights=None, **keywords).eval().requires_grad_(False)
        _settle(peer)
        with tempfile.TemporaryDirectory() as folder:
            torch.save(peer.state_dict(), Path(folder) / "weights.pt")
            ours = archspec.build(name, weights=Path(folder) / "weights.pt", optimize="inference")
        last = copy.deepcopy(peer).to(memory_format=torch.channels_last)
        for batch in (1, 8):
            _one_batch(pairwise, name, ours, peer, last, torch.randn(batch, 3, 224, 224))


def _one_batch(
    pairwise: Pairwise, name: str, ours: nn.Module, peer: nn.Module, last: nn.Module, image: torch.Tensor
) -> None:
    laid_out = image.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        a, b = (getattr(y, "logits", y) for y in (peer(image), ours(image)))
        apart = float((a - b).abs().max() / a.abs().max())
        title = f"{name} inference, batch {len(image)} / torchvision"
        pairwise(title, partial(ours, image), partial(peer, image), 15)
        torch._dynamo.reset()
        one, other = torch.compile(copy.deepcopy(ours)), torch.compile(last)
        title = "  compiled / compiled torchvision in channels_last"
        pairwise(title, partial(one, laid_out), partial(other, laid_out), 15)
    print(f"  logits differ by {apart:.1e} of the largest", flush=True)


def _settle(module: nn.Module) -> None:
    """Running statistics of norms as training leaves them: not 0 and 1."""
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.running_mean.normal_(0, 0.1)
            one.running_var.uniform_(0.5, 1.5)


def training(pairwise: Pairwise) -> None:
    """A training step, forward and backward, beside the network as a person writes it; and the memory of both."""
    for name, (hand, batch) in STEPS.items():
        image, target = torch.randn(batch, 3, 224, 224), torch.randint(1000, (batch,))
        theirs = partial(step, getattr(by_hand, hand)(), image, target)
        for how, optimize in ("as it is", None), ("optimised", "training"):
            ours = partial(step, archspec.build(name, optimize=optimize), image, target)
            pairwise(f"step of {name} {how}, batch {batch} / by hand", ours, theirs, 7)
        ones, others = ([_peak(which, name, hand, batch) for _ in range(2)] for which in ("ours", "theirs"))
        print(f"  peak memory, MiB: {ones[0]:.0f} and {ones[1]:.0f}; by hand {others[0]:.0f} and {others[1]:.0f}")


def recompute(pairwise: Pairwise) -> None:
    """Groups that are computed again in the backward pass, beside the same network that keeps them."""
    for name, glob in PARTS.items():
        hand, batch = STEPS[name]
        image, target = torch.randn(batch, 3, 224, 224), torch.randint(1000, (batch,))
        again, kept = (archspec.build(name, optimize="training", recompute=globs) for globs in (glob, ()))
        title = f"step of {name} with {glob} computed again, batch {batch} / kept"
        pairwise(title, partial(step, again, image, target), partial(step, kept, image, target), 7)
        ones, others = ([_peak(which, name, hand, batch) for _ in range(2)] for which in ("again", "ours"))
        print(f"  peak memory, MiB: {ones[0]:.0f} and {ones[1]:.0f}; kept {others[0]:.0f} and {others[1]:.0f}")


def step(module: nn.Module, image: torch.Tensor, target: torch.Tensor) -> None:
    module.zero_grad(set_to_none=True)
    outputs = module(image)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(nn.functional.cross_entropy(output, target) for output in outputs).backward()


def _peak(which: str, name: str, hand: str, batch: int) -> float:
    """Of a process of its own, after three steps, beside what it took before the first."""
    given = json.dumps([which, name, hand, batch])
    said = subprocess.run([sys.executable, "-m", "tests.benchmarks.speed", given], check=True, capture_output=True)
    return float(said.stdout)


def _measure(which: str, name: str, hand: str, batch: int) -> None:
    globs = PARTS[name] if which == "again" else ()
    ours = partial(archspec.build, name, optimize="training", recompute=globs)
    module = getattr(by_hand, hand)() if which == "theirs" else ours()
    image, target = torch.randn(batch, 3, 224, 224), torch.randint(1000, (batch,))
    before = _kib("VmRSS")
    for _ in range(3):
        step(module, image, target)
    print((_kib("VmHWM") - before) / 1024)


def _kib(what: str) -> int:
    """Of this process alone: getrusage's peak would be at least that of the process that started it."""
    return int(Path("/proc/self/status").read_text().partition(f"{what}:")[2].split()[0])


def building(pairwise: Pairwise, models: Any) -> None:
    """Building each spec that torchvision has too, beside its constructor."""
    from archspec.spec.shelves import zoo_names

    for name in zoo_names():
        if name.endswith("-torchvision") and hasattr(models, theirs := name.removesuffix("-torchvision")):
            pairwise(f"build {name} / torchvision", partial(archspec.build, name), getattr(models, theirs), 3)


if __name__ == "__main__":
    _measure(*json.loads(sys.argv[1]))
