"""The JSON Schema accepts what archspec accepts, and refuses the mistakes that can be seen without a graph."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft7Validator
from pydantic import BaseModel, Field

from archspec.block import Count, Primitive
from archspec.errors import Source
from archspec.initializers import INITIALIZERS
from archspec.plugins import Provider
from archspec.registry import BLOCKS
from archspec.spec.document import SECTIONS
from archspec.spec.files import load
from archspec.spec.reader import plain, read
from archspec.spec.shelves import zoo
from archspec.views.schema import form_problems, schema

ROOT = Path(__file__).parents[2]
SPECS = sorted(path for path in (ROOT / "specs").rglob("*.yaml") if path.parent.name not in ("weights", "recipes"))
GOLDEN = ROOT / "tests" / "golden" / "errors"

GOOD = """\
archspec: 1
name: good
params: {width: 8}
blocks:
  unit:
    description: A convolution of our own.
    params: {width: {type: int, min: 1, doc: how wide it is}, kind: {default: a, choices: [a, b]}}
    layers:
      conv: {op: conv2d, out_channels: =width, kernel_size: 3}
inputs: {image: [3, 32, 32]}
layers:
  conv: {op: conv2d, out_channels: 8, kernel_size: 3}
  unit: {op: unit, width: 8}
  relu: relu
