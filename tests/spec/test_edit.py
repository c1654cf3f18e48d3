"""`extends` with `edit`: what each operation does, and what it says of a path it cannot follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec import api
from archspec.errors import Problem, SpecError
from archspec.graph.graph import Graph

PARENT = """\
archspec: 1
name: parent
inputs: {image: [3, 8, 8]}
blocks:
  unit:
    params: {width: 4}
    layers:
      conv: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
      relu: relu
layers:
  stem: &conv {op: conv2d, out_channels: 4, kernel_size: 3, padding: {left: 1, right: 1}}
  twin: *conv
  act: relu
  units: {op: unit, repeat: 2}
  one: {op: unit, width: 6}
  group:
    layers:
      inner: tanh
      deep: {layers: {a: relu}}
  list: {layers: [relu, {op: dropout, p: 0.5}]}
  gap: global_avg_pool2d
  fc: {op: linear, out_features: 5}
outputs: {logits: fc}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parent.yaml").write_text(PARENT)
    return tmp_path


def child(*edits: str) -> Graph:
    text = "archspec: 1\nname: child\nextends: parent.yaml\nedit:\n" + "".join(f"  - {edit}\n" for edit in edits)
    Path("child.yaml").write_text(text)
    return api.validate("child.yaml")


def problems(*edits: str) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        child(*edits)
    return caught.value.problems


def ops(graph: Graph) -> dict[str, str]:
    return {node.name: node.op for node in graph.layers}


def test_set_changes_one_field(folder: Path) -> None:
    graph = child("{set: layers.stem.out_channels, to: 7}")
    assert graph["stem"].shape.dims[0] == 7
    assert graph["twin"].shape.dims[0] == 4  # an alias is a copy of its own


def test_set_reaches_into_the_value_of_a_field(folder: Path) -> None:
    graph = child("{set: layers.stem.padding.left, to: 3}", "{set: layers.units.repeat, to: 3}")
    assert graph["stem"].shape.dims == (4, 6, 10)
    assert "units.2.conv" in graph


def test_set_adds_a_field_even_to_an_op_alone(folder: Path) -> None:
    assert child("{set: layers.act.op, to: dropout}", "{set: layers.act.p, to: 0.25}")["act"].fields == {"p": 0.25}


def test_set_in_a_block_changes_every_use(folder: Path) -> None:
    graph = child("{set: blocks.unit.layers.conv.kernel_size, to: 1}", "{set: blocks.unit.layers.conv.padding, to: 0}")
    kernels = {node.name: node.fields["kernel_size"] for node in graph.layers if node.op == "conv2d"}
    assert kernels == {"stem": 3, "twin": 3, "units.0.conv": 1, "units.1.conv": 1, "one.conv": 1}


def test_set_changes_the_default_of_a_block(folder: Path) -> None:
    graph = child("{set: blocks.unit.params.width, to: 9}")
    assert graph["units.1.conv"].shape.dims[0] == 9
    assert graph["one.conv"].shape.dims[0] == 6


def test_expressions_are_set_as_they_are(folder: Path) -> None:
    graph = child("{set: layers.units.width, to: =4 + index}")
    assert [graph[f"units.{i}.conv"].shape.dims[0] for i in (0, 1)] == [4, 5]


def test_replace(folder: Path) -> None:
    graph = child("{replace: layers.units, with: {op: sigmoid}}", "{replace: layers.group.inner, with: relu}")
    assert ops(graph)["units"] == "sigmoid"
    assert ops(graph)["group.inner"] == "relu"
    assert list(graph)[4].name == "units"  # in the old one's place


def test_remove(folder: Path) -> None:
    graph = child("{remove: layers.units}", "{remove: layers.group.deep}", "{remove: layers.list.0}")
    assert not [name for name in ops(graph) if name.startswith(("units", "group.deep", "list.1"))]
    assert ops(graph)["list.0"] == "dropout"


def test_insert_before_and_after(folder: Path) -> None:
    graph = child(
        "{insert_after: layers.act, layers: {x1: sigmoid, x2: tanh}}",
        "{insert_before: blocks.unit.layers.relu, layers: {bn: batch_norm2d}}",
        "{insert_before: layers.list.1, layers: [tanh]}",
    )
    names = list(ops(graph))
    assert names[names.index("act") :][:3] == ["act", "x1", "x2"]
    assert names[names.index("one.conv") :][:3] == ["one.conv", "one.bn", "one.relu"]
    assert [ops(graph)[f"list.{i}"] for i in range(3)] == ["relu", "tanh", "dropout"]
    assert graph["units.0.conv"].inputs == ("x2",)


def test_edits_are_made_one_after_another(folder: Path) -> None:
    graph = child("{insert_after: layers.act, layers: {x: tanh}}", "{replace: layers.x, with: sigmoid}")
    assert ops(graph)["x"] == "sigmoid"


def test_an_edited_spec_can_be_extended_and_edited(folder: Path) -> None:
    child("{set: layers.fc.out_features, to: 6}")
    text = "archspec: 1\nname: grandchild\nextends: child.yaml\nedit: [{set: layers.act.op, to: tanh}]\n"
    Path("grandchild.yaml").write_text(text)
    graph = api.validate("grandchild.yaml")
    assert (graph["fc"].shape.dims, graph["act"].op) == ((6,), "tanh")


