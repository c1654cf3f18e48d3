"""Renames of tensors: what a rule matches, what it makes, and which mistakes are told."""

from pathlib import Path

import pytest

from archspec.errors import SpecError
from archspec.spec.renames import Rename, load_renames, renamed, renames_of


@pytest.mark.parametrize(
    ("old", "new", "name", "becomes"),
    [
        ("fc.weight", "head.weight", "fc.weight", "head.weight"),
        ("fc.weight", "head.weight", "fcaweight", None),
        ("fc.*", "head.*", "fc.bias", "head.bias"),
        ("fc.*", "head.*", "fc.inner.bias", None),
        ("fc.*", "head.*", "aux.fc.bias", None),
        ("layer*.*.conv", "stage*.block*.conv", "layer3.12.conv", "stage3.block12.conv"),
        ("**.norm.1.*", "**.norm1.*", "features.denseblock1.norm.1.weight", "features.denseblock1.norm1.weight"),
        ("**.norm.1.*", "**.norm1.*", "norm.1.weight", "norm1.weight"),
        ("module.**.*", "**.*", "module.layer1.0.bn1.bias", "layer1.0.bn1.bias"),
        ("module.**.*", "**.*", "module.scale", "scale"),
        ("module.**.*", "**.*", "my.module.scale", None),
        ("a[0-9].*", "b.*", "a1.weight", None),
    ],
)
def test_a_rule_on_a_name(old, new, name, becomes):
    assert Rename(old, new).apply(name) == becomes


def test_rules_apply_in_turn_to_what_earlier_ones_made():
    rules = renames_of({"module.**.*": "**.*", "**.downsample.0.*": "**.shortcut.conv.*"})
    names = ["module.layer2.0.downsample.0.weight", "module.fc.bias"]
    assert list(renamed(names, rules).values()) == ["layer2.0.shortcut.conv.weight", "fc.bias"]


def write(folder: Path, text: str) -> Path:
    path = folder / "names.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_in_its_order(tmp_path):
    path = write(tmp_path, 'b.*: c.*\n"**.x": "**.y"  # any depth\n')
    assert [(rule.old, rule.new) for rule in load_renames(path)] == [("b.*", "c.*"), ("**.x", "**.y")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", "renames are a mapping of old names to new ones"),
        ("fc.*: head\n", "names.yaml:1:7: `head` must have the wildcards of `fc.*` in their order, *; it has none"),
        ('"**.a.*": "*.**.b"\n', "in their order, **. *; it has * **."),
        ("fc: [head]\n", "names.yaml:1:5: a rename takes one name to another"),
        ("fc:\n", "a rename takes one name to another"),
        ("fc: !!python/object/apply:os.system [touch]\n", "a spec is data, tags are not allowed"),
        ("fc: a\nfc: b\n", "`fc` is given twice"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, text, said):
    with pytest.raises(SpecError) as caught:
        load_renames(write(tmp_path, text))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SpecError, match=r"none.yaml: no such file"):
        load_renames(tmp_path / "none.yaml")


def test_a_rule_that_matches_nothing_is_a_mistake(tmp_path):
    rules = load_renames(write(tmp_path, "fc.wieght: head.weight\n"))
    with pytest.raises(SpecError) as caught:
        renamed(["fc.weight"], rules)
    assert "names.yaml:1:12: `fc.wieght` matches no name of the checkpoint" in str(caught.value)
    assert "did you mean `fc.weight`?" in str(caught.value)


def test_two_names_cannot_become_one():
    with pytest.raises(SpecError, match="`a` and `b` both become `b`"):
        renamed(["a", "b"], renames_of({"a": "b"}))
