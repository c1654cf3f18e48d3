"""What a checkpoint covers of a network, by names, shapes and kinds of numbers alone."""

import pytest

import archspec
from archspec.graph.coverage import Stored, coverage, report, tensors
from archspec.graph.paths import covers

SPEC = """
archspec: 1
name: net
inputs: {image: [3, 8, 8]}
layers:
  conv1: {op: conv2d, out_channels: 4, kernel_size: 3, bias: false}
  bn1:   batch_norm2d
  body:
    layers:
      "0":
        layers:
          conv: {op: conv2d, out_channels: 4, kernel_size: 3, bias: false}
          bn:   batch_norm2d
  pool:  global_avg_pool2d
  fc:    {op: linear, out_features: 5}
outputs: {logits: fc}
"""
GRAPH = archspec.compile(archspec.load(text=SPEC))
WHOLE = tensors(GRAPH, "float32")


def without(*names, **changed):
    kept = {name: stored for name, stored in WHOLE.items() if name not in names}
    return kept | {name.replace("__", "."): stored for name, stored in changed.items()}


def text(found):
    return "\n".join(report(found, "file.pth", "net"))


def test_a_whole_checkpoint_is_complete():
    found = coverage(GRAPH, WHOLE)
    assert found.complete
    assert list(found.covered) == list(GRAPH.state_shapes())
    assert text(found) == "file.pth covers all 14 tensors of net"


@pytest.mark.parametrize(
    ("pattern", "path", "is_covered"),
    [
        ("fc", "fc.weight", True),
        ("fc.*", "fc.weight", True),
        ("*", "body.0.conv.weight", True),
        ("body.*", "body.0.conv.weight", True),
        ("body.**.conv", "body.0.conv.weight", True),
        ("**.bn*", "body.0.bn.bias", True),
        ("**.bn*", "bn1.bias", True),
        ("bn*", "body.0.bn.bias", False),
        ("**.weight", "body.0.conv.weight", True),
        ("f", "fc.weight", False),
        ("fc.w", "fc.weight", False),
        ("body.0.conv.weight.more", "body.0.conv.weight", False),
    ],
)
def test_a_glob_covers_what_is_inside(pattern, path, is_covered):
    assert covers(pattern, path) == is_covered


def test_missing_and_unexpected_names_are_paired_by_shape_and_likeness():
    stored = without("body.0.conv.weight", "fc.bias", body__0__c__weight=Stored((4, 4, 3, 3), "float32"))
    stored["fc.b"] = Stored((5,), "float32")
    found = coverage(GRAPH, stored)
    assert found.missing == ("body.0.conv.weight", "fc.bias")
    assert found.unexpected == ("body.0.c.weight", "fc.b")
    assert not found.complete
    assert "    body.0.conv.weight 4x4x3x3; nearest: body.0.c.weight\n" in text(found)
    assert "    fc.b 5; nearest: fc.bias\n" in text(found)


def test_a_near_name_of_another_shape_is_told_with_it():
    found = coverage(GRAPH, without("fc.weight", fc__weigth=Stored((7, 4), "float32")))
    assert "    fc.weight 5x4; nearest: fc.weigth, but it is 7x4" in text(found)


def test_another_shape_is_refused_until_both_globs_leave_it_out():
    stored = without(fc__weight=Stored((1000, 4), "float32"))
    for globs in ((), ()), (("fc.*",), ()), ((), ("fc.*",)):
        found = coverage(GRAPH, stored, *globs)
        assert found.different == ("fc.weight",) and not found.complete
        assert "    fc.weight is 1000x4, expected 5x4" in text(found)
    found = coverage(GRAPH, stored, ["fc"], ["fc.*"])
    assert found.complete
    assert found.left_out == found.ignored == ("fc.weight",)
    assert "fc.weight" not in found.covered and "fc.bias" in found.covered


def test_what_a_glob_allows_and_is_there_is_used():
    found = coverage(GRAPH, WHOLE, ["*"], ["*"])
    assert found.complete and len(found.covered) == len(WHOLE)


def test_a_glob_allows_no_more_than_it_names():
    found = coverage(GRAPH, without("fc.weight", "fc.bias", "bn1.bias"), ["fc"])
    assert found.missing == ("bn1.bias",)
    assert found.left_out == ("fc.weight", "fc.bias")


def test_old_checkpoints_without_counts_get_a_hint():
    tracked = [name for name in WHOLE if name.endswith("num_batches_tracked")]
    assert tracked == ["bn1.num_batches_tracked", "body.0.bn.num_batches_tracked"]
    found = coverage(GRAPH, without(*tracked))
    assert not found.complete
    assert "--allow-missing '**.num_batches_tracked'" in text(found)
    assert coverage(GRAPH, without(*tracked), ["**.num_batches_tracked"]).complete


def test_a_prefix_of_every_name_gets_a_hint():
    found = coverage(GRAPH, {f"module.{name}": stored for name, stored in WHOLE.items()})
    assert not found.covered
    assert '"module.**.*": "**.*"' in text(found)


def test_types_of_one_kind_are_converted_and_told():
    half = {name: Stored(s.shape, "bfloat16" if s.dtype == "float32" else "int32") for name, s in WHOLE.items()}
    found = coverage(GRAPH, half)
    assert found.complete
    assert found.converted == {("bfloat16", "float32"): 12, ("int32", "int64"): 2}
    assert "12 converted from bfloat16 to float32" in text(found)
    assert ("bfloat16", "bfloat16") not in coverage(GRAPH, half, dtype="bfloat16").converted


@pytest.mark.parametrize(
    ("name", "dtype", "expected"),
    [("fc.bias", "int8", "float32"), ("fc.bias", "bool", "float32"), ("bn1.num_batches_tracked", "float32", "int64")],
)
def test_another_kind_of_number_is_refused(name, dtype, expected):
    found = coverage(GRAPH, WHOLE | {name: Stored(WHOLE[name].shape, dtype)})
    assert found.different == (name,)
    assert f"{name} is {dtype}, expected {expected}" in text(found)


def test_a_long_list_is_cut():
    lines = report(coverage(GRAPH, {}), "file.pth", "net")
    assert "  14 missing:" in lines and "    and 4 more" in lines
