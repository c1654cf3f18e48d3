"""What is said of wrong recipes, word for word and with its place."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from archspec.errors import Problem, SpecError
from archspec.recipe.files import load_recipe

GOOD = """\
recipe: 1
name: good
data: cifar10
prepare: [{op: subtract_mean, per: pixel}]
augment:
  - {op: pad, size: 4, fill: mean}
  - {op: random_crop, size: 32, offsets: inclusive}
batch: {size: 128, group: 64, last: wrap}
length: 64000 steps
loss: cross_entropy
metrics: [top1_error]
optimizer: {op: sgd, lr: 0.1, momentum: 0.9, lr_in_velocity: true}
schedule: {op: multi_step, at: [32000 steps], factor: 0.1}
evaluate:
  single: {op: whole, every: 1 epoch}
"""
MISTAKES = Path(__file__).with_name("mistakes.txt")
"""Cases: a name, lines of the good recipe, what these become, and what is said: places, messages and hints."""


def cases() -> dict[str, tuple[str, str, str]]:
    found = {}
    for block in MISTAKES.read_text("utf-8").strip().split("\n\n"):
        name, *lines = block.splitlines()
        old = [line[2:] for line in lines if line.startswith("- ")]
        new = [line[2:] for line in lines if line.startswith("+ ")]
        said = [line for line in lines if not line.startswith(("- ", "+ "))]
        found[name[2:]] = ("\n".join(old), "\n".join(new), "\n".join(said))
    return found


CASES = cases()


def refusal(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        load_recipe(text=text)
    return caught.value.problems


def told(problems: tuple[Problem, ...]) -> str:
    lines = []
    for problem in problems:
        assert problem.position is not None
        lines.append(f"{problem.position.line}:{problem.position.column}: {problem.message}")
        lines += [f"  {problem.hint}"] * bool(problem.hint)
    return "\n".join(lines)


def test_the_good_recipe_is_good() -> None:
    assert load_recipe(text=GOOD).recipe.name == "good"


@pytest.mark.parametrize(("old", "new", "expected"), CASES.values(), ids=CASES)
def test_a_mistake_is_told_in_its_place(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = told(refusal(GOOD.replace(old, new, 1)))
    assert found == expected
    assert "invalid" not in found and "failed" not in found


EVERYTHING = """\
recipe: 1
name: bad
data: cifar11
augment:
  - {op: flip, p: 1.5}
  - {op: pad, size: 4, fill: mean}
  - {op: resize, shorter: 40}
  - {op: random_crp, size: 32}
batch: {size: 0, group: 64}
lenght: 5 epochs
metrics: [top1_error]
optimizer: {op: sgd, lr: "0.1", momentum: 0.9, lr_in_velocity: yes, groups: [{parameter: bias, lr_mult: two}]}
schedule: {op: plateau, metric: test.top5_error, factor: 0.1, patience: {assumed: 3}, drops: 2}
evaluate:
  test: {op: whole, every: 1 epoch}
  ten: {op: ten_crop}
reported:
  - {spec: a, data: b, protocol: one, top1_error: 3}
"""

EXPECTED_OF_EVERYTHING = """\
1:1: a recipe needs `loss`
  What is made small.
3:7: there is no dataset `cifar11`
  did you mean `cifar10`?
5:19: `p` must be at most 1.0, found 1.5
8:10: there is no transform `random_crp`
  did you mean `random_crop`?
9:8: `batch` needs `last`
  Where the size does not divide the epoch: the stream runs on, a smaller batch is kept, or it is dropped.
9:15: `size` must be at least 1, found 0
10:1: a recipe has no field `lenght`
  did you mean `length`?
12:26: `lr` must be a number, found '0.1'
  leave out the quotes
12:64: `lr_in_velocity` must be true or false, found 'yes'
  write true or false: in YAML 1.2 `yes` is text
12:105: `lr_mult` must be a number, found 'two'
13:73: `schedule.patience` is assumed, and must say why
  {assumed: VALUE, why: TEXT}
16:8: ten_crop needs `size`
  Side of a crop."""


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    assert told(refusal(EVERYTHING)) == EXPECTED_OF_EVERYTHING


def test_a_single_phase_has_the_same_places_as_one_in_a_list() -> None:
    one = GOOD.replace("{op: multi_step, at: [32000 steps], factor: 0.1}", "{op: linear, from: x, to: 1}")
    (problem,) = refusal(one)
    assert str(problem).splitlines() == [
        "<text>:13:30: `from` must be a number, found 'x'",
        "    13 | schedule: {op: linear, from: x, to: 1}",
        "       |                              ^",
    ]
    (listed,) = refusal(
        GOOD.replace("{op: multi_step, at: [32000 steps], factor: 0.1}", "[{op: linear, from: x, to: 1}]")
    )
    assert listed.message == problem.message
    assert listed.position is not None and (listed.position.line, listed.position.column) == (13, 31)


def test_checks_of_the_whole_look_at_what_is_right() -> None:
    """A mistake in one section does not hide what does not fit in others."""
    text = GOOD.replace("data: cifar10", "data: cifar11").replace("group: 64", "group: 640")
    assert [problem.slug for problem in refusal(text)] == ["unknown-op", "bad-field"]


# Files that are no recipes at all.


TEXTS = {
    "empty": ("", "1:1: the file is empty\n  a recipe begins with `recipe: 1`"),
    "comment": ("# nothing\n", "2:1: the file is empty\n  a recipe begins with `recipe: 1`"),
    "list": ("- recipe", "1:1: a recipe is a mapping of sections, found a list\n  a recipe begins with `recipe: 1`"),
    "text": ("recipe", "1:1: a recipe is a mapping of sections, found text\n  a recipe begins with `recipe: 1`"),
    "two documents": (GOOD + "---\n" + GOOD, "16:1: a second document begins here\n  one recipe per file"),
    "deep nesting": ("a: " + "[" * 200, "1:103: nested more than 100 deep"),
    "open bracket": (
        "recipe: 1\ndata: {op: synthetic\nname: a\n",
        "3:5: the mapping opened by `{` at line 2 is not continued or closed here\n"
        "  separate its entries by `,` and close it by `}`",
    ),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_no_recipe(text: str, expected: str) -> None:
    assert told(refusal(text)) == expected


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"recipe: 1\nname: caf\xe9\n")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "mine.yaml").write_text(GOOD)
    said = {
        "latin.yaml": "latin.yaml:1:1: the file is not UTF-8 text: byte 0xe9 at offset 19\n"
        "  hint: a recipe is a YAML text file",
        "folder.yaml": "folder.yaml: this is a folder, not a recipe",
        "min.yaml": "min.yaml: no such file\n  hint: did you mean `mine.yaml`?",
        "quik": "quik: no recipe of this name\n  hint: did you mean `quick`?",
    }
    for name, expected in said.items():
        with pytest.raises(SpecError) as caught:
            load_recipe(name)
        assert str(caught.value) == expected
    assert load_recipe("mine.yaml").recipe.name == "good"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.replace("sgd", "sdg").encode())))
    with pytest.raises(SpecError, match="<stdin>:12:17: there is no optimizer `sdg`"):
        load_recipe("-")
