"""`archspec train`, `evaluate` and `predict`, as people call them."""

import json
import shutil
from typing import ClassVar

import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from archspec.cli.app import cli
from archspec.errors import ArchspecError
from archspec.part import Logger
from archspec.plugins import Provider
from archspec.registry import RECIPE_PARTS
from tests.train.small import write_small

SHORT = ["--recipe-set", "length=6 steps", "--recipe-set", "data.train=64", "--recipe-set", "data.test=20"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def good(*arguments):
    found = run(*arguments)
    assert found.exit_code == 0, found.output + repr(found.exception)
    return found.output


def wrong(*arguments):
    """What is said of a mistake."""
    found = run(*arguments)
    assert found.exit_code != 0
    if found.exit_code == 2:
        return found.output
    assert isinstance(found.exception, ArchspecError), found.exception
    return str(found.exception)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a short run of a network that is small."""
    folder = tmp_path_factory.mktemp("trained")
    spec, recipe = write_small(folder)
    good("train", spec, "-r", recipe, "--out", folder / "run", "--log-every", 5)
    return folder


def test_without_more_than_a_spec_it_trains_on_drawn_shapes(tmp_path):
    said = good("train", "resnet-cifar", *SHORT, "--log-every", 3)
    assert "resnet-cifar by quick in runs/resnet-cifar-1" in said
    assert "step 6 of 6: train: epoch 6, lr" in said and "finished: runs/resnet-cifar-1/weights.safetensors" in said
    folder = tmp_path / "runs" / "resnet-cifar-1"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "spec.yaml", "recipe.yaml", "execution.json", "environment.json", "data.safetensors", "metrics.jsonl",
        "checkpoints", "weights.safetensors", ".lock",
    }  # fmt: skip
    assert "runs/resnet-cifar-2" in good("train", "resnet-cifar", *SHORT), "each run has a folder of its own"
    again = good("train", "--resume", folder)
    assert "the run is finished" in again


def test_a_network_optimised_and_computed_again_learns_the_same(trained, tmp_path):
    spec, recipe = trained / "small.yaml", trained / "everything.yaml"
    options = ["--recompute", "conv*", "--recompute", "bn7", "--optimize", "--log-every", 5, "--checkpoint-every", 20]
    said = wrong("train", spec, "-r", recipe, "--out", "run", *options)
    assert "recompute: `bn7` matches no layer" in said and not (tmp_path / "run").exists()
    options[3] = "bn*"
    good("train", spec, "-r", recipe, "--out", "run", *options, "--recipe-set", "select=last")
    execution = json.loads((tmp_path / "run" / "execution.json").read_text())
    assert execution["optimize"] is True and execution["recompute"] == ["conv*", "bn*"]
    losses = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1]["step"] == 40
    (tmp_path / "run" / "weights.safetensors").unlink()
    good("train", "--resume", "run", "--recompute", "", "--no-optimize")
    execution = json.loads((tmp_path / "run" / "execution.json").read_text())
    assert execution["optimize"] is False and execution["recompute"] == []


def test_records_are_lines_of_json(trained):
    lines = [json.loads(line) for line in (trained / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert {line["kind"] for line in lines} >= {"train", "test"}
    last = lines[-1]
    assert last["step"] == 40 and set(last) == {"kind", "step", "epoch", "ten.top1_error", "ten.top5_error"}


def test_run_can_be_made_again_from_its_folder(trained, tmp_path):
    run = trained / "run"
    good("train", run / "spec.yaml", "-r", run / "recipe.yaml", "--out", "again", "--log-every", 5)
    for name in ("weights.safetensors", "metrics.jsonl", "recipe.yaml", "spec.yaml", "data.safetensors"):
        assert (run / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_evaluate_agrees_with_the_run(trained):
    last = {}
    for line in (trained / "run" / "metrics.jsonl").read_text().splitlines():
        last |= json.loads(line)
    found = json.loads(good("evaluate", trained / "run", "--json"))
    assert set(found["protocols"]) == {"test", "ten"} and found["protocols"]["test"]["images"] == 20
    said = good("evaluate", trained / "run", trained / "run", "-p", "ten")
    assert said.startswith("ten: images 20, top1_error ") and "test" not in said


def test_predict_names_the_classes(trained, tmp_path):
    Pillow.new("RGB", (12, 12), "red").save(tmp_path / "red.png")
    said = good("predict", trained / "run", "red.png", "--top", 3)
    assert said.startswith("red.png:\n") and said.count("%") == 3
    (row,) = json.loads(good("predict", trained / "run", "red.png", "--json", "--top", 10))
    assert sum(one["probability"] for one in row["classes"]) == pytest.approx(1, abs=1e-5)
    assert {one["name"] for one in row["classes"]} >= {"disc", "frame", "checks"}


def test_weights_to_start_from(trained, tmp_path):
    spec, recipe = write_small(tmp_path)
    said = good(
        "train", spec, "-r", recipe, "--weights", trained / "run" / "weights.safetensors",
        "--recipe-set", "length=1 steps", "--recipe-set", "optimizer.lr=0", "--recipe-set", "average=null",
        "--recipe-set", "batch_norm=null", "--out", "more",
    )  # fmt: skip
    assert "finished" in said


MISTAKES = {
    "no spec": ([], "give a SPEC to begin a run, or --resume FOLDER"),
    "spec and resume": (["alexnet", "--resume", "x"], "give a SPEC to begin a run, or --resume FOLDER"),
    "unknown spec": (["alexnot"], "alexnot: no spec of this name in the zoo"),
    "unknown recipe": (["resnet-cifar", "-r", "resnet-2015-cifer"], "did you mean `resnet-2015-cifar`"),
    "no data": (["resnet-cifar", "-r", "resnet-2015-cifar"], "`cifar10` is read from a folder, and none is named"),
    "no such data": (["resnet-cifar", "--data", "nowhere"], "nowhere: no such folder of data"),
    "empty data": (["resnet-cifar", "-r", "resnet-2015-cifar", "--data", "."], "holds no test_batch.bin"),
    "classes": (["alexnet"], "output `logits` of alexnet is 1000, and the data have 10 classes\n  hint: -s classes=10"),
    "image size": (["small.yaml", "--recipe-set", "data.size=16"], "images of 16x16, and small reads 12x12"),
    "setting": (["resnet-cifar", "--recipe-set", "optimizer.learning_rate=1"], "sgd has no field `learning_rate`"),
    "settings form": (["resnet-cifar", "--recipe-set", "lr"], "write PATH=VALUE"),
    "device": (["small.yaml", "--device", "cuba"], "device `cuba` cannot be used"),
    "batch": (["small.yaml", "--recipe-set", "batch={size: 9999, last: drop}"], "has no whole batch of 9,999"),
    "not a run": (["--resume", "."], ".: no run: it has no spec.yaml and recipe.yaml"),
    "no run": (["--resume", "nowhere"], "nowhere: no such folder"),
    "out taken": (["small.yaml", "--out", "."], ".: exists already, and is not empty"),
    "out is a file": (["small.yaml", "--out", "small.yaml"], "small.yaml"),
    "recipe for resume": (["--resume", ".", "-r", "quick"], "a run goes on with its own recipe"),
    "weights": (["small.yaml", "--weights", "none.safetensors"], "none.safetensors"),
    "two inputs": (["two.yaml"], "a network that is trained on images reads one, of 3xHxW or 1xHxW"),
    "loss weights": (["small.yaml", "--recipe-set", "loss_weights={aux2: 1}"], "did you mean `aux1`?"),
    "freeze": (["small.yaml", "--recipe-set", "optimizer.freeze=[convs]"], "freeze: `convs` matches no layer"),
    "group": (["small.yaml", "--recipe-set", "optimizer.groups=[{op: bn, decay_mult: 0}]"], "matches no parameter"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told(mistake, tmp_path):
    write_small(tmp_path)
    layers = "layers:\n  add: {op: add, from: [a, b]}\noutputs: {x: add}\n"
    (tmp_path / "two.yaml").write_text(f"archspec: 1\nname: two\ninputs: {{a: [3, 4, 4], b: [3, 4, 4]}}\n{layers}")
    arguments, expected = MISTAKES[mistake]
    assert expected in wrong("train", *arguments)


def test_loss_that_is_no_number_is_traced_to_its_layer(tmp_path):
    spec, _ = write_small(tmp_path)
    said = wrong("train", spec, *SHORT, "--recipe-set", "optimizer.lr=1e30", "--log-every", 2)
    assert "train.loss is nan at step" in said or "train.loss is inf at step" in said
    assert "the first" in said and "not finite" in said and "clip_norm" in said


def test_unfinished_run_cannot_be_tested(trained, tmp_path):
    (tmp_path / "half").mkdir()
    for name in ("spec.yaml", "recipe.yaml", "execution.json", "data.safetensors"):
        (tmp_path / "half" / name).write_bytes((trained / "run" / name).read_bytes())
    assert "half: the run is not finished\n  hint: archspec train --resume half" in wrong("evaluate", "half")


class Spy(Logger, op="spy"):
    """A logger as a plugin would bring it."""

    told: ClassVar = []

    def open(self, folder, step):
        self.told.append((folder.name, step))
        return self

    def __call__(self, kind, step, values):
        self.told.append((kind, step))

    def close(self):
        self.told.append("closed")


def test_loggers_are_told_the_records(tmp_path):
    spec, _ = write_small(tmp_path)
    with RECIPE_PARTS["logger"].extended({"spy": Spy}, Provider("a-plugin")):
        good("train", spec, *SHORT, "--recipe-set", "data.size=12", "--log", "spy", "--out", "told", "--log-every", 4)
    assert Spy.told == [
        ("told", 0),
        ("test", 1),
        ("test", 2),
        ("test", 3),
        ("train", 4),
        ("test", 4),
        ("test", 5),
        ("train", 6),
        ("test", 6),
        "closed",
    ]
    assert "did you mean `tensorboard`" in wrong("train", spec, "--log", "tensorbord")


def folder_of_images(folder, shades, bad=0):
    """Training and test images of six classes, of plain shades; the first of each split may be no images."""
    for split in ("train", "val"):
        for number in range(24):
            path = folder / split / f"c{number % 6}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Pillow.new("RGB", (12, 12), (shades + number, 10 * (number % 6), 200)).save(path)
            if number < bad:
                path.write_bytes(b"no image")
    return folder


FOLDER = ["--recipe-set", "data=image_folder", "--recipe-set", "batch={size: 8, group: 2, last: keep}"]


@pytest.fixture
def six(tmp_path):
    """A spec of six classes and a recipe for folders of images."""
    spec, recipe = write_small(tmp_path)
    spec.write_text(spec.read_text().replace("out_features: 10", "out_features: 6"))
    return spec, recipe


def test_bad_images_are_all_counted(six, tmp_path):
    folder_of_images(tmp_path / "data", 20, bad=3)
    line = ["train", six[0], "-r", six[1], *FOLDER, "--data", "data", "--recipe-set", "length=2 epochs"]
    assert "0.png: not a whole image" in wrong(*line, "--out", "strict")
    said = good(*line, "--on-bad-image", "skip", "--out", "run")
    assert "left out 6 presentations" in said, "three in each of two epochs, whatever groups they were in"
    found = json.loads(good("evaluate", "run", "--on-bad-image", "skip", "--json"))["protocols"]
    assert {name: (one["images"], one["bad_images"]) for name, one in found.items()} == {
        "test": (21, 3),
        "ten": (21, 3),
    }


def test_data_that_are_gone_are_no_bad_images(six, tmp_path):
    folder_of_images(tmp_path / "data", 20, bad=24)
    line = ["train", six[0], "-r", six[1], *FOLDER, "--data", "data", "--on-bad-image", "skip"]
    assert "can be read" in wrong(*line)


def test_run_keeps_to_its_data_and_tests_with_its_own_means(six, tmp_path):
    folder_of_images(tmp_path / "data", 20)
    other = folder_of_images(tmp_path / "other", 120)
    line = ["train", six[0], "-r", six[1], *FOLDER, "--recipe-set", "length=9 steps", "--checkpoint-every", "3"]
    good(*line, "--data", "data", "--out", "run")
    before = good("evaluate", "run", "--json")
    (tmp_path / "only").mkdir()
    (tmp_path / "data" / "val").rename(tmp_path / "only" / "val")  # the training images are not needed to test
    assert (
        json.loads(good("evaluate", "run", "--data", "only", "--json"))["protocols"] == json.loads(before)["protocols"]
    )
    (tmp_path / "run" / "weights.safetensors").unlink()
    assert "began with other train images" in wrong("train", "--resume", "run", "--data", other)
    (other / "train" / "c0").rename(other / "train" / "z0")
    (other / "val" / "c0").rename(other / "val" / "z0")
    assert "began with other classes" in wrong("train", "--resume", "run", "--data", other)


def test_predict_by_a_protocol_that_learnt_something(trained, tmp_path):
    Pillow.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    assert good("predict", trained / "run", "red.png", "-p", "ten").count("%") == 5


def test_weights_to_start_from_are_not_lost(trained, tmp_path, monkeypatch):
    """A run that stops before its first checkpoint goes on from the weights it was given."""
    spec, recipe = write_small(tmp_path)
    line = ["train", spec, "-r", recipe, "--weights", trained / "run" / "weights.safetensors", "--log-every", "5"]
    good(*line, "--out", "whole")
    monkeypatch.setattr("archspec.cli.training._go", lambda *_: None)
    good(*line, "--out", "part")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    good("train", "--resume", "part")
    for name in ("weights.safetensors", "metrics.jsonl"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_good_checkpoints_outlive_weights_that_are_not_finite(tmp_path):
    spec, recipe = write_small(tmp_path)
    said = wrong(
        "train", spec, "-r", recipe, "--out", "run", "--checkpoint-every", 4, "--log-every", 40,
        "--recipe-set", "schedule=[{op: constant, factor: 1.0e-6, lasts: 9 steps}, {op: constant, factor: 1.0e35}]",
        "--recipe-set", "evaluate={test: whole}", "--recipe-set", "select=last",
        "--recipe-set", "optimizer.clip_norm=null",
    )  # fmt: skip
    assert "a weight is not finite at step 12" in said and ("at step 10" in said or "at step 11" in said), said
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())[-1] == "00000008.safetensors"


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '{"device": "cpu"}', '{"data": null, "workers": "two"}', '{"data": 3}', '{"data": null, "foo": 3}'],
)
def test_damaged_settings_of_a_run_are_told(trained, tmp_path, text):
    (tmp_path / "half").mkdir()
    for name in ("spec.yaml", "recipe.yaml", "data.safetensors"):
        (tmp_path / "half" / name).write_bytes((trained / "run" / name).read_bytes())
    (tmp_path / "half" / "execution.json").write_text(text)
    assert "execution.json: cannot be used" in wrong("train", "--resume", "half")


def test_test_that_fails_loses_nothing(trained, tmp_path):
    """Whatever is wrong with a protocol, the run can go on once it is mended, and ends with its weights."""
    spec, recipe = write_small(tmp_path)
    line = ["train", spec, "-r", recipe, "--out", "run", "--recipe-set", "length=9 steps", "--checkpoint-every", "4"]
    assert "does not fit in an image" in wrong(*line, "--recipe-set", "evaluate.ten={op: ten_crop, size: 15}")
    checkpoints = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert checkpoints == ["00000008.safetensors", "00000009.safetensors"], "of 9 steps, whose tests are to be done"
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_batch_norm_of_one_value_is_told(tmp_path):
    """One image is left over, whose maps have shrunk to a pixel."""
    spec, recipe = write_small(tmp_path)
    settings = ["--recipe-set", "batch={size: 7, last: keep}", "--recipe-set", "length=8 steps"]
    small = ["--recipe-set", "prepare=[{op: resize, size: [7, 7]}]", "-i", "image=3x7x7"]
    small += ["--recipe-set", "augment=[]", "--recipe-set", "mix=[]"]
    said = wrong("train", spec, "-r", recipe, *small, *settings, "--recipe-set", "evaluate={test: whole}",
                 "--recipe-set", "select=last", "--recipe-set", "schedule=constant", "--out", "run")  # fmt: skip
    assert "batch norm met a forward pass of a single value\n  hint: a larger batch or group" in said


def test_best_weights_that_were_taken_away_are_told(trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run" / "weights.safetensors").unlink()
    assert "best.safetensors: no such file, and the best weights were in it\n  hint: put it back" in wrong(
        "train", "--resume", "run"
    )


def test_runs_that_is_a_file_is_told(tmp_path):
    spec, recipe = write_small(tmp_path)
    (tmp_path / "runs").write_text("")
    assert "runs: not a folder" in wrong("train", spec, "-r", recipe)
    assert "runs: not a folder" in wrong("train", spec, "-r", recipe, "--out", "runs/mine")
