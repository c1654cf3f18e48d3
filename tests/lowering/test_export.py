"""Exported files: run by others, they give what the module gives, at any batch size."""

import io
import subprocess
import sys
import warnings

import pytest
import torch

import archspec
from archspec.errors import BuildError
from archspec.graph.reinfer import with_inputs
from archspec.lowering import export as exporting
from archspec.lowering.export import TOLERANCE, export
from archspec.ops.form import plain_forms

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

MIXED = """
archspec: 1
name: mixed
inputs: {image: [3, 9, 9], extra: [4]}
layers:
  conv:   {op: conv2d, from: image, out_channels: 6, kernel_size: 3, padding: {right: 1, bottom: 1}}
  bn:     batch_norm2d
  norm:   {op: lrn, size: 3, alpha: 0.1, beta: 0.75, k: 1, divide_by_size: false, groups: 2}
  pool:   {op: max_pool2d, kernel_size: 3, stride: 2, ceil_mode: true}
  part:   {op: option_a, out_channels: 8, stride: 2, zeros: around}
  gap:    global_avg_pool2d
  drop:   dropout
  more:   {op: linear, from: extra, out_features: 8}
  both:   {op: concat, from: [drop, more]}
  fc:     {op: linear, out_features: 5}
  aux:    {op: adaptive_avg_pool2d, from: pool, output_size: 1}
outputs:
  logits: fc
  map: part
  aux: {from: aux, training_only: true}
"""


def mixed():
    graph = archspec.compile(archspec.load(text=MIXED))
    module = archspec.build(graph, seed=3)
    with torch.no_grad():
        module.bn.running_mean.normal_(generator=torch.Generator().manual_seed(0))
    return graph, module


def batch(graph, count):
    generator = torch.Generator().manual_seed(70 + count)
    return [torch.randn(count, *node.shape.dims, generator=generator) for node in graph.inputs]


def run_onnx(data, *images):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return [torch.from_numpy(v) for v in session.run(None, dict(zip(names, (x.numpy() for x in images), strict=True)))]


@pytest.fixture(scope="module")
def files():
    """The mixed network in each format."""
    graph, module = mixed()
    return {style: export(module, graph, style)[0] for style in exporting.SUFFIXES}


@pytest.mark.parametrize("count", [1, 2, 7])
def test_onnx_gives_what_evaluation_gives(files, count):
    graph, module = mixed()
    images = batch(graph, count)
    with torch.no_grad():
        expected = module.eval()(*images)
    for found, wanted in zip(run_onnx(files["onnx"], *images), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_onnx_has_the_names_of_the_spec_and_a_free_batch(files):
    graph = onnx.load_model_from_string(files["onnx"]).graph

    def axes(value):
        return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    assert {value.name: axes(value) for value in graph.input} == {"image": ["batch", 3, 9, 9], "extra": ["batch", 4]}
    assert {value.name: axes(value) for value in graph.output} == {"logits": ["batch", 5], "map": ["batch", 8, 2, 2]}
    assert not [tensor.name for tensor in graph.initializer if tensor.name.startswith("aux")]


def test_an_exported_program_loads_without_archspec(files, tmp_path):
    graph, module = mixed()
    images = batch(graph, 5)
    with torch.no_grad(), plain_forms():
        expected = module.eval()(*images)
    (tmp_path / "mixed.pt2").write_bytes(files["torch-export"])
    torch.save({"images": images, "expected": dict(expected._asdict())}, tmp_path / "case.pt")
    program = """
import sys, torch
sys.modules["archspec"] = None
model = torch.export.load("mixed.pt2").module()
case = torch.load("case.pt")
image, extra = case["images"]
found = model(image, extra)
assert list(found) == ["logits", "map"]
assert all(torch.equal(found[name], value) for name, value in case["expected"].items())
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, cwd=tmp_path)


def test_files_have_no_trace_of_the_machine(files):
    for data in files.values():
        assert b"site-packages" not in data
        assert str(exporting.__file__).encode() not in data


def test_the_same_network_gives_the_same_bytes(files):
    graph, module = mixed()
    assert export(module, graph, "onnx")[0] == files["onnx"]


def test_the_module_and_torchs_state_are_left_alone(capfd):
    graph, module = mixed()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export(module, graph, "onnx")
    assert module.training and all(parameter.requires_grad for parameter in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not caught and capfd.readouterr() == ("", "")


ONNX, PROGRAM = "onnx", "torch-export"


@pytest.mark.parametrize(
    ("name", "size", "styles"),
    [
        ("alexnet", 224, [ONNX, PROGRAM]),
        ("googlenet", 224, [ONNX]),
        ("resnet18", 64, [ONNX, PROGRAM]),
    ],
)
def test_the_zoo_exports(name, size, styles):
    graph = with_inputs(archspec.compile(name, set={"classes": 10}), {"image": (3, size, size)})
    module = archspec.build(graph)
    images = batch(graph, 2)
    with torch.no_grad():
        expected = module.eval()(*images)
    for style in styles:
        data, told = export(module, graph, style)
        assert told.startswith("batches of 1 and 3 in ")
        if style == ONNX:
            (found,) = run_onnx(data, *images)
        else:
            with torch.no_grad():
                found = torch.export.load(io.BytesIO(data)).module()(*images)
        assert float((found - expected).abs().max()) <= TOLERANCE * float(expected.abs().max())


def test_a_file_that_gives_something_else_is_refused(monkeypatch):
    graph, module = mixed()
    honest = exporting._torch_runner
    monkeypatch.setattr(
        exporting, "_torch_runner", lambda data, g: lambda images: [x + 1e-3 for x in honest(data, g)(images)]
    )
    with pytest.raises(BuildError, match=r"other outputs than the module: \d\.\de-0\d apart"):
        export(module, graph, "torch-export")


def test_a_missing_library_is_told_with_the_command(monkeypatch):
    graph, module = mixed()
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnxscript" else True)
    with pytest.raises(BuildError) as caught:
        export(module, graph, "onnx")
    assert "needs onnxscript, which is not installed\n  hint: pip install 'archspec-nn[onnx]'" in str(caught.value)
    exporting.check_libraries("torch-export")


def test_what_the_exporter_cannot_do_is_one_error(monkeypatch):
    graph, module = mixed()

    def refuse(*args, **kwargs):
        raise RuntimeError("no such operation\nmore text")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(BuildError, match=r"^mixed: cannot be exported to onnx: no such operation$"):
        export(module, graph, "onnx")


def test_a_network_beyond_the_limit_of_a_file_is_told(monkeypatch):
    graph, module = mixed()
    monkeypatch.setattr(exporting, "ONNX_MOST", 100)
    with pytest.raises(BuildError, match="an ONNX file holds at most 2 GiB"):
        export(module, graph, "onnx")
