from __future__ import annotations

from typing import Any

import pytest

from archspec.errors import Problem, SpecError
from archspec.spec import files
from archspec.spec.document import MODULE_NAMES, Spec

SECTIONS: dict[str, Any] = {
    "archspec": "1",
    "name": "t",
    "inputs": "{image: [3, 8, 8]}",
    "layers": "{a: relu}",
    "outputs": "{out: a}",
}


def parsed(**sections: str | None) -> Spec:
    """A small spec with some sections given, or left out where None."""
    given = {name: text for name, text in {**SECTIONS, **sections}.items() if text is not None}
    return files.load(text="\n".join(f"{name}: {text}" for name, text in given.items()))


def slugs(**sections: str | None) -> list[str]:
    return [problem.slug for problem in parsed(**sections).problems]


def first(**sections: str | None) -> Problem:
    return parsed(**sections).problems[0]


def test_a_small_spec() -> None:
    spec = parsed(description="some words", paper='"He et al. 2016, Table 1"')
    assert spec.problems == []
    assert (spec.name, spec.description, spec.paper) == ("t", "some words", "He et al. 2016, Table 1")
    assert list(spec.inputs) == ["image"]
    assert [layer.name for layer in spec.layers.items] == ["a"]
    assert list(spec.outputs) == ["out"]
    assert (spec.params, spec.let, spec.checks, spec.blocks, spec.init, spec.expect) == ({}, {}, [], {}, [], [])


@pytest.mark.parametrize("section", ["name", "inputs", "layers", "outputs"])
def test_needed_sections(section: str) -> None:
    assert slugs(**{section: None}) == ["missing-section"]


@pytest.mark.parametrize("section", ["params", "let", "check", "blocks", "init", "expect", "description", "paper"])
def test_other_sections_may_be_empty(section: str) -> None:
    assert slugs(**{section: ""}) == []


@pytest.mark.parametrize("version", ["2", "0", "'1'", "1.0", "true", "[1]", "", "one"])
def test_other_versions(version: str) -> None:
    assert slugs(archspec=version) == ["version"]


def test_no_version() -> None:
    assert slugs(archspec=None) == ["version"]


@pytest.mark.parametrize("name", ["t", "resnet-50", "a.b_c", "0", "7x7"])
def test_names_of_specs(name: str) -> None:
    assert parsed(name=name).name == name
    assert slugs(name=name) == []


@pytest.mark.parametrize("name", ["T", "-a", ".a", "_a", "a b", "a/b", "é", "'../a'", "[a]"])
def test_bad_names_of_specs(name: str) -> None:
    assert slugs(name=name) in (["bad-name"], ["bad-section"])


@pytest.mark.parametrize("section", ["edit", "requires"])
def test_sections_about_other_things_may_be_empty(section: str) -> None:
    assert slugs(**{section: "[]"}) == (["bad-edit"] if section == "edit" else [])


def test_a_layer_may_say_its_place() -> None:
    assert slugs(layers="{a: {op: relu, place: 1}}") == []


def test_shares_stands_without_op() -> None:
    assert slugs(layers="{a: relu, b: {shares: a}}") == []
    assert slugs(layers="{a: relu, b: {shares: a, op: relu}}") == ["bad-layer"]
    assert slugs(layers="{a: relu, b: {shares: [a, a]}}") == ["bad-reference"]


def test_unknown_sections() -> None:
    assert first(parms="{}").slug == "unknown-key"
    assert first(parms="{}").hint == "did you mean `params`?"
    assert "params" in first(zzz="{}").hint
    assert "edit" in first(zzz="{}").hint


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("inputs", "[image]"),
        ("inputs", "image"),
        ("params", "[a]"),
        ("let", "3"),
        ("check", "{that: =true, say: x}"),
        ("blocks", "[a]"),
        ("layers", "relu"),
        ("layers", "3"),
        ("outputs", "[a]"),
        ("init", "{op: relu}"),
        ("expect", "{params: 3}"),
        ("description", "[a]"),
        ("paper", "{a: b}"),
    ],
)
def test_kinds_of_sections(section: str, text: str) -> None:
    assert slugs(**{section: text}) == ["bad-section"]


LAYER: list[tuple[str, list[str]]] = [
    ("relu", []),
    ("{op: relu}", []),
    ("{op: relu, from: image}", []),
    ("{op: relu, from: [image, image]}", []),
    ("{op: relu, anything: 3}", []),
    ("{layers: {x: relu}}", []),
    ("{layers: [relu]}", []),
    ("{layers: {x: relu}, from: image, when: =true, else: image}", []),
    ("{op: relu, repeat: 3}", []),
    ("{op: relu, repeat: {count: 3, flat: true, start: 1}}", []),
    ("{op: =kind}", []),
    ("", ["bad-layer"]),
    ("3", ["bad-layer"]),
    ("true", ["bad-layer"]),
    ("''", ["bad-layer"]),
    ("[relu]", ["bad-layer"]),
    ("{}", ["bad-layer"]),
    ("{from: image}", ["bad-layer"]),
    ("{op: relu, layers: {x: relu}}", ["bad-layer"]),
    ("{op: }", ["bad-layer"]),
    ("{op: 3}", ["bad-layer"]),
    ("{op: [relu]}", ["bad-layer"]),
    ("{op: {relu: 1}}", ["bad-layer"]),
    ("{op: relu, else: image}", ["bad-layer"]),
    ("{op: relu, from: []}", ["bad-reference"]),
    ("{op: relu, from: [[image]]}", ["bad-reference"]),
    ("{op: relu, from: {image: 1}}", ["bad-reference"]),
    ("{op: relu, from: ''}", ["bad-reference"]),
    ("{op: relu, from: }", ["bad-reference"]),
    ("{op: relu, when: =true, else: [image]}", ["bad-reference"]),
    ("{op: relu, repeat: {flat: true}}", ["missing-field"]),
    ("{op: relu, repeat: {count: 3, flat: 1}}", ["bad-field"]),
    ("{op: relu, repeat: {count: 3, size: 1}}", ["unknown-key"]),
    ("{layers: {x: relu}, repeat: 2}", ["repeat-group"]),
    ("{layers: {x: relu}, width: 2}", ["unknown-field"]),
    ("{layers: {x: relu}, from: [image, image]}", ["wrong-arity"]),
    ("{layers: {}}", ["empty-layers"]),
    ("{layers: []}", ["empty-layers"]),
    ("{layers: relu}", ["bad-section"]),
    ("{layers: {x: 3, y: {}}}", ["bad-layer", "bad-layer"]),
]