outputs: {features: relu}
"""


def as_json(text: str) -> Any:
    """A spec as an editor sees it: JSON has only texts for keys."""
    return json.loads(json.dumps(plain(read(Source("spec.yaml", text)))))


@cache
def general() -> Draft7Validator:
    return Draft7Validator(schema())


@cache
def own(path: Path | str) -> Draft7Validator:
    """The schema of one file, or of a text."""
    return Draft7Validator(schema(load(path) if isinstance(path, Path) else load(text=path)))


def with_layer(layer: str) -> str:
    """The good spec with another layer between."""
    return GOOD.replace("  relu: relu\n", f"  other: {layer}\n  relu: relu\n")


def test_the_schemas_are_schemas() -> None:
    Draft7Validator.check_schema(schema())
    Draft7Validator.check_schema(schema(load(text=GOOD)))
    assert schema()["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_file_of_the_zoo_is_valid(path: Path) -> None:
    data = as_json(path.read_text(encoding="utf-8"))
    general().validate(data)
    own(path).validate(data)


DOCUMENTED = [
    code
    for page in sorted((ROOT / "docs").glob("*.md"))
    for code in re.findall(r"^```yaml\n(archspec: 1\n.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize("text", DOCUMENTED, ids=lambda text: text.split("name: ")[1].split("\n")[0])
def test_every_documented_spec_is_valid(text: str) -> None:
    general().validate(as_json(text))
    own(text).validate(as_json(text))


def test_there_are_documented_specs() -> None:
    assert len(DOCUMENTED) >= 15


@pytest.mark.parametrize("name", ["resnet50", "googlenet"])
def test_an_expanded_spec_is_valid(name: str) -> None:
    from archspec import api
    from archspec.spec.writer import write
    from archspec.views.expanded import expanded

    general().validate(as_json(write(expanded(api.compile(name)))))


RIGHT = {
    "bare op": "relu",
    "fields": "{op: conv2d, out_channels: 8, kernel_size: [3, 1], padding: {left: 1}, stride: 2}",
    "same": "{op: conv2d, out_channels: 8, kernel_size: 3, padding: same}",
    "expression for a field": "{op: conv2d, out_channels: =width, kernel_size: 3, bias: =width > 8}",
    "expression inside a field": "{op: conv2d, out_channels: 8, kernel_size: [3, =width], padding: {top: =width}}",
    "whole number for a number": "{op: batch_norm2d, eps: 1}",
    "number in exponent form": "{op: batch_norm2d, eps: 1e-4}",
    "unsaid": "{op: max_pool2d, kernel_size: 2, stride: null, ceil_mode: false}",
    "group": "{from: conv, when: =width > 1, else: conv, layers: {a: relu, b: [tanh]}}".replace("b: [tanh]", "b: tanh"),
    "list of layers": "{layers: [relu, {op: tanh}]}",
    "repeat": "{op: relu, repeat: 3}",
    "repeat, long form": "{op: relu, repeat: {count: =width, flat: true, start: 1}, else: conv}",
    "several inputs": "{op: add, from: [conv, .unit, unit.conv, 0]}",
    "op by expression": "{op: ='relu' if width else 'tanh', anything: 3}",
    "place": "{op: relu, place: 1}",
    "shared parameters": "{shares: conv, from: unit}",
    "param of a block by expression": "{op: unit, width: 3, kind: ='b'}",
}


@pytest.mark.parametrize("layer", RIGHT.values(), ids=RIGHT)
def test_right_layer(layer: str) -> None:
    data = as_json(with_layer(layer))
    general().validate(data)
    own(GOOD).validate(data)


WRONG = {
    "misspelt field": "{op: conv2d, out_chanels: 8, kernel_size: 3}",
    "missing field": "{op: conv2d, out_channels: 8}",
    "op alone that needs fields": "conv2d",
    "text for a number": "{op: linear, out_features: eight}",
    "quoted number": '{op: linear, out_features: "8"}',
    "zero channels": "{op: conv2d, out_channels: 0, kernel_size: 3}",
    "enormous number": "{op: linear, out_features: 2147483648}",
    "three sizes": "{op: conv2d, out_channels: 8, kernel_size: [3, 3, 3]}",
    "one size in a list": "{op: conv2d, out_channels: 8, kernel_size: [3]}",
    "unknown side": "{op: conv2d, out_channels: 8, kernel_size: 3, padding: {middle: 1}}",
    "padding by a wrong word": "{op: conv2d, out_channels: 8, kernel_size: 3, padding: valid}",
    "lopsided padding of a pool": "{op: max_pool2d, kernel_size: 2, ceil_mode: false, padding: {left: 1}}",
    "negative padding": "{op: conv2d, out_channels: 8, kernel_size: 3, padding: -1}",
    "number for true or false": "{op: linear, out_features: 8, bias: 1}",
    "yes is text": "{op: linear, out_features: 8, bias: yes}",
    "true for a number": "{op: linear, out_features: true}",
    "wrong choice": "{op: option_a, out_channels: 8, zeros: never}",
    "probability of one": "{op: dropout, p: 1}",
    "expression of nothing": "{op: linear, out_features: =}",
    "field of an op without fields": "{op: relu, inplace: true}",
    "op and layers": "{op: relu, layers: {a: relu}}",
    "neither op nor layers": "{from: conv}",
    "else without when": "{op: relu, else: conv}",
    "reference by expression": "{op: relu, from: =conv}",
    "empty list of references": "{op: add, from: []}",
    "no reference": "{op: relu, from: a..b}",
    "group with a field": "{width: 3, layers: {a: relu}}",
    "group that repeats": "{repeat: 3, layers: {a: relu}}",
    "empty group": "{layers: {}}",
    "repeat without count": "{op: relu, repeat: {flat: true}}",
    "negative repeat": "{op: relu, repeat: -1}",
    "unknown key of repeat": "{op: relu, repeat: {count: 2, from: 1}}",
    "when is a number": "{op: relu, when: 1}",
    "shares with an op": "{shares: conv, op: relu}",
    "shares with a field": "{shares: conv, bias: true}",
    "layer of nothing": "",
    "layer of a list": "[relu]",
    "name of a torch module's attribute": "{layers: {train: relu}}",
    "name that is a word of Python": "{layers: {lambda: relu}}",
    "name with a dot": "{layers: {a.b: relu}}",
    "name that begins with _": "{layers: {_a: relu}}",
}


@pytest.mark.parametrize("layer", WRONG.values(), ids=WRONG)
def test_wrong_layer(layer: str) -> None:
    assert general().is_valid(as_json(GOOD))
    assert not general().is_valid(as_json(with_layer(layer)))


OWN_WRONG = {
    "misspelt op": "{op: conv2, out_channels: 8}",
    "misspelt op alone": "rellu",
    "misspelt param": "{op: unit, widht: 8}",
    "missing param": "{op: unit, kind: a}",
    "block alone that needs params": "unit",
    "wrong type": "{op: unit, width: wide}",
    "wrong choice": "{op: unit, width: 3, kind: c}",
    "below the limit": "{op: unit, width: 0}",
}


@pytest.mark.parametrize("layer", OWN_WRONG.values(), ids=OWN_WRONG)
def test_wrong_layer_that_the_spec_s_own_schema_sees(layer: str) -> None:
    data = as_json(with_layer(layer))
    assert general().is_valid(data)
    assert not own(GOOD).is_valid(data)


RIGHT_SECTIONS = [
    "requires: ['archspec-se>=1.0']",
    "edit: [{set: layers.conv.bias, to: false}, {replace: layers.conv, with: relu}, {remove: layers.relu}]",
    "edit: [{insert_after: layers.conv, layers: {a: relu}}, {insert_before: blocks.unit.layers.conv, layers: [relu]}]",
    "check: [{that: =width > 1, say: wider than one}]",
    "let: {counts: {50: [3, 4], 101: [=width, 4]}}",
    "init: [{match: [conv, '**.fc'], op: conv2d, weight: {normal: {std: =1 / width}}, bias: 0}, {weight: =width}]",
    "expect: [{set: {width: 16}, params: 60e6, macs: 1, within: 0.02, shapes: {conv: [8, 30, 30]}}]",
    "init:",
]


@pytest.mark.parametrize("section", RIGHT_SECTIONS)
def test_right_section(section: str) -> None:
    general().validate(as_json(f"{GOOD}{section}\n"))
    own(GOOD).validate(as_json(f"{GOOD}{section}\n"))


WRONG_SECTIONS = [
    "layer: {a: relu}",
    "extends: [other]",
    "edit: [{set: layers.conv.bias}]",
    "edit: [{remove: layers.conv, with: relu}]",
    "edit: [{delete: layers.conv}]",
    "requires: archspec-se",
    "check: [{that: =width > 1}]",
    "init: {weight: 0}",
    "init: [{op: conv2d}]",
    "init: [{op: conv2, weight: 0}]",
    "init: [{weight: {norml: {std: 1}}}]",
    "init: [{weight: {normal: {sdt: 1}}}]",
    "init: [{weight: {normal: {std: -1}}}]",
    "init: [{weight: {normal: {std: 1}, constant: {value: 1}}}]",
    "init: [{weight: {xavier_normal: {mode: fan}}}]",
    "expect: [{parms: 3}]",
    "expect: [{params: 3, within: 1}]",
    "expect: [{shapes: {conv: 8}}]",
    "let: {lambda: 1}",
    "let: {min: 1}",
]


@pytest.mark.parametrize("section", WRONG_SECTIONS)
def test_wrong_section(section: str) -> None:
    assert not general().is_valid(as_json(f"{GOOD}{section}\n"))


REPLACED = [
    ("archspec: 1", "archspec: 2"),
    ("name: good", "name: Not good"),
    ("name: good\n", ""),
    ("inputs: {image: [3, 32, 32]}", "inputs: {image: [3, 32]}"),
    ("inputs: {image: [3, 32, 32]}", "inputs: {image: [3, 0, 32]}"),
    ("inputs: {image: [3, 32, 32]}", "inputs: {self: [3, 32, 32]}"),
    ("inputs: {image: [3, 32, 32]}\n", ""),
    ("outputs: {features: relu}\n", ""),
    ("outputs: {features: relu}", "outputs: relu"),
    ("outputs: {features: relu}", "outputs: {features: {form: relu}}"),
    ("outputs: {features: relu}", "outputs: {features: {from: relu, training_only: 1}}"),
    ("params: {width: 8}", "params: {width: =8}"),
    ("params: {width: 8}", "params: {width: {type: integer}}"),
    ("params: {width: 8}", "params: {width: {defalt: 8}}"),
    ("params: {width: 8}", "params: {from: 8}"),
    ("    layers:\n      conv:", "    layer:\n      conv:"),
    ("  unit:\n    desc", "  relu:\n    desc"),
]


@pytest.mark.parametrize(("good", "bad"), REPLACED)
def test_wrong_spec(good: str, bad: str) -> None:
    assert good in GOOD
    assert not general().is_valid(as_json(GOOD.replace(good, bad)))


def test_a_child_needs_no_sections_of_its_parent() -> None:
    general().validate({"archspec": 1, "name": "child", "extends": "resnet50"})
    assert not general().is_valid({"archspec": 1, "name": "child"})


def test_a_library_has_blocks_and_nothing_of_a_spec() -> None:
    library = {"archspec": 1, "description": "blocks", "blocks": {"unit": {"layers": {"relu": "relu"}}}}
    general().validate(library)
    assert not general().is_valid({**library, "params": {"width": 8}})
    assert not general().is_valid({"archspec": 1, "description": "nothing"})


SEEN = [
    "a-list",
    "a-text",
    "bad-name",
    "bad-padding",
    "block-shadows-an-op",
    "block-without-layers",
    "check-without-say",
    "else-without-when",
    "expression-empty",
    "field-of-an-op-without-fields",
    "from-is-an-expression",
    "init-bad-value",
    "init-is-a-mapping",
    "init-without-parameter",
    "input-of-two-axes",
    "input-with-zero",
    "layer-is-a-list",
    "layer-is-null",
    "layers-is-empty",
    "layers-is-text",
    "missing-field",
    "mistake-in-a-block",
    "mistakes-in-every-section",
    "name-is-input",
    "name-is-train",
    "name-with-a-dot",
    "negative-padding",
    "negative-stride",
    "no-version",
    "number-for-true-or-false",
    "op-and-layers",
    "outputs-is-text",
    "padding-word",
    "param-named-like-a-function",
    "param-named-like-python",
    "quoted-number",
    "repeat-key",
    "repeat-negative",
    "repeat-of-a-group",
    "sections-missing",
    "text-for-a-number",
    "three-sizes",
    "two-mistakes",
    "typo-block-section",
    "typo-expect-key",
    "typo-field",
    "typo-init-field",
    "typo-init-op",
    "typo-initializer",
    "typo-op-key",
    "typo-output-key",
    "typo-param-type",
    "typo-reserved-key",
    "typo-section",
    "unknown-field-of-a-group",
    "when-is-a-number",
    "wrong-version",
    "yes-is-text",
    "zero-channels",
]
OWN_SEEN = [
    "block-missing-param",
    "block-param-choice",
    "block-param-type",
    "expect-set",
    "field-of-a-block-without-params",
    "from-and-op-both-wrong",
    "typo-op",
    "typo-param-at-use",
]


@pytest.mark.parametrize("name", SEEN)
def test_mistake_of_a_golden_spec(name: str) -> None:
    assert not general().is_valid(as_json((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", OWN_SEEN)
def test_mistake_of_a_golden_spec_that_its_own_schema_sees(name: str) -> None:
    path = GOLDEN / f"{name}.yaml"
    data = as_json(path.read_text(encoding="utf-8"))
    assert general().is_valid(data)
    assert not own(path).is_valid(data)


@pytest.mark.parametrize("op", sorted(BLOCKS.builtin))
def test_every_op_and_field_is_described(op: str) -> None:
    form = schema()["definitions"][f"op.{op}"]
    assert form["description"] == BLOCKS[op].__doc__.strip().replace("\n    ", "\n")  # type: ignore[union-attr]
    for name, field in BLOCKS[op].model_fields.items():
        assert form["properties"][name]["description"]
        assert (name in form.get("required", [])) == field.is_required()


def test_every_word_of_the_language_is_described() -> None:
    made = schema()
    assert list(made["properties"]) == SECTIONS
    assert all(section["description"] for section in made["properties"].values())
    kinds = made["definitions"]["initializer"]["anyOf"][-2]["properties"]
    assert sorted(kinds) == sorted(INITIALIZERS)
    assert all(kind["description"] for kind in kinds.values())


def test_defaults_are_those_of_the_blocks() -> None:
    fields = schema()["definitions"]["op.conv2d"]["properties"]
    shown = {name: field["default"] for name, field in fields.items() if isinstance(field, dict) and "default" in field}
    assert shown == {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}


class Curve(BaseModel):
    """A nested model, as a plugin may have one."""

    steps: list[int]
    point: tuple[int, str] = (1, "a")


class Strange(Primitive, op="strange"):
    """A block with fields that no built-in has."""

    curve: Curve | None = None
    """A nested form."""
    kind: Literal["soft", "hard"] = Field(default="soft", description="Which of two.")
    counts: dict[str, Count] = Field(default_factory=dict)
    """A mapping."""


def test_fields_of_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Strange.__module__])
    with BLOCKS.extended({"strange": Strange}, Provider("a plugin")):
        validator = Draft7Validator(schema())
    Draft7Validator.check_schema(validator.schema)
    right = [
        "{curve: {steps: [1, =width], point: [=width, b]}}",
        "{curve: =width}",
        "{kind: hard, counts: {a: =width}}",
    ]
    wrong = ["{curve: {steps: [a]}}", "{curve: {steps: [1], point: [a, b]}}", "{kind: firm}", "{counts: {a: 0}}"]
    for fields, is_right in [*((fields, True) for fields in right), *((fields, False) for fields in wrong)]:
        assert validator.is_valid(as_json(with_layer(fields.replace("{", "{op: strange, ", 1)))) is is_right, fields
    assert validator.schema["definitions"]["op.strange"]["properties"]["kind"]["description"] == "Which of two."


def archspec(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archspec", "schema", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_command_prints_the_schema() -> None:
    done = archspec()
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == schema()


def test_command_writes_the_schema_of_a_spec(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    done = archspec("good.yaml", "--out", "good.json", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "good.json").read_text()) == schema(load(text=GOOD))


def test_command_takes_a_library() -> None:
    library = zoo() / "blocks" / "residual.yaml"
    assert form_problems(load(library)) == []
    done = archspec(str(library))
    assert done.returncode == 0
    assert "op.bottleneck" in json.loads(done.stdout)["definitions"]


def test_command_on_a_spec_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD + "use: [nothing.yaml]\n")
    done = archspec("bad.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bad.yaml:16:7: `use` names nothing.yaml, which is neither")


def test_command_makes_the_folder_it_writes_to(tmp_path: Path) -> None:
    out = tmp_path / "none" / "schema.json"
    assert archspec("--out", str(out)).returncode == 0
    assert json.loads(out.read_text(encoding="utf-8"))["title"] == "archspec"


def test_command_with_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = archspec("--out", str(tmp_path / "file" / "schema.json"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "not a directory" in done.stderr
