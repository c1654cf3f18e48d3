"""The views as commands show them."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import archspec
from archspec.cli.app import cli
from archspec.errors import ArchspecError
from archspec.views import VIEWS

NAMES = ["dead-relus", "gradient-flow", "correlation"]
SPEC = """
archspec: 1
name: tiny
inputs: {image: [3, 8, 8]}
layers:
  conv: {op: conv2d, out_channels: 4, kernel_size: 3}
  relu: relu
  pool: global_avg_pool2d
  fc:   {op: linear, out_features: 5}
  aux:
    from: relu
    layers:
      pool: global_avg_pool2d
      fc:   {op: linear, out_features: 5}
outputs:
  logits: fc
  aux: {from: aux, training_only: true, loss_weight: 0.3}
"""
TITLES = {
    "dead-relus": "Dead ReLUs of tiny",
    "gradient-flow": "Gradient flow of tiny",
    "correlation": "Correlated units of tiny",
}


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SPEC)
    return "./tiny.yaml"


def view(*arguments):
    """What `archspec view` prints."""
    done = CliRunner().invoke(cli, ["view", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_text_data_and_picture(spec, tmp_path, name):
    text = view(name, spec, "-o", "batch=4")
    title, empty, *table = text.splitlines()
    about = "4 images of random pixels (seed 0), in training mode"
    assert title.startswith(f"{TITLES[name]}: {about}") and not empty
    assert any(line.startswith("layer ") for line in table)
    out = tmp_path / "picture.svg"
    data = json.loads(view(name, spec, "-o", "batch=4", "--json", "--out", str(out)), parse_constant=pytest.fail)
    assert (data["network"], data["images"], data["mode"]) == ("tiny", 4, "training")
    assert {layer["name"] for layer in data["layers"]} <= {"conv", "relu", "fc", "aux.fc"}
    picture = ElementTree.fromstring(out.read_text())
    words = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert TITLES[name] in words
    assert {layer["name"] for layer in data["layers"]} <= set(words)
    assert view(name, spec, "-o", "batch=4") == text


def test_options_and_weights_reach_the_measure(spec, tmp_path):
    module = archspec.build(spec, seed=3)
    with torch.no_grad():
        module.conv.bias[2] = -100
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    data = json.loads(view("dead-relus", spec, "--weights", "weights.safetensors", "-o", "training=false", "--json"))
    assert (data["dead"], data["mode"], data["images"]) == (1, "evaluation", 16)
    assert data["layers"][0]["dead"] == [2]
    one, two = (view("dead-relus", spec, "-o", f"seed={seed}") for seed in (1, 2))
    assert one != two.replace("seed 2", "seed 1")
    data = json.loads(view("correlation", spec, "-o", "layers=conv, fc", "-o", "threshold=0.3", "--json"))
    assert [layer["name"] for layer in data["layers"]] == ["conv", "fc"]
    assert data["threshold"] == 0.3


def test_images_and_labels_of_a_file(spec, tmp_path):
    images, labels = torch.randn(6, 3, 8, 8), torch.tensor([0, 1, 2, 3, 4, 0])
    save_file({"image": images, "labels": labels, "other": torch.zeros(1)}, tmp_path / "batch.safetensors")
    file = ["-o", "images=batch.safetensors"]
    text = view("gradient-flow", spec, *file)
    assert "6 images of batch.safetensors, in training mode, given labels" in text
    assert "random labels" in view("gradient-flow", spec, "-o", "batch=6")
    assert view("gradient-flow", spec, *file, "-o", "labels=[0, 1, 2, 3, 4, 0]") == text
    assert view("gradient-flow", spec, *file, "-o", "labels=[0, 1, 2, 3, 4, 1]") != text
    assert "2 images of batch.safetensors" in view("gradient-flow", spec, *file, "-o", "batch=2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["images=none.safetensors"], "none.safetensors: cannot be read: No such file"),
        (["images=tiny.yaml"], "tiny.yaml: not a whole safetensors file"),
        (["images=other.safetensors"], "other.safetensors: has no tensor `image`, the input; it has pixels"),
        (["images=small.safetensors", "batch=3"], "`image` is 2 x 3 x 8 x 8, fewer than a batch of 3 images"),
        (["images=wrong.safetensors"], "`image` must be N x 3 x 8 x 8, found 2 x 3 x 9 x 8"),
        (["batch=0"], "`batch` must be at least 1, found 0"),
        (["seed=-1"], "`seed` must be at least 0, found -1"),
        (["layers=[1]"], "`layers` must be names with commas between them, or a list of names"),
        (["layers=''"], "`layers` must be names with commas between them, or a list of names"),
        (["layers=nothing"], "layers: `nothing` matches no layer"),
        (["image=x"], "has no field `image`"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_mistakes(spec, tmp_path, name, options, message):
    save_file({"pixels": torch.zeros(2)}, tmp_path / "other.safetensors")
    save_file({"image": torch.zeros(2, 3, 8, 8)}, tmp_path / "small.safetensors")
    save_file({"image": torch.zeros(2, 3, 9, 8)}, tmp_path / "wrong.safetensors")
    with pytest.raises(ArchspecError) as caught:
        view(name, spec, *(word for option in options for word in ("-o", option)))
    assert message in str(caught.value)


def test_googlenets_auxiliary_heads_strengthen_early_gradients():
    data = json.loads(view("gradient-flow", "googlenet", "-o", "batch=2", "--json"))
    layers = {layer["name"]: layer for layer in data["layers"]}
    assert len(layers) == 64 and data["layers"][-1]["name"] == "conv1.conv"
    assert sum(layer["auxiliary"] for layer in layers.values()) == 6
    after_heads = layers["inception4e.conv3x3.conv"]
    assert after_heads["value"] == after_heads["value_main"]
    assert layers["conv1.conv"]["value"] > 1.5 * layers["conv1.conv"]["value_main"]


def test_entry_points_name_the_views():
    assert set(NAMES) <= set(VIEWS)
    for name in NAMES:
        assert VIEWS[name].name == name
        assert all(field.description is None for field in VIEWS[name].model_fields.values())


def test_listing_a_view_does_not_import_torch():
    program = f"""
import sys
from archspec.views import VIEWS
from archspec.graph.passes import PASSES
for name in {NAMES}:
    VIEWS[name]()
PASSES["without-auxiliary"]
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_facade_has_what_it_names():
    import archspec_insight

    for name in archspec_insight.__all__:
        assert getattr(archspec_insight, name) is not None
    assert sorted(archspec_insight.__all__) == dir(archspec_insight)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = archspec_insight.nothing
