"""What a difference looks like, and that text and data say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec import api
from archspec.graph.difference import Difference, difference
from archspec.views.diff import diff_data, diff_text


def between(a: str, b: str, set_a: dict[str, Any] | None = None, set_b: dict[str, Any] | None = None) -> Difference:
    return difference(api.compile(a, set=set_a or {}), api.compile(b, set=set_b or {}))


def of_texts(a: str, b: str) -> Difference:
    return difference(api.compile(api.load(text=a)), api.compile(api.load(text=b)))


def shown(found: Difference, **options: bool) -> str:
    return "\n".join(diff_text(found, **options))


def test_a_plain_network_and_its_residual_one_differ_by_the_shortcuts():
    assert shown(between("plain34", "resnet34")) == (
        "--- plain34\n"
        "+++ resnet34\n"
        "+ layer*.*.add (add) x 16: now read by layer*.*.relu\n"
        "+ layer*.0.shortcut (zero_padding) x 3: 3 layers\n"
        "\n"
        "params: 21,623,848 (no change)\n"
        "MACs:   3,644,493,824 (no change)"
    )


def test_the_same_on_cifar():
    lines = diff_text(between("plain-cifar", "resnet-cifar"))
    assert lines[2:4] == [
        "+ stage*.*.add (add) x 9: now read by stage*.*.relu",
        "+ stage*.0.shortcut (zero_padding) x 2: 2 layers",
    ]


def test_basic_blocks_and_bottlenecks():
    assert shown(between("resnet34", "resnet50")) == (
        "--- resnet34\n"
        "+++ resnet50\n"
        "~ layer*.*.conv1 (conv2d) x 16: kernel_size 3 -> 1, padding 1 -> 0, -5,439,488\n"
        "    params, -969,801,728 MACs\n"
        "+ layer*.*.relu2 (relu) x 16\n"
        "+ layer*.*.conv3 (conv2d 1x1) x 16: 5,029,888 params, 822,083,584 MACs\n"
        "+ layer*.*.bn3 (batch_norm2d) x 16: 30,208 params, now read by layer*.*.add\n"
        "+ layer*.0.shortcut (projection) x 4: 8 layers, 2,776,576 params, 359,661,568\n"
        "    MACs, now read by layer*.0.add\n"
        "- layer*.0.shortcut (zero_padding) x 3: 3 layers, was read by layer*.0.add\n"
        "~ 35 further layers change because of these: 34 in shape, 1 in params, 1 in MACs\n"
        "\n"
        "params: 21,623,848 -> 25,557,032 (+3,933,184, +18.2%)\n"
        "MACs:   3,644,493,824 -> 3,857,973,248 (+213,479,424, +5.9%)"
    )


def test_auxiliary_heads_are_one_line_and_cost_in_training_alone():
    assert shown(between("googlenet", "googlenet", set_b={"aux": False})) == (
        "--- googlenet\n"
        "+++ googlenet aux=false\n"
        "- aux* (aux_head) x 2: 16 layers, 6,379,728 params, 8,372,224 MACs\n"
        "- output aux1: aux1.fc2, training only, loss weight 0.3\n"
        "- output aux2: aux2.fc2, training only, loss weight 0.3\n"
        "\n"
        "params:             6,998,552 (no change)\n"
        "params in training: 13,378,280 -> 6,998,552 (-6,379,728, -47.7%)\n"
        "MACs:               1,582,671,872 (no change)\n"
        "MACs in training:   1,591,044,096 -> 1,582,671,872 (-8,372,224, -0.5%)"
    )


def test_one_changed_field():
    lines = diff_text(between("alexnet", "alexnet", set_b={"lrn_groups": 2}))
    assert lines[2:4] == ["~ norm* (lrn) x 2: groups 1 -> 2", ""]


def test_further_copies_are_one_line():
    lines = diff_text(between("resnet-cifar", "resnet-cifar", set_b={"depth": 56}))
    assert lines[2] == "+ stage*.* (basic) x 18: 126 layers, 583,296 params, 84,934,656 MACs, now read"


def test_a_network_is_itself():
    assert diff_text(between("resnet-cifar", "resnet-cifar")) == [
        "--- resnet-cifar",
        "+++ resnet-cifar",
        "no difference",
    ]


SMALL = """
archspec: 1
name: small
inputs: {image: [3, 32, 32]}
blocks:
  unit:
    params: {width: int}
    layers:
      conv: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
      act: relu
layers:
  stem: {op: unit, width: 8}
  body: {op: unit, width: 8, repeat: 3}
  gap: global_avg_pool2d
  fc: {op: linear, out_features: 10}
outputs: {logits: fc}
init:
  - {op: conv2d, weight: {kaiming_normal: {mode: fan_out}}}
