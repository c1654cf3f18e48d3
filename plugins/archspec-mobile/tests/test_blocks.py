"""The library of blocks: widths, refusals, and what a shuffle unit does with its halves."""

import json
import runpy
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import archspec
from archspec.errors import SpecError
from archspec.registry import BLOCKS
from archspec.spec.shelves import libraries

MULTIPLIERS = [0.1, 0.25, 0.35, 0.5, 0.6, 0.7, 0.75, 1.0, 1.25, 1.3, 1.4, 2.0]
CHANNELS = [8, 16, 24, 32, 40, 48, 72, 88, 96, 112, 160, 184, 1280]


def spec_of(channels, **layer):
    """A network of one block."""
    return archspec.load(
        text=json.dumps(
            {
                "archspec": 1,
                "name": "one-block",
                "use": ["blocks/mobile.yaml"],
                "inputs": {"x": [channels, 6, 6]},
                "layers": {"layer": layer},
                "outputs": {"y": "layer"},
            }
        )
    )


def rounded(width):
    """The nearest multiple of 8, half of it rounding up; at least 8, and at least nine tenths of the width."""
    nearest = max(8, int(width / 8 + 0.5) * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8


@pytest.mark.parametrize("multiplier", MULTIPLIERS)
def test_widths_are_rounded_as_the_papers_do(multiplier):
    for channels in CHANNELS:
        graph = archspec.compile(spec_of(8, op="inverted_residual", out_channels=channels, multiplier=multiplier))
        assert graph[graph.outputs[0].node].shape.dims == (rounded(multiplier * channels), 6, 6)


@pytest.mark.parametrize("multiplier", MULTIPLIERS)
def test_the_widths_of_a_bneck_are_rounded_alike(multiplier):
    common = {"op": "bneck", "kernel_size": 3, "out_channels": 24, "squeeze": True, "activation": "relu"}
    for channels in CHANNELS:
        graph = archspec.compile(spec_of(3, **common, expanded=channels, multiplier=multiplier))
        inner = rounded(multiplier * channels)
        assert graph["layer.block.1.0"].shape.channels == inner
        assert graph["layer.block.2.fc1"].shape.channels == rounded(inner // 4)
        assert graph["layer.block.3.0"].shape.channels == rounded(multiplier * 24)


def test_without_a_multiplier_a_width_is_as_written():
    graph = archspec.compile(spec_of(8, op="inverted_residual", out_channels=21))
    assert graph["layer.conv.3"].shape.channels == 21


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"op": "conv_norm", "out_channels": 4, "kernel_size": 2}, "the kernel must be odd"),
        ({"op": "shuffle_unit"}, "the input must have an even number of channels"),
        ({"op": "shuffle_unit_down", "out_channels": 9}, "out_channels must be even"),
    ],
)
def test_what_cannot_be_is_refused(layer, says):
    with pytest.raises(SpecError, match=says):
        archspec.compile(spec_of(5, **layer))


def test_a_shuffle_unit_passes_every_other_channel():
    """Half of the input's channels stand, unchanged, at the even places of the output."""
    module = archspec.build(spec_of(8, op="shuffle_unit")).eval()
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    found = module(x)
    assert torch.equal(found[:, 0::2], x[:, :4])
    changed = x.clone()
    changed[:, :4] += 1
    assert torch.equal(module(changed)[:, 1::2], found[:, 1::2])


def test_no_block_has_the_name_of_an_op():
    (library,) = [library for library in libraries() if library.path == "blocks/mobile.yaml"]
    assert library.owner.name == "archspec-mobile"
    assert not library.blocks.keys() & set(BLOCKS)


def test_build_writes_a_model_that_computes_the_same(tmp_path):
    """The command tries the module and compares; then model.py stands alone with the weights beside it."""
    folder = tmp_path / "built"
    options = ["--set", "classes=10", "--out", str(folder)]
    command = [sys.executable, "-m", "archspec", "build", "mobilenet_v3_small", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "model.py gives the same bits" in done.stdout
    alone = runpy.run_path(str(folder / "model.py"))["MobilenetV3Small"]().eval()
    alone.load_state_dict(load_file(folder / "model.safetensors"))
    ours = archspec.build("mobilenet_v3_small", set={"classes": 10}).eval()
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(alone(x), ours(x))
