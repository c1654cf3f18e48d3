"""The summary: rows by layer, block or depth; columns; memory; JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

import archspec
from archspec.cli import summary as command
from archspec.cli.app import cli
from archspec.graph.memory import BYTES, OPTIMIZERS
from archspec.views.summary import COLUMNS, Summary, size, sum_of


def printed(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(cli, ["summary", *arguments])
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture(scope="module")
def googlenet() -> archspec.Graph:
    return archspec.compile("googlenet")


@pytest.mark.parametrize(("by", "depth"), [("layer", None), ("block", None), ("layer", 1), ("layer", 2)])
def test_rows_add_up(googlenet: archspec.Graph, by: str, depth: int | None) -> None:
    rows = Summary(googlenet, by, depth).rows
    assert sum(row.params for row in rows) == googlenet.params
    assert sum(row.macs for row in rows) == googlenet.macs
    assert sum(row.layers for row in rows) == len(googlenet)
    assert sum(row.saved for row in rows) == Summary(googlenet).memory.activations
    assert len({row.name for row in rows}) == len(rows)


def test_a_row_per_block(googlenet: archspec.Graph) -> None:
    rows = {row.name: row for row in Summary(googlenet, "block").rows}
    assert rows["inception3a"].op == "inception"
    assert rows["inception3a"].shape.dims == (256, 28, 28)
    assert rows["pool1"].op == "max_pool2d"
    assert rows["aux1"].training_only and not rows["fc"].training_only
    repeated = {row.name for row in Summary(archspec.compile("resnet18"), "block").rows}
    assert {"layer1.0", "layer1.1", "conv1"} <= repeated


def test_depth_folds_paths(googlenet: archspec.Graph) -> None:
    assert all("." not in row.name for row in Summary(googlenet, depth=1).rows)


def test_training_only_layers_are_marked() -> None:
    lines = printed("googlenet").splitlines()
    assert [line for line in lines if line.startswith("aux1.fc2 *")]
    assert "* in training only: 6,379,728 of the params" in "\n".join(lines)


@pytest.mark.parametrize("by", [[], ["--by", "block"], ["--depth", "1"]])
def test_csv_is_the_json(by: list[str]) -> None:
    layers = json.loads(printed("resnet18", "--json", *by))["layers"]
    table = list(csv.DictReader(io.StringIO(printed("resnet18", "--csv", *by))))
    assert [row["name"] for row in table] == [layer["name"] for layer in layers]
    assert [int(row["params"]) for row in table] == [layer["params"] for layer in layers]
    assert table[0]["shape"] == "x".join(map(str, layers[0]["shape"]))
    assert list(table[0]) == list(layers[0])


def test_columns() -> None:
    head, _, first, *_ = printed("resnet18", "--columns", "params,line").splitlines()
    assert head.split() == ["layer", "params", "line"]
    assert first.split()[0] == "image"
    assert len(printed("resnet18", "--columns", "all").splitlines()[0].split()) == 1 + len(COLUMNS)
    assert "there is no column 'parms'" in printed("resnet18", "--columns", "parms", status=2)


def test_the_words_of_the_command_are_those_of_the_view() -> None:
    assert command.COLUMNS.split() == list(COLUMNS)
    choices = {option.name: list(getattr(option.type, "choices", [])) for option in command.summary.params}
    assert sorted(choices["dtype"]) == sorted(BYTES)
    assert choices["optimizer"] == list(OPTIMIZERS)


def test_a_narrow_table_leaves_out_columns_and_says_so(googlenet: archspec.Graph) -> None:
    wide, narrow = Summary(googlenet).table(), Summary(googlenet).table(width=70)
    assert "left out" not in wide
    assert "left out for want of width: " in narrow.splitlines()[-1]
    body = narrow.splitlines()[: len(googlenet) + 3]
    assert max(map(len, body)) <= 70
    assert Summary(googlenet).table(["op", "params"], width=10) == Summary(googlenet).table(["op", "params"])


def test_memory_scales() -> None:
    one, many = (json.loads(printed("resnet18", "--json", "--batch", n))["memory"] for n in ("1", "8"))
    assert many["saved_activations"] == 8 * one["saved_activations"]
    assert many["weights"] == one["weights"]
    adam = json.loads(printed("resnet18", "--json", "--optimizer", "adam"))["memory"]
    assert adam["optimizer_state"] == 2 * one["optimizer_state"]
    parts = ("weights", "gradients", "optimizer_state", "saved_activations")
    assert one["training"] == sum(one[part] for part in parts)


@pytest.mark.parametrize(
    "arguments", [["--json", "--csv"], ["--by", "block", "--depth", "1"], ["--by", "group"], ["--batch", "0"]]
)
def test_bad_command_lines(arguments: list[str]) -> None:
    printed("resnet18", *arguments, status=2)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (243_861_000, "232.6 MiB"), (2**50, "1,024.0 TiB")],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


def test_a_sum_is_in_one_unit() -> None:
    assert sum_of({"a": 2**30, "b": 2**29}) == "1.5 GiB: a 1.0, b 0.5"
