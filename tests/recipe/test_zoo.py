"""The recipes of the zoo say what their papers and programs say; the figures stand here as they were collected."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from archspec.length import Calendar, Length
from archspec.recipe.document import data_of
from archspec.recipe.files import load_recipe, recipe_names

FACTS: dict[str, dict[str, Any]] = {
    "alexnet-2012": {
        "data.op": "imagenet",
        "prepare.0.shorter": 256,
        "prepare.1.size": 256,
        "prepare.2.per": "pixel",
        "augment.0.size": 224,
        "augment.1.p": 0.5,
        "augment.2.op": "pca_lighting",
        "augment.2.std": 0.1,
        "batch.size": 128,
        "batch.group": None,
        "length": "90 epochs",
        "optimizer.lr": 0.01,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 0.0005,
        "optimizer.lr_in_velocity": True,
        "optimizer.groups": [],
        "schedule.0.op": "plateau",
        "schedule.0.factor": 0.1,
        "schedule.0.drops": 3,
        "evaluate.ten_crop.op": "ten_crop",
        "evaluate.ten_crop.size": 224,
        "evaluate.ten_crop.combine": "softmax",
        "evaluate.ten_crop.every": None,
        "evaluate.ten_crop.prepare": None,
    },
    "alexnet-caffe": {
        "batch": {"size": 256, "group": None, "last": "wrap"},
        "length": "450000 steps",
        "augment.0.size": 227,
        "optimizer.op": "sgd",
        "optimizer.lr": 0.01,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 0.0005,
        "optimizer.groups.0.parameter": "bias",
        "optimizer.groups.0.lr_mult": 2.0,
        "optimizer.groups.0.decay_mult": 0.0,
        "schedule.0.op": "step",
        "schedule.0.every": "100000 steps",
        "schedule.0.factor": 0.1,
    },
    "googlenet-2014": {
        "augment.0.area": [0.08, 1.0],
        "augment.0.aspect": [0.75, 1.3333333333],
        "augment.0.interpolation": ["bilinear", "area", "nearest", "cubic"],
        "augment.0.size": 224,
        "normalize.0.values": [123.0, 117.0, 104.0],
        "loss_weights": {"aux1": 0.3, "aux2": 0.3},
        "optimizer.momentum": 0.9,
        "optimizer.lr": 0.01,
        "optimizer.weight_decay": 0.0002,
        "batch.size": 32,
        "length": "250 epochs",
        "schedule.0.every": "8 epochs",
        "schedule.0.factor": 0.96,
        "average.op": "ema",
        "average.decay": 0.9999,
        "evaluate.crops_144.scales": [256, 288, 320, 352],
    },
    "googlenet-caffe-quick": {
        "optimizer.lr": 0.01,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 0.0002,
        "batch.size": 32,
        "length": "2400000 steps",
        "schedule.0.op": "poly",
        "schedule.0.power": 0.5,
        "prepare.1.values": [123.0, 117.0, 104.0],
    },
    "resnet-2015-imagenet": {
        "augment.0.shorter": [256, 480],
        "augment.1.size": 224,
        "augment.2.p": 0.5,
        "augment.3.std": 0.1,
        "normalize.0.per": "pixel",
        "batch.size": 256,
        "batch.group": 32,
        "length": "600000 steps",
        "optimizer.lr": 0.1,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 0.0001,
        "optimizer.lr_in_velocity": True,
        "schedule.0.op": "plateau",
        "schedule.0.factor": 0.1,
        "batch_norm.at_test": "exact",
        "evaluate.multi_scale.shorter": [224, 256, 384, 480, 640],
    },
    "resnet-2015-cifar": {
        "data.train_on": "all",
        "prepare.0.per": "pixel",
        "augment.0.size": 4,
        "augment.1.size": 32,
        "augment.2.p": 0.5,
        "batch.size": 128,
        "batch.group": 64,
        "length": "64000 steps",
        "optimizer.lr": 0.1,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 0.0001,
        "schedule.0.at": ["32000 steps", "48000 steps"],
        "schedule.0.factor": 0.1,
        "evaluate.single.op": "whole",
    },
    "resnet-2015-cifar-110": {
        "schedule.0.factor": 0.1,
        "schedule.0.until.metric": "train.top1_error",
        "schedule.0.until.below": 0.8,
        "schedule.1.at": ["32000 steps", "48000 steps"],
        "schedule.1.clock": "run",
        "length": "64000 steps",
        "optimizer.lr": 0.1,
        "batch.group": 64,
    },
    "torchvision-classic": {
        "augment.0.aspect_drawn": "log_uniform",
        "augment.0.size": 224,
        "normalize.0.mean": [0.485, 0.456, 0.406],
        "normalize.0.std": [0.229, 0.224, 0.225],
        "batch": {"size": 256, "group": 32, "last": "keep"},
        "length": "90 epochs",
        "optimizer.lr": 0.1,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 0.0001,
        "optimizer.lr_in_velocity": False,
        "schedule.0.every": "30 epochs",
        "schedule.0.factor": 0.1,
        "evaluate.centre.prepare.0.shorter": 256,
    },
    "modern": {
        "order.times": 4,
        "augment.0.size": 176,
        "augment.2.op": "trivial_augment",
        "augment.3.p": 0.1,
        "mix.0.op": "mixup",
        "mix.0.alpha": 0.2,
        "mix.1.op": "cutmix",
        "mix.1.alpha": 1.0,
        "batch.size": 1024,
        "batch.group": 128,
        "length": "600 epochs",
        "loss.label_smoothing": 0.1,
        "optimizer.lr": 0.5,
        "optimizer.weight_decay": 0.00002,
        "optimizer.groups.0.op": "batch_norm2d",
        "optimizer.groups.0.decay_mult": 0.0,
        "schedule.0.lasts": "5 epochs",
        "schedule.1.op": "cosine",
        "average.op": "ema",
        "evaluate.centre.prepare.0.shorter": 232,
        "evaluate.centre.size": 224,
    },
}
"""Recipe -> path -> value."""

REPORTED: dict[str, list[tuple[str, str, int, dict[str, float]]]] = {
    "alexnet-2012": [
        ("ILSVRC-2010 test", "ten_crop", 1, {"top1_error": 37.5, "top5_error": 17.0}),
        ("ILSVRC-2010 test", "centre", 1, {"top1_error": 39.0, "top5_error": 18.3}),
        ("ILSVRC-2012 val", "ten_crop", 1, {"top1_error": 40.7, "top5_error": 18.2}),
        ("ILSVRC-2012 val", "ten_crop", 5, {"top1_error": 38.1, "top5_error": 16.4}),
    ],
    "alexnet-caffe": [("ILSVRC-2012 val", "centre", 1, {"top1_error": 42.9, "top5_error": 19.8})],
    "googlenet-2014": [
        ("ILSVRC-2014 val", "centre", 1, {"top5_error": 10.07}),
        ("ILSVRC-2014 val", "ten_crop", 1, {"top5_error": 9.15}),
        ("ILSVRC-2014 val", "crops_144", 1, {"top5_error": 7.89}),
        ("ILSVRC-2014 val", "crops_144", 7, {"top5_error": 6.67}),
    ],
    "googlenet-caffe-quick": [("ILSVRC-2012 val", "centre", 1, {"top1_error": 31.3, "top5_error": 11.1})],
    "resnet-2015-imagenet": [
        ("ILSVRC-2012 val", "ten_crop", 1, {"top1_error": 25.03, "top5_error": 7.76}),
        ("ILSVRC-2012 val", "ten_crop", 1, {"top1_error": 22.85, "top5_error": 6.71}),
        ("ILSVRC-2012 val", "multi_scale", 1, {"top1_error": 20.74, "top5_error": 5.25}),
        ("ILSVRC-2012 val", "multi_scale", 1, {"top1_error": 19.38, "top5_error": 4.49}),
    ],
    "resnet-2015-cifar": [
        ("cifar10 test", "single", 1, {"top1_error": 8.75}),
        ("cifar10 test", "single", 1, {"top1_error": 6.97}),
    ],
    "resnet-2015-cifar-110": [("cifar10 test", "single", 1, {"top1_error": 6.43})],
    "torchvision-classic": [("ILSVRC-2012 val", "centre", 1, {"top1_error": 23.87})],
    "modern": [("ILSVRC-2012 val", "centre", 1, {"top1_error": 19.142})],
}
"""Recipe -> data, protocol, models and errors in per cent."""

ASSUMED: dict[str, list[str]] = {
    "alexnet-2012": [
        "prepare.2",
        "augment.0.offsets",
        "augment.2.magnitude",
        "augment.2.scale",
        "batch.last",
        "schedule.patience",
        "evaluate.centre.every",
    ],
    "alexnet-caffe": [],
    "googlenet-2014": [
        "augment.0.aspect_drawn",
        "augment.1.brightness",
        "augment.1.contrast",
        "augment.1.saturation",
        "augment.2.p",
        "normalize.0.values",
        "batch",
        "length",
        "optimizer.lr",
        "optimizer.weight_decay",
        "optimizer.lr_in_velocity",
        "average",
        "evaluate.centre.every",
    ],
    "googlenet-caffe-quick": [],
    "resnet-2015-imagenet": [
        "augment.1.offsets",
        "augment.3.magnitude",
        "augment.3.scale",
        "batch.last",
        "schedule.drops",
        "schedule.patience",
        "batch_norm.over",
        "evaluate.centre.every",
        "evaluate.multi_scale.mirror",
    ],
    "resnet-2015-cifar": ["augment.0.fill", "batch.last", "evaluate.single.every"],
    "resnet-2015-cifar-110": [
        "augment.0.fill",
        "batch.last",
        "schedule.0.until.over",
        "schedule.1.clock",
        "evaluate.single.every",
    ],
    "torchvision-classic": [],
    "modern": [],
}
"""Recipe -> paths of the values that its paper leaves open."""


def at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data[int(name)] if isinstance(data, list) else data[name]
    return data


def test_all_recipes_of_the_zoo_are_looked_at() -> None:
    assert set(recipe_names()) == {*FACTS, "quick"} == {*REPORTED, "quick"} == {*ASSUMED, "quick"}


@pytest.mark.parametrize("name", FACTS)
def test_the_values_are_those_of_the_source(name: str) -> None:
    data = data_of(load_recipe(name).recipe)
    assert {path: at(data, path) for path in FACTS[name]} == FACTS[name]


@pytest.mark.parametrize("name", REPORTED)
def test_the_numbers_that_are_quoted(name: str) -> None:
    rows = load_recipe(name).recipe.reported
    assert [(row.data, row.protocol, row.models, dict(row.model_extra or {})) for row in rows] == REPORTED[name]


@pytest.mark.parametrize("name", ASSUMED)
def test_what_the_source_leaves_open_is_marked(name: str) -> None:
    assumptions = load_recipe(name).assumptions
    assert sorted(one.path for one in assumptions) == sorted(ASSUMED[name])
    assert all(one.why for one in assumptions)


def test_quick_needs_no_data() -> None:
    assert not load_recipe("quick").recipe.data.needs_folder


@pytest.mark.parametrize(
    ("name", "images", "epochs"),
    [
        ("resnet-2015-cifar", 50_000, 163.84),
        ("resnet-2015-cifar", 45_000, 182.04),
        ("alexnet-caffe", 1_281_167, 89.9),
        ("googlenet-caffe-quick", 1_281_167, 59.95),
        ("resnet-2015-imagenet", 1_281_167, 119.9),
    ],
)
def test_a_length_in_steps_is_the_epochs_that_the_source_tells(name: str, images: int, epochs: float) -> None:
    recipe = load_recipe(name).recipe
    calendar = Calendar(images, recipe.batch.size, recipe.batch.last)
    assert float(calendar.epochs(int(calendar.steps(recipe.length)))) == pytest.approx(epochs, abs=0.05)


def test_alexnets_epochs_are_the_steps_that_are_told() -> None:
    recipe = load_recipe("alexnet-2012").recipe
    assert Calendar(1_281_167, recipe.batch.size, "wrap").whole_steps(recipe.length) == 900_821
    assert Calendar(1_200_000, recipe.batch.size, "wrap").steps(Length(Fraction(90), "epoch")) == 843_750
