"""The test kit for blocks: what is right passes, and what is planted is found by the check that is for it."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from archspec.block import Block, Primitive
from archspec.tensor import CHW, Vector
from archspec.testing import CHECKS, Case, Fault, check_block, suite
from archspec.testing.suite import hold
from tests.testing import planted as p

ROOT = Path(__file__).parents[2]
MAP = CHW(3, 5, 4)
SLOW = {"torch-free", "compile", "export"}
"""Checks that take long; they are asked only where they are expected to find something."""

RIGHT = [
    (p.Bend(), MAP),
    (p.Bend(first=0.5), CHW(1, 1, 1)),
    (p.Level(), MAP),
    (p.Tower(sizes=[1, 3]), MAP),
    (p.LastRow(), p.Rows(4, 3)),
]


@pytest.mark.parametrize("case", [Case.of(case) for case in RIGHT], ids=str)
def test_what_is_right_passes(case: Case) -> None:
    check_block(case.block, *case.shapes)


@dataclass
class Plant:
    """A block with one fault, and what the check that is for it says."""

    block: Block
    what: str
    mend: str
    shapes: tuple = (MAP,)
    also: str | None = ""
    """Other checks that see it too; None where none can be made at all."""

    def __str__(self) -> str:
        return self.block.function if type(self.block) in (p.Calls, p.Uses) else self.block.op


def calls(function: str, what: str, mend: str, also: str = "") -> Plant:
    """A block that calls a wrong function, or a module of a wrong class."""
    block = p.Uses(function=function) if function[0].isupper() else p.Calls(function=function)
    return Plant(block, what, mend, also=also)


PLANTS = {
    "documentation": [
        Plant(p.Undocumented(), "Undocumented has no docstring", "first line"),
        Plant(p.Shapeless(), "Shapeless has no line `Shape:`", "CxHxW -> CxHxW"),
        Plant(p.Undescribed(), "`second` is not described", "docstring on the line after"),
        Plant(p.UndescribedTower(sizes=[1]), "`depth` is not described", "docstring on the line after"),
    ],
    "schema": [
        Plant(p.OfThings(thing=p.Thing()), r"no JSON Schema .*planted\.Thing", "WithJsonSchema", also=None),
        Plant(p.OfAnything(), "says nothing of `thing`", "use int, float"),
        Plant(p.OfTuples(sizes=(1, 2)), r"`sizes`: .*found \[1, 2\]", "YAML can hold", also=None),
        Plant(p.OfBytes(sizes=[1], code=b"x"), "`code`: .*found 'x'", "YAML can hold", also=None),
        Plant(p.OfNames(name="=1 + 1"), "`name` must be text, found 2", "YAML can hold", also=None),
    ],
    "torch-free": [
        Plant(p.HidesTorch(), "^`infer` imports torch", "in plain Python"),
        Plant(p.HidesTorchInCosts(), "^`macs` imports torch", "in plain Python"),
        Plant(p.HidesTorchInField(), "^checking its fields imports torch", "in plain Python"),
        Plant(p.HidesTorchInExpand(sizes=[1]), "^`expand` imports torch", "in plain Python"),
    ],
    "signature": [
        Plant(p.Unreadable(), "annotations of `infer` cannot be read: .*Decimal", "import the shapes", also=None),
        Plant(p.Unannotated(), "annotations of `infer` cannot be read: .*'x'", "annotate every input", also=None),
        Plant(p.OfNumbers(), "annotated with <class 'int'>, which is no kind", "for example `x: CHW`", also=None),
        Plant(p.Divides(), "given 3x1x4, .*`infer`.* ZeroDivisionError", "refuse such inputs by a ShapeError"),
        Plant(p.LeavesNothing(), "given 3x1x4, .*`infer` gives 3x0x4", "refuse such inputs by a ShapeError"),
        Plant(p.DividesInExpand(sizes=[1]), "given 3x1x4, .*`expand`.* ZeroDivisionError", "ShapeError"),
        Plant(p.FirstTwo(), "given 3x5x4, .*`infer`.* IndexError", "ShapeError", shapes=(MAP, MAP)),
    ],
    "shape": [
        Plant(p.Mistaken(), "`infer` says 3x5x5, of 2 images torch makes 2x3x5x4 in training", "`infer` or `lower`"),
        calls("NarrowInTraining", "says 3x5x4, of 2 images torch makes 2x2x5x4 in training", "`infer` or `lower`"),
        calls("NarrowInEvaluation", "torch makes 2x2x5x4 in evaluation", "`infer` or `lower`"),
        calls("two_images", "of 3 images torch makes 2x3x5x4", "leaves the batch alone"),
        calls("in_twos", "does not run in training: RuntimeError: .*invalid for", "any size", "evaluation export"),
        calls("summed_batch", "of 2 images torch makes 1x3x5x4", "leaves the batch alone", "evaluation"),
        calls("total", "of 2 images torch makes a single number", "leaves the batch alone", "evaluation"),
        Plant(p.Calls(function="pair"), "its output is a tuple", "the value of one tensor", also=None),
    ],
    "state": [
        Plant(
            p.Sloped(fault="shape"), r"layer.slope: .* declares \(3, 1, 1\), its module has \(\)", "agree", also=None
        ),
        Plant(p.Sloped(fault="more"), r"layer.bias: .* declares None, its module has \(3,\)", "must agree", also=None),
        Plant(p.Sloped(fault="buffer"), "layer.slope", "must agree", also=None),
        Plant(p.Sloped(fault="dtype"), "layer.slope is float64, declared float32", "parameters are float32"),
        Plant(p.Counted(fault="dtype"), "layer.count is float32, declared int64", "mend `buffers`"),
        Plant(
            p.Counted(fault="parameter"),
            "layer.count: .* declares a buffer, .* has a parameter",
            "must agree",
            also=None,
        ),
        Plant(p.Levelled(), "layer.level starts with values that are no numbers", "fill the buffer"),
        Plant(p.StartsWithNothing(), "layer.slope .* not finite", "another initializer", also="gradients"),
    ],
    "macs": [
        Plant(p.Costless(), "`macs` says 0 for one image, torch counts 16", "products with weights", (Vector(4),)),
    ],
    "saves": [
        Plant(p.SavesLess(), "backward keeps 720 bytes per image, `saves` makes it 480", "mend `saves`: inputs kept"),
        Plant(p.SavesMore(), "backward keeps 720 bytes per image, `saves` makes it 960", "mend `saves`: inputs kept"),
        Plant(p.SavesMore(), "keeps 288 bytes per image, `saves` makes it 384", "views share", (CHW(2, 3, 4),)),
    ],
    "gradients": [
        calls("wrong_backward", r"in training, the gradient of input 0 .* by finite differences", "torch's own"),
        calls("detached", "depends on the inputs, but no gradient comes back", "torch's own operations"),
        calls("half_detached", "the gradient of input 0 along a random direction is", "torch's own operations"),
        Plant(p.BendsWrong(), "the gradient of layer.slope along a random direction is", "torch's own operations"),
        calls("WrongInEvaluation", "in evaluation, the gradient of input 0", "torch's own operations"),
    ],
    "evaluation": [
        calls("noisy", "gives other numbers each time: greatest", "only if `fx.training`", "channels-last export"),
        calls("centred_on_the_batch", "another output alone than in a batch", "must not see each other"),
        Plant(p.Counts(), "evaluation changes layer.count: absolute difference: 3", "only in training"),
    ],
    "determinism": [
        calls(
            "RandomInTraining",
            "two builds of one seed give other outputs in training",
            "draw from torch alone",
            "gradients round-trip copies compile standalone",
        ),
        calls("DrawnWhenMade", "two builds of one seed give other outputs", "in `forward` alone", "round-trip"),
        Plant(p.StartsByChance(), "draws from torch's global generator", "draw from torch alone", also="compile"),
        Plant(
            p.ChanceTower(sizes=[1]),
            "two builds of one seed give other outputs",
            "draw from torch alone",
            also="compile round-trip standalone",
        ),
    ],
    "moves": [
        calls("ramped_in_float32", "in torch.bfloat16 its output is torch.float32", "dtype=x.dtype"),
        calls("Float32InTraining", "bfloat16 its output is torch.float32 in training", "dtype=x.dtype"),
        calls("ramped_on_the_cpu", r"aten.mul.Tensor is given tensors of cpu and meta", "device=x.device"),
        calls("on_the_cpu_alone", r"its output is still on cpu in training", "device=x.device"),
    ],
    "channels-last": [
        calls("viewed", "does not run in channels_last: .*view size is not compatible", "write `reshape`, not `view`"),
        calls("ViewedInTraining", "does not run in channels_last: .*view size", "write `reshape`, not `view`"),
        calls("strided", "channels_last gives other numbers", "do not rely on strides"),
    ],
    "round-trip": [
        calls("RemembersInPython", "loading loses state: greatest", "a declared buffer or a literal"),
    ],
    "copies": [
        calls("HoldsLambda", "pickle does not work: .*lambda", "no lambdas"),
        calls("Forgetful", "after deepcopy it gives other numbers", "keep no lambdas"),
    ],
    "compile": [
        calls(
            "branching", "does not take it: Unsupported: Data-dependent branching", "no Python branches", "moves export"
        ),
        calls("printing", "does not take it: Unsupported", "no print"),
    ],
    "export": [
        calls("branching_on_the_batch", r"free batch size: .*Not all values of batch", r"branches, on x.shape\[0\]"),
    ],
    "standalone": [
        calls("of_numpy", "planted_ops imports numpy", "must need only torch"),
        calls("OfNumpy", "planted_ops imports numpy", "must need only torch"),
        calls("of_another_file", r"planted_ops imports tests\.testing\.planted", "must need only torch"),
        calls("RemembersWhoMadeIt", "model.py gives other numbers", "must need only torch"),
    ],
}
"""Check -> faults that are its to find."""

EACH = [(check, plant) for check, plants in PLANTS.items() for plant in plants]


def finds(check: str, case: Case) -> Fault | None:
    try:
        hold(check, case)
    except Fault as fault:
        return fault
    return None


def test_every_check_has_plants() -> None:
    assert list(PLANTS) == list(CHECKS)


@pytest.mark.parametrize(("check", "plant"), EACH, ids=[f"{check}-{plant}" for check, plant in EACH])
def test_a_plant_is_found(check: str, plant: Plant) -> None:
    case = Case(plant.block, plant.shapes)
    with pytest.raises(Fault) as caught:
        CHECKS[check](case)
    assert re.search(plant.what, caught.value.what, re.DOTALL)
    assert re.search(plant.mend, caught.value.mend)
    if plant.also is not None:
        expected = set(plant.also.split())
        others = CHECKS.keys() - {check} - (SLOW - expected)
        assert {name for name in others if finds(name, case)} == expected


def test_everything_that_is_found_is_told_at_once() -> None:
    with pytest.raises(Fault) as caught:
        check_block(p.Undescribed(second=2.0), MAP, skip=SLOW)
    assert str(caught.value) == (
        "undescribed-3x5x4, documentation: field `second` is not described\n"
        "  to mend it: put a docstring on the line after it\n"
        "  to mend it: 1 of 15 checks found something; see each"
    )
    with pytest.raises(Fault, match=r"(?s)moves: in torch.bfloat16.*standalone: .*imports numpy.*2 of 15"):
        check_block(p.Calls(function="of_numpy_in_float32"), MAP, skip=SLOW)


def test_what_many_checks_find_is_told_once() -> None:
    with pytest.raises(Fault) as caught:
        check_block(p.Nameless(), MAP, skip=SLOW)
    assert str(caught.value).count("importable by name") == 1
    assert "nameless-3x5x4, shape, state, macs, gradients, " in str(caught.value)


def test_a_check_that_cannot_be_made_is_a_fault_too() -> None:
    fault = finds("evaluation", Case(p.Calls(function="total"), (MAP,)))
    assert fault is not None
    assert fault.what.startswith("it fails while evaluation is checked: IndexError: ")
    assert isinstance(fault.__cause__, IndexError)


def test_the_kit_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check_block(p.Tower(sizes=[1]), MAP, skip=["torch-free"])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_name_that_is_taken_is_told() -> None:
    class Relu(p.Bend, op="relu"):
        """Another one."""

    with pytest.raises(Fault, match=r"op `relu` is provided by both archspec-nn .* and the case"):
        CHECKS["shape"](Case(Relu(), (MAP,)))


def test_a_case_that_the_block_refuses_is_told() -> None:
    case = Case.of((p.Bend(), Vector(3)))
    with pytest.raises(Fault, match=r"(?s)does not compile: layer \(bend\): bend takes a feature map.*choose a case"):
        CHECKS["shape"](case)


# What a fresh interpreter finds, which needs files of its own.

FILE = '''
from archspec.block import Primitive
from archspec.tensor import CHW


class Same(Primitive, op="same"):
    """Does nothing."""

    def infer(self, x: CHW) -> CHW:
        return x
'''


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What the check says of the block of a module, imported by name; other modules may lie beside it."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def check(**sources: str) -> Fault | None:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
            names.append(name)
        module = importlib.import_module(next(iter(sources)))
        return finds("torch-free", Case.of((module.Same(), getattr(module, "SHAPE", MAP))))

    yield check
    for name in names:
        sys.modules.pop(name, None)


def test_a_file_without_torch_is_fine(found) -> None:
    assert found(plain_block=FILE, plain_peer="") is None


@pytest.mark.parametrize("line", ["import torch", "from torch import nn", "import archspec.ops.scale"])
def test_torch_at_the_top_is_found(found, line) -> None:
    fault = found(top_block=f"{line}\n{FILE}")
    assert fault.what == "importing top_block imports torch"
    assert "inside `lower` alone" in fault.mend


def test_torch_at_the_top_of_a_file_that_is_imported_is_found(found) -> None:
    assert found(behind_block=f"import behind_peer\n{FILE}", behind_peer="import torch").what.startswith(
        "importing beh"
    )


def test_torch_beside_a_kind_of_shape_is_found_there(found) -> None:
    kinds = """
        import torch
        from tests.testing.planted import Rows

        class Lines(Rows):
            name = "lines"
    """
    block = (
        FILE.replace("CHW", "Shape")
        + "\n\ndef __getattr__(name):\n    from kind_peer import Lines\n    return Lines(3, 4)\n"
    )
    fault = found(kind_block=block, kind_peer=re.sub("^ {8}", "", kinds, flags=re.M))
    assert fault.what == "importing kind_peer imports torch"


def test_a_file_that_needs_its_test_is_told(found, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "only_in_the_test", sys)
    fault = found(needy_block=f"import only_in_the_test\n{FILE}")
    assert (
        fault.what
        == "needy_block cannot be imported by itself: ModuleNotFoundError: No module named 'only_in_the_test'"
    )
    assert "must do without the one that tests it" in fault.mend


def test_a_class_inside_a_function_is_told() -> None:
    class Local(p.Bend, op="local"):
        """Not to be imported."""

    fault = finds("torch-free", Case(Local(), (MAP,)))
    assert "Local cannot be pickled" in fault.what and "at the top of a file" in fault.mend


# suite

TESTS = """
from archspec.tensor import CHW
from archspec.testing import CHECKS, Case, suite
from tests.testing.planted import Bend, Shapeless, Tower