REFUSED: dict[str, tuple[str, str, str]] = {
    "one copy of a repeat": (
        "{set: layers.units.0.conv.stride, to: 2}",
        "`layers.units` repeats (parent.yaml:14): one copy cannot be edited",
        "set layers.units.FIELD changes every copy",
    ),
    "inside a use of a block": (
        "{remove: layers.one.conv}",
        "`layers.one` is a use of block `unit` (parent.yaml:15)",
        "edit blocks.unit.layers.conv, which changes every use",
    ),
    "a layer that is not there": ("{remove: layers.sten}", "`layers` has no `sten`", "did you mean `stem`?"),
    "a block that is not there": (
        "{remove: blocks.unti.layers.conv}",
        "`blocks` has no `unti`",
        "did you mean `unit`?",
    ),
    "a list has no names": ("{remove: layers.list.relu}", "`layers.list` is a list of 2, found `relu`", "count from 0"),
    "set of a layer": ("{set: layers.stem, to: relu}", "`layers.stem` is not a field", "{replace:"),
    "replace of a field": ("{replace: layers.stem.stride, with: 2}", "`layers.stem.stride` names no layer", "{set:"),
    "a field of a primitive is no group": (
        "{set: layers.gap.a.b, to: 2}",
        "`layers.gap` (parent.yaml:21) has no `a`",
        "",
    ),
    "a path of another section": ("{set: params.classes, to: 2}", "begins with `layers.` or `blocks.`", "layers.conv1"),
    "two operations": ("{set: layers.stem.stride, remove: layers.act}", "an edit is one operation", "insert_after"),
    "no operation": ("{change: layers.stem}", "an edit is one operation", "set, replace"),
    "without its operand": ("{set: layers.stem.stride}", "`set` is written {set: layers.NAME.FIELD, to: VALUE}", ""),
    "text": ("layers.stem", "an edit is one operation", ""),
    "a path of many": ("{remove: [layers.stem, layers.act]}", "`remove` names a path", ""),
    "a mapping into a list": ("{insert_after: layers.list.0, layers: {a: relu}}", "must be a list", ""),
    "a list into a mapping": ("{insert_after: layers.act, layers: [relu]}", "must be a mapping of names", ""),
    "a name that is taken": (
        "{insert_after: layers.act, layers: {stem: relu}}",
        "`stem` is already the name of a layer (parent.yaml:11)",
        "",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(folder: Path, name: str) -> None:
    edit, message, hint = REFUSED[name]
    (problem,) = problems(edit)
    assert message in problem.message
    assert hint in problem.hint
    assert problem.position is not None
    assert (problem.position.source.name, problem.position.line) == ("child.yaml", 5)


def test_a_mistake_in_what_an_edit_brings_is_told_at_its_place(folder: Path) -> None:
    (problem,) = problems("{set: layers.stem.strid, to: 2}")
    assert str(problem).startswith("child.yaml:5:11: stem (conv2d): conv2d has no field `strid`")
    (problem,) = problems("{replace: layers.act, with: reul}")
    assert str(problem).startswith("child.yaml:5:33: act (reul): there is no op `reul`")


def test_a_reference_to_what_was_removed_names_both_files(folder: Path) -> None:
    Path("parent.yaml").write_text(PARENT.replace("act: relu", "act: {op: add, from: [stem, twin]}"))
    (problem,) = problems("{remove: layers.twin}")
    assert str(problem).startswith("parent.yaml:13:")
    assert problem.hint == "`edit` removed it (child.yaml:5); change this `from` there too"


def test_edit_needs_extends(folder: Path) -> None:
    Path("alone.yaml").write_text(PARENT + "edit: [{remove: layers.act}]\n")
    with pytest.raises(SpecError, match="`edit` changes the spec that `extends` names"):
        api.validate("alone.yaml")


def test_edit_must_be_a_list(folder: Path) -> None:
    Path("child.yaml").write_text("archspec: 1\nname: c\nextends: parent.yaml\nedit: {remove: layers.act}\n")
    with pytest.raises(SpecError, match="`edit` must be a list of edits"):
        api.validate("child.yaml")


def test_the_parent_stays_as_it_is(folder: Path) -> None:
    child("{remove: layers.act}")
    assert (folder / "parent.yaml").read_text() == PARENT
    assert "act" in api.validate("parent.yaml")


def test_an_alias_in_an_edit_is_a_copy(folder: Path) -> None:
    graph = child(
        "{insert_after: layers.act, layers: {x: &q {op: conv2d, out_channels: 4, kernel_size: 1}, y: *q}}",
        "{set: layers.x.kernel_size, to: 3}",
    )
    assert (graph["x"].fields["kernel_size"], graph["y"].fields["kernel_size"]) == (3, 1)
    graph = child(
        "{set: layers.stem.padding, to: &p {left: 1}}",
        "{set: layers.twin.padding, to: *p}",
        "{set: layers.stem.padding.right, to: 2}",
    )
    assert graph["twin"].fields["padding"] == {"left": 1}


def test_a_mistake_in_a_replaced_layer_is_told_where_the_edit_is(folder: Path) -> None:
    (problem,) = problems("{replace: layers.stem, with: {op: conv2d, out_channels: 8}}")
    assert str(problem).startswith("child.yaml:5:15: stem (conv2d): conv2d needs `kernel_size`")


@pytest.mark.parametrize(
    ("edit", "what"), [("{remove: layers.fc}", "output logits"), ("{remove: blocks.unit}", "no op `unit`")]
)
def test_what_an_edit_breaks_elsewhere_names_the_edit(folder: Path, edit: str, what: str) -> None:
    found = problems(edit)
    assert what.replace("output logits", "output `logits`") in found[0].message
    assert "`edit` removed it (child.yaml:5)" in found[0].hint
