"""`extends`, `--set`, marks of what is assumed, and the hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archspec.errors import SpecError
from archspec.recipe.document import Loaded, Recipe, data_of
from archspec.recipe.files import load_recipe, recipe_names
from archspec.views.recipe import recipe_data, recipe_view

BASE = """\
recipe: 1
name: base
paper: Somebody 2026
data: {op: synthetic, train: 50}
augment:
  - {op: flip, p: {assumed: 0.5, why: unsaid}}
  - trivial_augment
  - {assumed: {op: random_erase, p: 0.1, fill: 0}, why: as others}
batch: {assumed: {size: 10, group: 5, last: wrap}, why: unsaid}
length: 1 epoch
loss: cross_entropy
metrics: [top1_error]
optimizer: {op: sgd, lr: 0.1, momentum: 0.9, lr_in_velocity: true}
average: {assumed: {op: ema, decay: 0.9}, why: kind unsaid}
evaluate:
  test: {op: whole, every: {assumed: 1 epoch, why: unsaid}}
  crop: {op: center_crop, size: 4}
reported:
  - {spec: a, data: b, protocol: test, top1_error: 3.0}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the recipe `base.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def set_to(text: str = BASE, **settings: Any) -> Loaded:
    return load_recipe(text=text, settings={path.replace("__", "."): value for path, value in settings.items()})


def at(loaded: Loaded, path: str) -> Any:
    data = data_of(loaded.recipe)
    for name in path.split("."):
        data = data[int(name)] if isinstance(data, list) else data[name]
    return data


def marks(loaded: Loaded) -> list[str]:
    return [one.path for one in loaded.assumptions]


def refusal(**settings: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        set_to(**settings)
    return str(caught.value).splitlines()


# --set


def test_marks_of_the_recipe_as_it_is() -> None:
    assert marks(set_to()) == ["augment.0.p", "augment.2", "batch", "average", "evaluate.test.every"]
    values = {one.path: (one.value, one.why) for one in set_to().assumptions}
    assert values["average"] == ({"op": "ema", "decay": 0.9}, "kind unsaid")


@pytest.mark.parametrize(
    ("path", "value", "seen", "found"),
    [
        ("optimizer.lr", "0.05", "optimizer.lr", 0.05),
        ("length", "3 epochs", "length", "3 epochs"),
        ("augment.0.p", "0.25", "augment.0.p", 0.25),
        ("augment.1", "{op: flip, p: 1}", "augment.1.p", 1.0),
        ("evaluate.crop.size", "5", "evaluate.crop.size", 5),
        ("evaluate.other", "{op: ten_crop, size: 3}", "evaluate.other.size", 3),
        ("metrics", "[top5_error, top1_error]", "metrics.0.op", "top5_error"),
        ("data", "cifar10", "data.op", "cifar10"),
        ("loss.label_smoothing", "0.1", "loss.label_smoothing", 0.1),
        ("optimizer.groups", "[{parameter: bias, lr_mult: 2}]", "optimizer.groups.0.lr_mult", 2.0),
        ("optimizer.nesterov", "true", "optimizer.nesterov", True),
        ("seed", "7", "seed", 7),
    ],
)
def test_a_value_is_set_by_its_path(path: str, value: str, seen: str, found: Any) -> None:
    assert at(load_recipe(text=BASE, settings={path: value}), seen) == found


def test_data_is_set_as_text_is() -> None:
    assert at(set_to(optimizer__lr=0.05), "optimizer.lr") == 0.05
    assert at(set_to(loss={"op": "cross_entropy", "label_smoothing": 0.2}), "loss.label_smoothing") == 0.2


def test_what_is_set_is_no_longer_assumed() -> None:
    assert "augment.0.p" not in marks(set_to(augment__0__p="0.5"))
    assert "batch" not in marks(set_to(batch="{size: 3, last: keep}"))
    assert "average" not in marks(set_to(average="mean"))


def test_setting_one_field_of_what_is_assumed_leaves_the_others_assumed() -> None:
    loaded = set_to(batch__size="20")
    assert at(loaded, "batch") == {"size": 20, "group": 5, "last": "wrap"}
    assert [path for path in marks(loaded) if path.startswith("batch")] == ["batch.group", "batch.last"]
    assert {one.why for one in loaded.assumptions if one.path.startswith("batch")} == {"unsaid"}
    erased = set_to(augment__2__p="0.2")
    assert [path for path in marks(erased) if path.startswith("augment.2")] == ["augment.2.fill"]
    assert at(erased, "augment.2.op") == "random_erase"


def test_a_field_is_added_to_a_bare_op() -> None:
    text = BASE.replace("- trivial_augment", "- resize")
    assert at(set_to(text, augment__1__shorter="9"), "augment.1") == {
        "op": "resize",
        "shorter": 9,
        "size": None,
        "interpolation": "bilinear",
    }


def test_a_section_is_begun_by_one_of_its_values() -> None:
    assert set_to(loss_weights__aux1="0.5").recipe.loss_weights == {"aux1": 0.5}
    assert refusal(paperr__x="1")[0].startswith("--set paperr.x")


def test_null_leaves_out_what_may_be_left_out() -> None:
    assert set_to(average="null").recipe.average is None
    assert set_to(average="").recipe.average is None
    assert set(set_to(evaluate__more="whole").recipe.evaluate) == {"test", "crop", "more"}
    assert set(set_to(evaluate__more="null").recipe.evaluate) == {"test", "crop"}, "so a child takes away its parent's"
    assert set_to(order="null", mix="null", schedule="null").recipe.order.op == "shuffle"
    assert set_to(reported="null").recipe.reported == [] and set_to(seed="null").recipe.seed == 0
    assert refusal(length="null")[0].startswith("--set length:1:1: `length` must be a length")


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        ("optimzer.lr", "1", ["--set optimzer.lr: the recipe has no `optimzer`", "  hint: did you mean `optimizer`?"]),
        ("augment.3.p", "1", ["--set augment.3.p: `augment` is a list of 3, numbered from 0; it has no `3`"]),
        ("augment.7", "flip", ["--set augment.7: `augment` is a list of 3, numbered from 0; it has no `7`"]),
        ("augment.-1.p", "1", ["--set augment.-1.p: `augment` is a list of 3, numbered from 0; it has no `-1`"]),
        ("length.x", "1", ["--set length.x: `length` is '1 epoch', which has no `x`"]),
        (
            "select.metric",
            "test.top1_error",
            [
                "--set select.metric:1:1: `select` needs `best`",
                "    1 | test.top1_error",
                "      | ^",
                "  hint: Which value of it is best.",
            ],
        ),
        (
            "optimizer.lrr",
            "1",
            [
                "--set optimizer.lrr:1:1: sgd has no field `lrr`",
                "    1 | 1",
                "      | ^",
                "  hint: did you mean `lr`?",
            ],
        ),
        (
            "optimizer.lr",
            "fast",
            ["--set optimizer.lr:1:1: `lr` must be a number, found 'fast'", "    1 | fast", "      | ^"],
        ),
        (
            "extends",
            "quick",
            [
                "--set extends: what a recipe extends cannot be set",
                "  hint: write a recipe of a few lines that extends another",
            ],
        ),
    ],
)
def test_a_wrong_setting_is_told(path: str, value: str, lines: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        load_recipe(text=BASE, settings={path: value})
    assert str(caught.value).splitlines() == lines


def test_a_setting_does_not_change_what_aliases_share() -> None:
    text = BASE.replace("{op: center_crop, size: 4}", "&crop {op: center_crop, size: 4}")
    text = text.replace("reported:", "  same: *crop\nreported:")
    loaded = set_to(text, evaluate__crop__size="5")
    assert (at(loaded, "evaluate.crop.size"), at(loaded, "evaluate.same.size")) == (5, 4)


# extends


def child(folder: Path, text: str) -> Loaded:
    (folder / "child.yaml").write_text(f"recipe: 1\nname: child\nextends: base.yaml\n{text}")
    return load_recipe("child.yaml")


def test_a_child_is_joined_into_its_parent(folder: Path) -> None:
    loaded = child(folder, "optimizer: {lr: 0.5}\nevaluate: {crop: {size: 6}, more: whole}\n")
    assert at(loaded, "optimizer.lr") == 0.5
    assert at(loaded, "optimizer.momentum") == 0.9
    assert list(loaded.recipe.evaluate) == ["test", "crop", "more"]
    assert at(loaded, "evaluate.crop.size") == 6


def test_an_op_a_list_a_mark_and_a_scalar_replace(folder: Path) -> None:
    loaded = child(folder, "optimizer: {op: adamw, lr: 1}\naugment: [{op: flip, p: 0.1}]\nlength: 2 epochs\n")
    assert at(loaded, "optimizer.weight_decay") == 0.0 and "momentum" not in at(loaded, "optimizer")
    assert at(loaded, "augment") == [{"op": "flip", "p": 0.1}]
    assert at(loaded, "length") == "2 epochs"
    assert marks(loaded) == ["batch", "average", "evaluate.test.every"]
    again = child(folder, "batch: {assumed: {size: 3, last: keep}, why: mine}\n")
    assert at(again, "batch.group") is None
    assert [one.why for one in again.assumptions if one.path == "batch"] == ["mine"]


def test_joining_into_what_is_assumed_keeps_the_other_marks(folder: Path) -> None:
    loaded = child(folder, "batch: {size: 20}\naverage: {decay: 0.5}\n")
    assert [path for path in marks(loaded) if "batch" in path] == ["batch.group", "batch.last"]
    assert at(loaded, "average.decay") == 0.5
    assert not [path for path in marks(loaded) if "average" in path]


def test_a_field_joins_a_bare_op(folder: Path) -> None:
    assert at(child(folder, "loss: {label_smoothing: 0.1}\n"), "loss.op") == "cross_entropy"


def test_names_and_reported_numbers_are_not_inherited(folder: Path) -> None:
    loaded = child(folder, "")
    assert (loaded.recipe.name, loaded.recipe.paper, loaded.recipe.reported) == ("child", "", [])
    assert loaded.recipe.hash == load_recipe("base.yaml").recipe.hash


def test_null_leaves_out_what_the_parent_has(folder: Path) -> None:
    assert child(folder, "average: null\n").recipe.average is None


def test_a_grandchild(folder: Path) -> None:
    child(folder, "optimizer: {lr: 0.5}\n")
    (folder / "grandchild.yaml").write_text("recipe: 1\nname: g\nextends: child\noptimizer: {momentum: 0.8}\n")
    loaded = load_recipe("grandchild.yaml")
    assert (at(loaded, "optimizer.lr"), at(loaded, "optimizer.momentum")) == (0.5, 0.8)


def test_a_text_may_extend_the_zoo_and_set_reaches_the_parent() -> None:
    text = "recipe: 1\nname: mine\nextends: quick\n"
    assert at(set_to(text, augment__0__p="0.1"), "augment.0.p") == 0.1
    assert at(set_to(), "augment.0.p") == 0.5
    assert load_recipe("quick").recipe.augment[0].model_dump()["p"] == 0.5


def test_a_mistake_of_the_parent_is_shown_there(folder: Path) -> None:
    (folder / "base.yaml").write_text(BASE.replace("lr: 0.1", "lr: no"))
    with pytest.raises(SpecError) as caught:
        child(folder, "length: many\n")
    places = [str(problem.position) for problem in caught.value.problems]
    assert places == ["base.yaml:13:26", "child.yaml:4:9"]


def test_cycles_are_told(folder: Path) -> None:
    for name, parent in ("a", "b"), ("b", "a"):
        (folder / f"{name}.yaml").write_text(f"recipe: 1\nname: {name}\nextends: {parent}\n")
    with pytest.raises(SpecError) as caught:
        load_recipe("a.yaml")
    assert str(caught.value).splitlines() == [
        "b.yaml:3:10: `extends` comes back to itself: a.yaml -> b.yaml -> a.yaml",
        "    3 | extends: a",
        "      |          ^",
    ]


def test_long_chains_end(folder: Path) -> None:
    for number in range(30):
        (folder / f"r{number}.yaml").write_text(f"recipe: 1\nname: r\nextends: r{number + 1}\n")
    with pytest.raises(SpecError, match="more than 20 recipes extend each other"):
        load_recipe("r0.yaml")


@pytest.mark.parametrize("reach", ["../base.yaml", "{parent}/base.yaml", "link.yaml"])
def test_a_recipe_does_not_reach_outside_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, reach: str) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "link.yaml").symlink_to(folder / "base.yaml")
    monkeypatch.chdir(folder / "mine")
    name = reach.format(parent=folder)
    (folder / "mine" / "net.yaml").write_text(f"recipe: 1\nname: net\nextends: {name}\n")
    with pytest.raises(SpecError) as caught:
        load_recipe("net.yaml")
    assert str(caught.value).splitlines() == [
        f"net.yaml:3:10: `extends` names {name}, outside the recipe's folder",
        f"    3 | extends: {name}",
        "      |          ^",
        "  hint: copy it beside the recipe",
    ]


def test_a_folder_inside_may_reach_back_into_the_folder(folder: Path) -> None:
    (folder / "inside").mkdir()
    (folder / "inside" / "a.yaml").write_text("recipe: 1\nname: a\nextends: ../base.yaml\n")
    (folder / "b.yaml").write_text("recipe: 1\nname: b\nextends: inside/a.yaml\n")
    assert at(load_recipe("b.yaml"), "optimizer.lr") == 0.1


# The hash


SAME = {
    "name": BASE.replace("name: base", "name: other"),
    "paper": BASE.replace("paper: Somebody 2026\n", "description: nothing\n"),
    "seed": BASE + "seed: 5\n",
    "reported": BASE.split("reported:")[0],
    "formatting": BASE.replace("batch: {", "\n# how many\nbatch:   {").replace(
        "loss: cross_entropy", "loss: {op: cross_entropy}"
    ),
    "marks": BASE.replace("{assumed: 0.5, why: unsaid}", "0.5").replace("lr: 0.1", "lr: {assumed: 0.1, why: mine}"),
    "units": BASE.replace("length: 1 epoch", "length: 1.0 epochs"),
    "defaults": BASE + "order: shuffle\nschedule: [{op: constant}]\nselect: last\n",
    "whole numbers": BASE.replace("fill: 0", "fill: 0.0"),
}
OTHER = {
    "data": BASE.replace("train: 50", "train: 51"),
    "order": BASE + "order: sequential\n",
    "prepare": BASE + "prepare: [{op: flip, p: 0}]\n",
    "augment": BASE.replace("  - trivial_augment\n", ""),
    "normalize": BASE + "normalize: [{op: flip, p: 0}]\n",
    "mix": BASE + "mix: {op: mixup, alpha: 1}\n",
    "batch": BASE.replace("group: 5", "group: 2"),
    "length": BASE.replace("1 epoch\nloss", "2 epochs\nloss"),
    "loss": BASE.replace("loss: cross_entropy", "loss: binary_cross_entropy"),
    "loss_weights": BASE + "loss_weights: {aux: 0.5}\n",
    "metrics": BASE.replace("[top1_error]", "[top1_error, top5_error]"),
    "optimizer": BASE.replace("momentum: 0.9", "momentum: 0.8"),
    "schedule": BASE + "schedule: {op: constant, factor: 0.5}\n",
    "average": BASE.replace("decay: 0.9", "decay: 0.8"),
    "batch_norm": BASE + "batch_norm: {at_test: exact, over: 3 samples}\n",
    "evaluate": BASE.replace("size: 4", "size: 5"),
    "select": BASE + "select: {metric: test.top1_error, best: lowest}\n",
}


def hash_of(text: str) -> str:
    return load_recipe(text=text).recipe.hash


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_the_hash_stays(text: str) -> None:
    assert text != BASE and hash_of(text) == hash_of(BASE)


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER)
def test_the_hash_changes(text: str) -> None:
    assert hash_of(text) != hash_of(BASE)


def test_every_section_is_in_the_hash_or_known_not_to_be() -> None:
    assert {*OTHER, "recipe", "name", "paper", "description", "seed", "reported"} == set(Recipe.model_fields)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_is_shown_is_the_same_recipe(name: str) -> None:
    loaded = load_recipe(name)
    again = load_recipe(text=recipe_view(loaded))
    assert again.recipe == loaded.recipe
    assert recipe_data(again)["assumed"] == []