"""


def test_a_renamed_copy_has_no_structural_difference():
    other = SMALL.replace("stem:", "entry:").replace("body:", "trunk:").replace("act:", "relu:")
    assert diff_text(of_texts(SMALL, other))[2:] == [
        "no structural difference, 8 renamed",
        "~ renamed: stem -> entry",
        "~ renamed: stem.act -> entry.relu",
        "~ renamed: body -> trunk (3 layers)",
        "~ renamed: body.*.act -> trunk.*.relu (3 layers)",
    ]


def test_names_can_be_left_out():
    other = SMALL.replace("stem:", "entry:")
    assert diff_text(of_texts(SMALL, other), names=False)[2:] == ["no structural difference"]


def test_what_is_not_a_layer_is_told_too():
    other = SMALL.replace("fan_out", "fan_in").replace(
        "{logits: fc}", "{probabilities: fc, map: {from: gap, training_only: true}}"
    )
    lines = diff_text(of_texts(SMALL, other))
    assert lines[2:7] == [
        "- output logits: fc",
        "+ output probabilities: fc",
        "+ output map: gap, training only",
        "~ init of stem.conv.weight, body.*.conv.weight (4 parameters): kaiming_normal",
        "    mode fan_out -> kaiming_normal mode fan_in",
    ]


def test_a_wider_block_is_one_change_per_place():
    other = SMALL.replace("{op: unit, width: 8, repeat: 3}", "{op: unit, width: 16, repeat: 3}")
    lines = diff_text(of_texts(SMALL, other))
    assert lines[2].startswith("~ body.*.conv (conv2d) x 3: out_channels 8 -> 16, output 8x32x32 -> 16x32x32,")
    assert lines[4] == "~ 5 further layers change because of these: 4 in shape, 1 in params, 1 in MACs"


def test_what_changes_in_shape_only_says_so():
    other = SMALL.replace("[3, 32, 32]", "[3, 16, 16]").replace("gap: g", "extra: {op: dropout, p: 0.1}\n  gap: g")
    lines = diff_text(of_texts(SMALL, other))
    assert lines[2] == "~ image (input): shape 3x32x32 -> 3x16x16"
    assert lines[3] == "+ extra (dropout): 8x16x16, now read by gap"


def test_two_files_of_one_name_are_told_apart(tmp_path):
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.yaml").write_text(SMALL)
    old, new = str(tmp_path / "old" / "net.yaml"), str(tmp_path / "new" / "net.yaml")
    assert diff_text(between(old, new))[:2] == [f"--- small ({old})", f"+++ small ({new})"]


PAIRS = [
    ("alexnet", "googlenet"),
    ("resnet34", "resnet-cifar"),
    ("resnet50", "resnet152"),
    ("googlenet", "plain18"),
    ("resnet-cifar", "alexnet"),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_any_two_networks_fit_80_columns(a, b):
    for line in diff_text(between(a, b)):
        assert len(line) <= 80 and line == line.rstrip()


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_data_accounts_for_every_layer_and_for_the_costs(a, b):
    found = between(a, b)
    data = json.loads(json.dumps(diff_data(found)))
    assert data["same"] is False and data["same_structure"] is False
    kept = len(found.pairs)
    assert kept + len(data["removed"]) == len(found.a) and kept + len(data["added"]) == len(found.b)
    for cost in ("params", "macs"):
        changes = sum(change[cost]["b"] - change[cost]["a"] for change in data["changed"] + data["derived"])
        gained = sum(node[cost] for node in data["added"]) - sum(node[cost] for node in data["removed"])
        total = "params" if cost == "params" else "macs_training"
        assert changes + gained == data["b"][total] - data["a"][total]


def test_the_keys_of_the_data():
    found = of_texts(SMALL, SMALL.replace("gap: g", "extra: {op: dropout, p: 0.1}\n  gap: g").replace("fc", "head"))
    data = diff_data(of_texts(SMALL, SMALL))
    assert list(data) == [
        "same",
        "same_structure",
        "a",
        "b",
        "removed",
        "added",
        "changed",
        "derived",
        "renamed",
        "moved",
        "outputs",
        "outputs_reordered",
        "init",
    ]
    assert data["same"] and data["a"] == data["b"]
    assert set(data["a"]) == {"name", "set", "params", "params_inference", "macs", "macs_training"}
    (node,) = diff_data(found)["added"]
    assert node == {
        "name": "extra",
        "op": "dropout",
        "group": None,
        "inputs": ["body.2.act"],
        "shape": [8, 32, 32],
        "params": 0,
        "macs": 0,
        "readers": ["gap"],
        "line": 14,
    }


def test_an_added_layer_knows_its_group():
    data = diff_data(between("resnet50", "resnet50", set_a={"shortcut": "A"}))
    assert {node["group"] for node in data["added"]} == {f"layer{k}.0.shortcut" for k in (1, 2, 3, 4)}


def test_fields_that_changed_are_data():
    other = SMALL.replace("kernel_size: 3, padding: 1", "kernel_size: [3, 1], padding: {left: 1, right: 1}")
    data = json.loads(json.dumps(diff_data(of_texts(SMALL, other))))
    assert data["changed"][0]["fields"] == {
        "kernel_size": {"a": 3, "b": [3, 1]},
        "padding": {"a": 1, "b": {"left": 1, "right": 1}},
    }


OPS = ["relu", "tanh", "{op: conv2d, out_channels: 3, kernel_size: 1}", "{op: dropout, p: 0.5}"]


@given(st.lists(st.sampled_from(OPS), min_size=1, max_size=8), st.lists(st.sampled_from(OPS), min_size=1, max_size=8))
def test_marks_say_what_is_on_which_side(one, two):
    def text(ops: list[str]) -> str:
        layers = "".join(f"  l{k}-: {op}\n" for k, op in enumerate(ops))
        return f"archspec: 1\nname: n\ninputs: {{x: [3, 4, 4]}}\nlayers:\n{layers}outputs: {{y: l{len(ops) - 1}-}}\n"

    there, back = of_texts(text(one), text(two)), of_texts(text(two), text(one))
    marks = [line[0] for line in diff_text(there)[2:] if line[:2] in ("+ ", "- ")]
    opposite = [line[0] for line in diff_text(back)[2:] if line[:2] in ("+ ", "- ")]
    assert marks.count("+") == opposite.count("-") and marks.count("-") == opposite.count("+")
    assert ("+" in marks) == bool(there.added) and ("-" in marks) == bool(there.removed)
    assert (diff_text(there)[2] == "no difference") == there.same