test_right = suite((Bend(), CHW(2, 3, 3)), Case(Tower(sizes=[3]), (CHW(1, 2, 2),)))
test_wrong = suite((Shapeless(), CHW(2, 3, 3)))
test_skipped = suite((Shapeless(), CHW(2, 3, 3)), skip=set(CHECKS) - {"shape", "macs"})
"""


def test_a_suite_is_a_test_for_each_check_and_case(tmp_path) -> None:
    (tmp_path / "test_blocks.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "found.xml", "."]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes = Counter()
    for test in ET.parse(tmp_path / "found.xml").iter("testcase"):
        name = test.get("name").partition("[")[0]
        outcomes[name, "failed" if len(test) else "passed"] += 1
        if len(test):
            assert test.get("name") == "test_wrong[shapeless-2x3x3-documentation]"
            assert "has no line `Shape:`\n  to mend it: a line such as" in test[0].get("message")
    assert outcomes == {
        ("test_right", "passed"): 2 * len(CHECKS),
        ("test_wrong", "passed"): len(CHECKS) - 1,
        ("test_wrong", "failed"): 1,
        ("test_skipped", "passed"): 2,
    }


@pytest.mark.parametrize("skip", ["macs", ["macs"], {"macs"}])
def test_one_check_or_some_are_skipped(skip) -> None:
    made = suite((p.Bend(), MAP), skip=skip)
    names = next(mark.args[1] for mark in made.pytestmark if mark.args[0] == "check")
    assert names == [name for name in CHECKS if name != "macs"]


@pytest.mark.parametrize("skip", ["mac", ["macs", "mac"]])
def test_what_is_skipped_must_be_a_check(skip) -> None:
    for refused in lambda: suite((p.Bend(), MAP), skip=skip), lambda: check_block(p.Bend(), MAP, skip=skip):
        with pytest.raises(TypeError, match=r"^there is no check mac; checks: documentation, schema, "):
            refused()


def test_a_suite_without_cases_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^suite takes cases: \(block, shape, ...\)"):
        suite()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((p.Bend, MAP), r"with a block made: Bend\(...\), found the class"),
        (p.Bend, r"with a block made: Bend\(...\), found the class"),
        (("relu", MAP), "found \\('relu', .*which begins with no block"),
        ((MAP, p.Bend()), "which begins with no block"),
        (torch.nn.ReLU(), "found ReLU.*which begins with no block"),
        ((), r"found \(\)"),
        (3, "found 3, which begins with no block"),
        (p.Bend(), r"Bend\(first=1.0\) is followed by no shape"),
        ((p.Bend(),), r"Bend\(first=1.0\) is followed by no shape"),
        ((p.Bend(), (3, 5, 4)), r"is followed by \[\(3, 5, 4\)\]"),
        ((p.Bend(), CHW), r"is followed by .*CHW"),
    ],
)
def test_what_is_no_case_is_refused(given, message) -> None:
    with pytest.raises(TypeError, match=rf"^a case is \(block, shape, ...\).*{message}"):
        suite(given)


def test_a_plant_is_a_block() -> None:
    assert all(isinstance(plant.block, Block) for _, plant in EACH)
    assert any(not isinstance(plant.block, Primitive) for _, plant in EACH)