@pytest.mark.parametrize(("layer", "expected"), LAYER, ids=str)
def test_layers(layer: str, expected: list[str]) -> None:
    assert slugs(layers=f"{{a: {layer}}}") == expected
    assert slugs(layers=f"[{layer or '~'}]") == expected
    assert slugs(blocks=f"{{u: {{layers: {{a: {layer}}}}}}}") == expected


def test_what_a_layer_says() -> None:
    layer = parsed(
        layers="{a: {op: conv, from: [image, b.c], repeat: {count: =n, flat: true, start: 2}, "
        "when: =w, else: b, size: 3}}"
    ).layers.items[0]
    assert layer.op is not None and layer.op.text == "conv"
    assert layer.inputs is not None and [reference.text for reference in layer.inputs] == ["image", "b.c"]
    assert layer.repeat is not None and layer.repeat.flat
    assert layer.otherwise is not None and layer.otherwise.text == "b"
    assert list(layer.fields) == ["size"]


@pytest.mark.parametrize("name", sorted(MODULE_NAMES))
def test_attributes_of_modules_name_no_layer(name: str) -> None:
    assert slugs(layers=f"{{{name}: relu}}") == ["bad-name"]
    assert slugs(layers=f"{{g: {{layers: {{{name}: relu}}}}}}") == ["bad-name"]


def test_the_frozen_names_hold_all_of_torchs() -> None:
    nn = pytest.importorskip("torch.nn")
    public = {name for name in dir(nn.Module()) if not name.startswith("_")}
    assert public <= MODULE_NAMES


BLOCK: list[tuple[str, list[str]]] = [
    ("{layers: {x: relu}}", []),
    ("{description: words, params: {}, let: {}, check: [], inputs: [a, b], layers: {x: relu}}", []),
    ("relu", ["bad-block"]),
    ("{}", ["bad-block"]),
    ("{params: {a: 1}}", ["bad-block"]),
    ("{layers: {x: relu}, outputs: {a: x}}", ["unknown-key"]),
    ("{layers: {x: relu}, inputs: {a: 1}}", ["bad-section"]),
    ("{layers: {x: relu}, inputs: [max]}", ["bad-name"]),
    ("{layers: {x: relu}, inputs: [a-b]}", ["bad-name"]),
    ("{layers: {a: relu}, inputs: [a]}", ["duplicate-name"]),
    ("{layers: {x: relu}, inputs: [a, a]}", ["duplicate-name"]),
    ("{layers: {x: relu}, params: {a: 1}, let: {a: 2}}", ["duplicate-name"]),
    ("{layers: {x: relu}, check: [{that: =true}]}", ["bad-check"]),
]


@pytest.mark.parametrize(("block", "expected"), BLOCK, ids=str)
def test_blocks(block: str, expected: list[str]) -> None:
    assert slugs(blocks=f"{{u: {block}}}") == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("u", []), ("7x7-reduce", []), ("'a b'", ["bad-name"]), ("a.b", ["bad-name"])]
)
def test_names_of_blocks(name: str, expected: list[str]) -> None:
    assert slugs(blocks=f"{{{name}: {{layers: {{x: relu}}}}}}") == expected


@pytest.mark.parametrize(
    "check",
    [
        "text",
        "{that: =true}",
        "{say: x}",
        "{that: =true, say: x, hint: y}",
        "{that: [1], say: x}",
        "{that: =true, say: [x]}",
    ],
)
def test_bad_checks(check: str) -> None:
    assert slugs(check=f"[{check}]") == ["bad-check"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("1", []),
        ("int", []),
        ("{type: int}", []),
        ("{default: 1, min: 0, max: 2, choices: [0, 1, 2], doc: words}", []),
        ("{type: integer}", ["bad-param"]),
        ("{default: 1, mim: 0}", ["unknown-field"]),
        ("{default: 1, min: low}", ["bad-field"]),
        ("{default: 1, choices: 1}", ["bad-field"]),
        ("{default: 3, choices: [1, 2]}", ["bad-param"]),
        ("{default: 3, max: 2}", ["bad-param"]),
        ("{type: str, default: 3}", ["bad-param"]),
        ("{type: float, default: 3}", []),
    ],
)
def test_params(form: str, expected: list[str]) -> None:
    assert slugs(params=f"{{p: {form}}}") == expected


def test_every_mistake_is_told() -> None:
    found = slugs(name="T", parms="{}", layers="{a: 3, train: relu}", init="{}")
    assert sorted(found) == ["bad-layer", "bad-name", "bad-name", "bad-section", "unknown-key"]


@pytest.mark.parametrize("root", ["[1]", "text", "3", "null"])
def test_not_a_spec(root: str) -> None:
    with pytest.raises(SpecError) as caught:
        files.load(text=root)
    assert [problem.slug for problem in caught.value.problems] == ["not-a-spec"]


def test_a_name_is_a_param_or_an_input() -> None:
    assert slugs(params="{image: 3}") == ["duplicate-name"]
