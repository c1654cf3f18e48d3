"""Weights from files: what loads, into what, and what is refused without running anything."""

import os
import pickle
import sys
import types
import zipfile

import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.errors import BuildError, SpecError

SPEC = """
archspec: 1
name: net
params: {classes: 5}
inputs: {image: [3, 8, 8]}
layers:
  conv: {op: conv2d, out_channels: 4, kernel_size: 3, bias: false}
  bn:   batch_norm2d
  pool: global_avg_pool2d
  fc:   {op: linear, out_features: =classes}
outputs: {logits: fc}
"""


def load(**settings):
    return archspec.load(text=SPEC, set=settings)


@pytest.fixture
def state():
    """Values that no seed of ours gives."""
    generator = torch.Generator().manual_seed(99)
    found = archspec.build(load()).state_dict()
    return {
        name: torch.randn(value.shape, generator=generator) if value.is_floating_point() else torch.tensor(17)
        for name, value in found.items()
    }


def same(module, state):
    found = module.state_dict()
    return found.keys() == state.keys() and all(torch.equal(found[name], value) for name, value in state.items())


def wrap(key):
    return lambda state: {"epoch": 3, key: state, "optimizer": {"lr": 0.1}}


@pytest.mark.parametrize(
    "inside",
    [dict, wrap("state_dict"), wrap("model"), wrap("model_state_dict")],
    ids=["bare", "state_dict", "model", "m"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_load(state, inside, zipped, tmp_path):
    torch.save(inside(state), tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    assert same(archspec.build(load(), weights=tmp_path / "net.pth"), state)


def test_safetensors_load_whatever_they_are_called(state, tmp_path):
    save_file(state, tmp_path / "net.pt")
    assert same(archspec.build(load(), weights=str(tmp_path / "net.pt")), state)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("wanted", [torch.float32, torch.float64])
def test_other_types_are_converted(state, stored, wanted, tmp_path):
    converted = {name: value.to(stored) if value.is_floating_point() else value for name, value in state.items()}
    save_file(converted, tmp_path / "net.safetensors")
    module = archspec.build(load(), weights=tmp_path / "net.safetensors", dtype=wanted)
    assert module.fc.weight.dtype == wanted
    assert torch.equal(module.fc.weight, converted["fc.weight"].to(wanted))
    assert module.bn.num_batches_tracked.dtype == torch.int64
    assert module.bn.num_batches_tracked == 17


def test_renames_and_allowances_apply(state, tmp_path):
    save_file({f"module.{name}": value for name, value in state.items()}, tmp_path / "net.safetensors")
    (tmp_path / "names.yaml").write_text('"module.**.*": "**.*"\n')
    options = {"weights": tmp_path / "net.safetensors", "rename": tmp_path / "names.yaml"}
    assert same(archspec.build(load(), **options), state)
    assert same(archspec.build(load(), **options | {"rename": {"module.**.*": "**.*"}}), state)
    with pytest.raises(BuildError, match=r"fc\.weight is 5x4, expected 2x4"):
        archspec.build(load(classes=2), **options)
    module = archspec.build(load(classes=2), **options, allow_missing="fc", allow_unexpected=["fc"], seed=4)
    fresh = archspec.build(load(classes=2), seed=4)
    assert torch.equal(module.conv.weight, state["conv.weight"])
    assert torch.equal(module.fc.weight, fresh.fc.weight) and module.fc.weight.requires_grad


def test_a_glob_is_not_taken_letter_by_letter(state, tmp_path):
    save_file({name: value for name, value in state.items() if name != "bn.bias"}, tmp_path / "net.safetensors")
    with pytest.raises(BuildError, match="1 missing"):
        archspec.build(load(), weights=tmp_path / "net.safetensors", allow_missing="fc.*")


def test_options_about_no_weights_are_a_mistake():
    with pytest.raises(TypeError, match="about `weights`"):
        archspec.build(load(), allow_missing=["fc"])


class Evil:
    """Touches a file when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch canary",)


def torch_bytes(content, folder):
    torch.save(content, folder / "made")
    return (folder / "made").read_bytes()


def safetensors_bytes(folder):
    save_file({"a": torch.zeros(8)}, folder / "made")
    return (folder / "made").read_bytes()


def a_zip(folder):
    with zipfile.ZipFile(folder / "made", "w") as file:
        file.writestr("a.txt", "text")
    return (folder / "made").read_bytes()


CODE = "holds more than tensors: it asks to run posix.system"
REFUSED = {
    "empty": (lambda folder: b"", "the file is empty"),
    "text": (lambda folder: b"archspec: 1\nname: net\n", "neither a safetensors file nor a PyTorch checkpoint"),
    "code": (lambda folder: torch_bytes({"fc.weight": Evil()}, folder), CODE),
    "code beside": (lambda folder: torch_bytes({"state_dict": {"w": torch.zeros(1)}, "x": Evil()}, folder), CODE),
    "pickle": (lambda folder: pickle.dumps(Evil()), "pickle, but not one of tensors alone; it is not run"),
    "module": (lambda folder: torch_bytes(torch.nn.Linear(1, 1), folder), "asks to run torch.nn.modules.linear.Linear"),
    "cut": (lambda folder: torch_bytes({"a": torch.zeros(9)}, folder)[:-300], "cut short or damaged"),
    "cut pickle": (lambda folder: pickle.dumps({"a": 1}, 2)[:-2], "cut short or damaged"),
    "zip": (a_zip, "not a whole PyTorch checkpoint"),
    "cut header": (lambda folder: safetensors_bytes(folder)[:30], "not a whole safetensors file"),
    "cut data": (lambda folder: safetensors_bytes(folder)[:-1], "not a whole safetensors file"),
    "list": (lambda folder: torch_bytes([torch.zeros(1)], folder), "no state dict"),
    "numbers": (lambda folder: torch_bytes({"epoch": 1, "lr": 0.1}, folder), "its keys are epoch, lr"),
    "text entry": (lambda folder: torch_bytes({"a": torch.zeros(1), "b": "x"}, folder), "`b` is a str, expected a"),
    "number key": (lambda folder: torch_bytes({"a": torch.zeros(1), 3: torch.zeros(1)}, folder), "`3` is a Tensor"),
    "sparse": (lambda folder: torch_bytes({"a": torch.eye(2).to_sparse()}, folder), "sparse or quantized"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_a_bad_file_is_refused_by_name(kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, said = REFUSED[kind]
    (tmp_path / name).write_bytes(make(tmp_path))
    with pytest.raises(BuildError) as caught:
        archspec.build(load(), weights=name)
    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(("name", "said"), [("none.pth", "no such file"), (".", "is a directory")])
def test_a_file_that_cannot_be_opened_is_told(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BuildError, match=f"{name}: {said}"):
        archspec.build(load(), weights=name)


def test_bad_weights_are_told_before_the_network_is_made(tmp_path, monkeypatch):
    save_file({"a": torch.zeros(1)}, tmp_path / "net.safetensors")
    monkeypatch.setattr("archspec.lowering.build.lower", None)
    with pytest.raises(BuildError, match="covers 0 of"):
        archspec.build(load(), weights=tmp_path / "net.safetensors")


def test_mistakes_of_renames_are_told(state, tmp_path):
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(SpecError, match=r"`head\.\*` matches no name"):
        archspec.build(load(), weights=tmp_path / "net.safetensors", rename={"head.*": "fc.*"})


@pytest.fixture
def models(monkeypatch):
    """torchvision's models; its compiled ops, which not every torch can load, are not needed."""
    monkeypatch.setitem(sys.modules, "torchvision._meta_registrations", types.ModuleType("torchvision"))
    return pytest.importorskip("torchvision.models")


def test_a_peers_checkpoint_loads_under_renames(tmp_path, models):
    peer = models.resnet18().eval()
    for name, value in peer.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1, generator=torch.Generator().manual_seed(len(name)))
    torch.save(peer.state_dict(), tmp_path / "resnet18.pth")
    names = {"**.downsample.0.*": "**.shortcut.conv.*", "**.downsample.1.*": "**.shortcut.bn.*"}
    spec = archspec.compile("resnet18", set={"shortcut": "B"})
    module = archspec.build(spec, weights=tmp_path / "resnet18.pth", rename=names).eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(module(images), peer(images))
