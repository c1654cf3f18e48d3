"""Ratios of archspec to its peers, measured pairwise in one run; see README.md here."""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pairwise(name: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 9) -> None:
    """Print the median of ours / theirs over rounds, with the spread."""
    ours(), theirs()
    ratios, times = [], []
    for number in range(rounds):
        first, second = (ours, theirs) if number % 2 == 0 else (theirs, ours)
        took = {}
        for function in (first, second):
            start = time.perf_counter()
            function()
            took[function] = time.perf_counter() - start
        ratios.append(took[ours] / took[theirs])
        times.append((took[ours], took[theirs]))
    a, b = (statistics.median(pair[i] for pair in times) * 1000 for i in (0, 1))
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"{name:<58} {statistics.median(ratios):5.2f} x   ({spread})   {a:8.1f} / {b:8.1f} ms", flush=True)


def command(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run(arguments, check=True, capture_output=True, cwd=ROOT)


def start() -> None:
    python, archspec = sys.executable, str(Path(sys.executable).with_name("archspec"))
    compileall.compile_dir(ROOT / "archspec", quiet=1)  # as pip does on installing a wheel
    imports = command(python, "-c", "import pydantic, networkx, yaml, click")
    pairwise(
        "validate googlenet / importing its libraries", command(archspec, "validate", "specs/googlenet.yaml"), imports
    )
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text("import click\n@click.command()\ndef main():\n    pass\nmain()\n")
        pairwise(
            "archspec --help / bare click --help", command(archspec, "--help"), command(python, str(bare), "--help")
        )


def draw() -> None:
    """Drawing GoogLeNet as a cold command, and a ResNet of 1,202 layers with every copy."""
    archspec = str(Path(sys.executable).with_name("archspec"))
    compileall.compile_dir(ROOT / "archspec", quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        validate = command(archspec, "validate", "specs/googlenet.yaml")
        for kind in ("svg", "png", "html"):
            render = command(archspec, "render", "specs/googlenet.yaml", "-o", f"{folder}/g.{kind}")
            pairwise(f"render googlenet as {kind} / validate", render, validate)
        for kind in ("svg", "html"):
            options = ["--set", "depth=1202", "--unfold", "--depth", "9", "-o", f"{folder}/r.{kind}"]
            took, memory = process(archspec, "render", "resnet-cifar", *options)
            print(
                f"render resnet-cifar of 1,202 layers, every copy, as {kind}: {took:.1f} s, {memory:.0f} MiB",
                flush=True,
            )


def page() -> None:
    """The interactive page in a browser: when it can be used, and how long frames take while it is moved."""
    import archspec

    sys.path.insert(0, str(ROOT))
    from tests.drawing.browser import measure

    with tempfile.TemporaryDirectory() as folder:
        for name, settings in ("googlenet", {}), ("resnet-cifar", {"depth": 1202}):
            html = archspec.render(archspec.compile(name, set=settings)).html
            print(f"page of {name}: {measure(html, Path(folder))}", flush=True)


def plugins() -> None:
    """What 50 installed plugins cost a spec that needs none: blocks and specs of each."""
    archspec = str(Path(sys.executable).with_name("archspec"))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        for number in range(50):
            _dummy_plugin(Path(folder), number)

        def validate(path: str) -> Callable[[], object]:
            arguments = [archspec, "validate", "specs/alexnet.yaml"]
            environment = {**os.environ, "PYTHONPATH": path}
            return lambda: subprocess.run(arguments, check=True, capture_output=True, cwd=ROOT, env=environment)

        subprocess.run([archspec, "plugins"], check=True, capture_output=True, env={**os.environ, "PYTHONPATH": folder})
        pairwise("validate alexnet, 50 plugins / none", validate(folder), validate(empty), 25)
        pairwise("validate alexnet, none / none", validate(empty), validate(empty), 25)


def _dummy_plugin(site: Path, number: int) -> None:
    """A plugin as pip leaves it."""
    name = f"dummy{number}"
    info, package = site / f"archspec_{name}-1.0.dist-info", site / f"archspec_{name}"
    info.mkdir()
    (package / "specs").mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: archspec-{name}\nVersion: 1.0\n")
    points = {
        "plugin": f"api-1 = archspec_{name}",
        "blocks": f"{name} = archspec_{name}.block:Block",
        "specs": f"archspec-{name} = archspec_{name}.specs",
    }
    (info / "entry_points.txt").write_text("\n".join(f"[archspec.{g}]\n{point}\n" for g, point in points.items()))
    (package / "__init__.py").write_text("")
    block = f"""
from archspec.block import Primitive
from archspec.tensor import Shape


class Block(Primitive, op="{name}"):
    def infer(self, x: Shape) -> Shape:
        return x
"""
    (package / "block.py").write_text(block)
    spec = f"archspec: 1\nname: {name}-net\ninputs: {{x: [3]}}\nlayers: {{act: relu}}\noutputs: {{y: act}}\n"
    (package / "specs" / f"{name}-net.yaml").write_text(spec)


def torchvision_models() -> types.ModuleType | None:
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
    try:
        from torchvision import models
    except ImportError as error:
        print(f"torchvision is not installed ({error}): skipped")
        return None
    return models


def gpu() -> None:
    """LRN, inference and training on a CUDA GPU, where there is one."""
    import torch

    models = torchvision_models()
    if models is None or not torch.cuda.is_available():
        print("no CUDA GPU, or no torchvision: nothing is timed")
        return
    sys.path.insert(0, str(ROOT))
    from tests.benchmarks import gpu as parts

    parts.lrn()
    parts.inference(models)
    parts.training(models)
    parts.compiled(models)


def speed(name: str, *, needs_torchvision: bool) -> None:
    """A part of speed.py."""
    sys.path.insert(0, str(ROOT))
    from tests.benchmarks import speed as parts

    if not needs_torchvision:
        getattr(parts, name)(pairwise)
    elif (models := torchvision_models()) is not None:
        getattr(parts, name)(pairwise, models)


def scale() -> None:
    import archspec

    def chain(count: int) -> str:
        layers = "".join(f"  l{i}: {{op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}}\n" for i in range(count))
        return f"archspec: 1\nname: c\ninputs: {{x: [4, 8, 8]}}\nlayers:\n{layers}outputs: {{y: l{count - 1}}}\n"

    texts = {count: chain(count) for count in (2_000, 20_000)}
    pairwise(
        "compile a chain of 20,000 layers / of 2,000",
        lambda: archspec.compile(archspec.load(text=texts[20_000])),
        lambda: archspec.compile(archspec.load(text=texts[2_000])),
        5,
    )


def chain_text(layers: int) -> str:
    body = "".join(f"  l{i}: {{op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}}\n" for i in range(layers))
    return f"archspec: 1\nname: chain\ninputs: {{x: [4, 8, 8]}}\nlayers:\n{body}outputs: {{y: l{layers - 1}}}\n"


def resnet_text(layers: int) -> str:
    """Residual blocks of seven layers each."""
    return (
        "archspec: 1\nname: deep\nuse: [blocks/residual.yaml]\ninputs: {x: [16, 8, 8]}\n"
        f"layers: {{stage: {{op: basic, width: 16, shortcut: A, repeat: {layers // 7}}}}}\noutputs: {{y: stage}}\n"
    )


def large() -> None:
    """Time and peak memory of commands on 10,000 and on 100,000 layers."""
    archspec = str(Path(sys.executable).with_name("archspec"))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in ("chain", chain_text), ("resnet", resnet_text):
            for verb in ("validate", "summary"):
                figures = []
                for layers in (10_000, 100_000):
                    path = Path(folder) / f"{name}{layers}.yaml"
                    path.write_text(text(layers))
                    figures.append(process(archspec, verb, str(path)))
                (t1, m1), (t2, m2) = figures
                print(
                    f"{verb} a {name} of 100,000 layers: {t2:.1f} s, {m2:.0f} MiB; "
                    f"of 10,000: {t1:.1f} s, {m1:.0f} MiB; growth {t2 / t1:.1f} x in time, {m2 / m1:.1f} x in memory",
                    flush=True,
                )


def trainer(name: str) -> None:
    """A part of trainer.py."""
    sys.path.insert(0, str(ROOT))
    from tests.benchmarks import trainer as parts

    getattr(parts, name)(pairwise)


def lrn() -> None:
    sys.path.insert(0, str(ROOT))
    from tests.benchmarks import lrn as part

    part.lrn(pairwise)


def process(*arguments: str) -> tuple[float, float]:
    """Seconds and peak MiB of a command."""
    began = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, arguments
    child.returncode = 0
    return time.perf_counter() - began, usage.ru_maxrss / 1024


PARTS = {
    "start": start,
    "draw": draw,
    "page": page,
    "plugins": plugins,
    "build": lambda: speed("building", needs_torchvision=True),
    "inference": lambda: speed("inference", needs_torchvision=True),
    "training": lambda: speed("training", needs_torchvision=False),
    "recompute": lambda: speed("recompute", needs_torchvision=False),
    "scale": scale,
    "large": large,
    "input": lambda: trainer("input_pipeline"),
    "loop": lambda: trainer("loop"),
    "ten-crop": lambda: trainer("ten_crop"),
    "lrn": lrn,
    "gpu": gpu,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
