"""The JSON Schema of recipes accepts what archspec accepts, and refuses the mistakes that one place shows."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from archspec.errors import Source
from archspec.length import Calendar
from archspec.part import Schedule
from archspec.plugins import Provider
from archspec.recipe.document import Recipe
from archspec.recipe.files import load_recipe, recipe_names
from archspec.registry import PARTS, RECIPE_PARTS
from archspec.spec.reader import plain, read
from archspec.spec.shelves import zoo
from archspec.views.recipe import recipe_view
from archspec.views.recipe_schema import APART, recipe_schema

RECIPES = sorted((zoo() / "recipes").glob("*.yaml"))
BASE = """\
recipe: 1
name: good
data: cifar10
batch: {size: 128, last: wrap}
length: 64000 steps
loss: cross_entropy
metrics: [top1_error]
optimizer: {op: sgd, lr: 0.1, momentum: 0.9, lr_in_velocity: true}
"""
CHILD = "recipe: 1\nname: child\nextends: quick\n"


@cache
def validator() -> Draft7Validator:
    return Draft7Validator(recipe_schema())


def as_json(text: str) -> Any:
    """A recipe as an editor sees it: JSON has only texts for keys."""
    return json.loads(json.dumps(plain(read(Source("recipe.yaml", text)))))


def accepts(text: str) -> bool:
    return bool(validator().is_valid(as_json(text)))


def test_the_schema_is_a_schema() -> None:
    Draft7Validator.check_schema(recipe_schema())
    text = json.dumps(recipe_schema())
    assert '"$ref": "#/definitions/."' not in text


def test_every_reference_leads_somewhere() -> None:
    def references(form: Any) -> set[str]:
        if isinstance(form, list):
            return set().union(*map(references, form)) if form else set()
        if not isinstance(form, dict):
            return set()
        own = {form["$ref"]} if isinstance(form.get("$ref"), str) else set()
        return own.union(*map(references, form.values()))

    schema = recipe_schema()
    assert references(schema) <= {f"#/definitions/{name}" for name in schema["definitions"]}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_zoo_is_valid(path: Path) -> None:
    validator().validate(as_json(path.read_text("utf-8")))


@pytest.mark.parametrize("name", recipe_names())
def test_a_resolved_recipe_is_valid(name: str) -> None:
    validator().validate(as_json(recipe_view(load_recipe(name))))


def test_every_part_and_field_is_described() -> None:
    definitions = recipe_schema()["definitions"]
    for kind, ops in PARTS.items():
        assert (kind in definitions) is (kind not in APART)
        for op in ops if kind not in APART else ():
            form = definitions[f"{kind}.{op}"]
            assert form["description"], op
            fields = {field.alias or name for name, field in RECIPE_PARTS[kind][op].model_fields.items()}
            assert {"op", *fields} == set(form["properties"])
            assert all(field.get("description") for name, field in form["properties"].items() if name != "op"), op
    assert set(recipe_schema()["properties"]) == {*Recipe.model_fields, "extends"}


RIGHT = {
    "as it is": "",
    "bare parts": "order: shuffle\nselect: last\n",
    "one phase": "schedule: {op: cosine, to: 0}\n",
    "phases": "schedule: [{op: linear, from: 0, to: 1, lasts: 5 epochs}, constant]\n",
    "no mix": "mix: []\n",
    "one mix": "mix: {op: mixup, alpha: 1}\n",
    "lengths": "average: {op: mean, every: 1/2 epochs}\n",
    "null": "average: null\nbatch_norm: null\n",
    "a condition": "schedule: [{op: constant, until: {metric: train.loss, below: 1, over: 9 steps}}, constant]\n",
    "protocols": "evaluate: {a: whole, b: {op: ten_crop, size: 3, prepare: [{op: resize, shorter: 4}]}}\n",
    "an assumed number": "prepare: [{op: resize, shorter: {assumed: 3, why: x}}]\n",
    "an assumed item of a list": "prepare: [{op: resize, shorter: [{assumed: 3, why: x}, 4]}]\n",
    "an assumed part": "prepare: [{assumed: {op: resize, shorter: {assumed: 3, why: x}}, why: y}]\n",
    "an assumed section": "schedule: {assumed: [{op: cosine, to: 0}], why: x}\n",
    "an assumed op": "average: {op: {assumed: mean, why: x}}\n",
    "union of a word and a number": "augment: [{op: pad, size: 1, fill: 3.5}, {op: pad, size: 1, fill: mean}]\n",
    "reported": "evaluate: {a: whole}\nreported: [{spec: a, set: {n: 3}, data: b, protocol: a, top1_error: 3}]\n",
    "components": "augment: [{op: pca_lighting, std: 1, magnitude: stdev, components: fitted}]\n",
    "rules": "loss_weights: {aux: {assumed: 0.3, why: x}}\nseed: 3\n",
}
WRONG = {
    "unknown section": "lenght: 3 epochs\n",
    "unknown op": "average: emma\n",
    "unknown op of a mapping": "average: {op: emma}\n",
    "no op": "average: {decay: 0.9}\n",
    "op alone that needs fields": "average: ema\n",
    "misspelt field": "average: {op: ema, decai: 0.9}\n",
    "missing field": "average: {op: ema}\n",
    "text for a number": "average: {op: ema, decay: much}\n",
    "quoted number": 'average: {op: ema, decay: "0.9"}\n',
    "number beyond its limit": "average: {op: ema, decay: 1.5}\n",
    "length without a unit": "average: {op: mean, every: 3}\n",
    "unknown unit": "average: {op: mean, every: 3 weeks}\n",
    "wrong word": "average: {op: mean, buffers: both}\n",
    "list for a part": "average: [mean]\n",
    "part for a list": "augment: {op: flip, p: 0.5}\n",
    "wrong part in a list": "augment: [{op: flip, p: 2}]\n",
    "part of another kind": "augment: [mixup]\n",
    "wrong phase": "schedule: [constant, {op: cosine}]\n",
    "no phases": "schedule: []\n",
    "wrong select": "select: first\n",
    "select without best": "select: {metric: a.b}\n",
    "assumed without why": "seed: {assumed: 3}\n",
    "assumed with more": "seed: {assumed: 3, why: x, because: y}\n",
    "assumed of a wrong value": "seed: {assumed: three, why: x}\n",
    "assumed twice": "seed: {assumed: {assumed: 3, why: x}, why: x}\n",
    "assumed part with a wrong field": "average: {assumed: {op: ema, decay: 2}, why: x}\n",
    "wrong number in a nested part": "evaluate: {a: {op: whole, prepare: [{op: resize, shorter: 0}]}}\n",
    "wrong condition": "schedule: [{op: constant, until: {metric: train.loss, below: x, over: 9 steps}}, constant]\n",
    "reported in words": "reported: [{spec: a, data: b, protocol: c, top1_error: about 3}]\n",
    "negative weight": "loss_weights: {aux: -1}\n",
}


@pytest.mark.parametrize("more", RIGHT.values(), ids=RIGHT)
def test_right(more: str) -> None:
    load_recipe(text=BASE + more)
    validator().validate(as_json(BASE + more))


@pytest.mark.parametrize("more", WRONG.values(), ids=WRONG)
def test_wrong(more: str) -> None:
    with pytest.raises(Exception, match=r"<text>:"):
        load_recipe(text=BASE + more)
    assert not accepts(BASE + more)


@pytest.mark.parametrize("line", BASE.splitlines(keepends=True), ids=lambda line: line.split(":")[0])
def test_every_section_of_the_base_is_needed(line: str) -> None:
    assert not accepts(BASE.replace(line, ""))


CHILDREN = {
    "alone": ("", True),
    "field of a part": ("optimizer: {lr: 0.2}\n", True),
    "field of a bare op": ("loss: {label_smoothing: 0.1}\n", True),
    "field of a model": ("batch: {size: 3}\n", True),
    "field of a protocol": ("evaluate: {test: {every: 2 epochs}}\n", True),
    "whole part": ("optimizer: {op: adamw, lr: 0.1}\n", True),
    "whole part that lacks a field": ("optimizer: {op: sgd, lr: 0.1}\n", False),
    "field that no part has": ("optimizer: {lrr: 0.2}\n", False),
    "field that no model has": ("batch: {sice: 3}\n", False),
    "wrong value of a model": ("batch: {size: 0}\n", False),
    "list items are whole": ("augment: [{p: 0.1}]\n", False),
    "unknown section": ("lenght: 3 epochs\n", False),
}


@pytest.mark.parametrize(("more", "good"), CHILDREN.values(), ids=CHILDREN)
def test_a_child_may_leave_out_what_its_parent_has(more: str, good: bool) -> None:
    assert accepts(CHILD + more) is good


class Wave(Schedule, op="wave"):
    """A wave."""

    waves: int
    """How many."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        return 1.0


def test_a_part_of_a_plugin_is_described() -> None:
    text = BASE + "schedule: {op: wave, waves: 2}\n"
    assert not accepts(text)
    with RECIPE_PARTS["schedule"].extended({"wave": Wave}, Provider("a plugin")):
        load_recipe(text=text)
        own = Draft7Validator(recipe_schema())
        assert own.is_valid(as_json(text)) and not own.is_valid(as_json(text.replace("2}", "two}")))
