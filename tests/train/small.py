"""A small network and a recipe that uses everything whose state could be lost."""

from pathlib import Path
from typing import Any

import archspec
from archspec.recipe.files import load_recipe
from archspec.train.execution import Execution
from archspec.train.job import Job, prepare_job, prepare_module
from archspec.train.processes import Processes
from archspec.train.run import Run, begin, seal
from archspec.train.state import State, fresh

SPEC = """
archspec: 1
name: small
inputs: {image: [3, 12, 12]}
layers:
  conv1: {op: conv2d, out_channels: 6, kernel_size: 3, stride: 2, bias: false}
  bn1: batch_norm2d
  relu1: relu
  drop: {op: dropout, p: 0.3}
  aux: {op: global_avg_pool2d, from: relu1}
  aux_fc: {op: linear, out_features: 10}
  conv2: {op: conv2d, from: drop, out_channels: 8, kernel_size: 3}
  bn2: batch_norm2d
  relu2: relu
  gap: global_avg_pool2d
  fc: {op: linear, out_features: 10}
outputs:
  logits: fc
  aux1: {from: aux_fc, training_only: true, loss_weight: 0.3}
"""

RECIPE = """
recipe: 1
name: everything
data: {op: synthetic, train: 50, test: 20}
prepare:
  - {op: subtract_mean, per: pixel}
augment:
  - {op: pad, size: 2, fill: mean}
  - {op: random_crop, size: 12, offsets: inclusive}
  - {op: flip, p: 0.5}
  - {op: pca_lighting, std: 0.1, magnitude: eigenvalue}
normalize:
  - {op: normalize, mean: [0, 0, 0], std: [0.25, 0.25, 0.25]}
mix:
  - {op: mixup, alpha: 0.2}
  - {op: cutmix, alpha: 1.0}
batch: {size: 14, group: 4, last: wrap}
length: 40 steps
loss: {op: cross_entropy, label_smoothing: 0.1}
metrics: [top1_error, top5_error]
optimizer:
  op: sgd
  lr: 0.05
  momentum: 0.9
  weight_decay: 0.0005
  lr_in_velocity: true
  clip_norm: 5.0
  groups:
    - {parameter: bias, lr_mult: 2, decay_mult: 0}
    - {op: batch_norm2d, decay_mult: 0}
schedule:
  - {op: constant, factor: 0.1, until: {metric: train.top1_error, below: 0.95, over: 5 steps}}
  - {op: plateau, metric: test.top1_error, factor: 0.5, patience: 1, drops: 3}
average: {op: ema, decay: 0.9, every: 2 steps, buffers: average}
batch_norm: {at_test: exact, over: 28 samples}
evaluate:
  test: {op: whole, every: 1 epoch}
  ten: {op: ten_crop, size: 12, prepare: [{op: resize, shorter: 14}, {op: subtract_mean, per: channel}]}
select: {metric: test.top1_error, best: lowest}
"""


def small_job(settings: dict[str, Any] | None = None, processes: Processes | None = None, **execution: Any) -> Job:
    """The job of the small network and recipe."""
    graph = archspec.compile(archspec.load(text=SPEC))
    recipe = load_recipe(text=RECIPE, settings=settings).recipe
    machine = {"log_every": 7, "checkpoint_every": 6, "precision": "fp32"} | execution
    return prepare_job(graph, recipe, None, Execution(**machine), processes)


def small_state(job: Job) -> State:
    """The state of a run of it that has not begun."""
    return fresh(job, prepare_module(job))


def write_small(folder: Path) -> tuple[Path, Path]:
    """The spec and the recipe as files."""
    spec, recipe = folder / "small.yaml", folder / "everything.yaml"
    spec.write_text(SPEC)
    recipe.write_text(RECIPE)
    return spec, recipe


def new_run(folder: Path) -> Run:
    """A run of them in a folder, that has not begun."""
    run = begin(folder, archspec.compile(archspec.load(text=SPEC)), load_recipe(text=RECIPE), Execution(), None)
    assert not (run.folder / "recipe.yaml").exists(), "a folder that is not ready is no run yet"
    seal(run, load_recipe(text=RECIPE))
    return run
