"""A network as a file for other programs: ONNX, or torch's own exported program.

What is exported is what evaluation computes, with its weights, for any batch size. The file is run again and compared
with the module before it is handed out.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from archspec.errors import BuildError
from archspec.graph.graph import Graph
from archspec.lowering.module import Network, assemble, plan
from archspec.lowering.verify import as_tuple

SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2"}
"""Format -> how its files end."""
NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch-export": ()}
"""Format -> what it needs beside torch: the extra `onnx`."""
TRACED, COMPARED = 2, (1, 3)
"""Batch sizes: of the images it is traced with, and those at which it is compared."""
TOLERANCE = 1e-4
"""How far an output may be off, as a share of its largest value."""
ONNX_MOST = 2**31 - 2**20
"""Bytes of weights in one ONNX file: protobuf's 2 GiB, with room for the graph."""

Runner = Callable[[list[torch.Tensor]], list[torch.Tensor]]


def check_libraries(style: str) -> None:
    """Errors: BuildError if a library that a format needs is not installed"""
    missing = [name for name in NEEDED[style] if find_spec(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        message = f"export to {style} needs {', '.join(missing)}, which {are} not installed"
        raise BuildError(f"{message}\n  hint: pip install 'archspec-nn[onnx]'")


def export(module: nn.Module, graph: Graph, style: str) -> tuple[bytes, str]:
    """The bytes of a file, and what was found to hold of it. torch's random state is as before.

    Errors: BuildError
    """
    check_libraries(style)
    inference = graph.inference()
    if style == "onnx" and inference.params * 4 > ONNX_MOST:
        raise BuildError(f"{graph.name} has {inference.params:,} params: an ONNX file holds at most 2 GiB")
    both = {node.name for node in inference.inputs} & {output.name for output in inference.outputs}
    if style == "onnx" and both:
        hint = "names in an ONNX file are used once; give the output another in `outputs`"
        raise BuildError(f"`{min(both)}` is both an input and an output of {graph.name}\n  hint: {hint}")
    network = _evaluated(module, inference)
    try:
        with _quiet():
            program = _program(network, inference)
            data = _onnx(program, inference) if style == "onnx" else _saved(program)
            run = _onnx_runner(data, inference) if style == "onnx" else _torch_runner(data, inference)
            found = _compare(network, run, inference)
    except BuildError:
        raise
    except Exception as error:  # what an exporter raises for an operation it does not have can be anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BuildError(f"{graph.name}: cannot be exported to {style}: {reason}") from error
    where = "onnxruntime" if style == "onnx" else "torch, loaded again"
    batches = " and ".join(map(str, COMPARED))
    if found is None:
        return data, f"batches of {batches} in {where}: all outputs are zero with these weights, which shows little"
    share = f"{found:.1e} of the largest value off the module, allowed {TOLERANCE:.0e}"
    return data, f"batches of {batches} in {where}: at most {share}"


def _evaluated(module: nn.Module, inference: Graph) -> Network:
    """The network of evaluation alone, sharing the module's tensors; several outputs come as a dict.

    The class of a named tuple would be unknown to whoever loads the file.
    """
    made = plan(inference)
    network = assemble(made)
    state = module.state_dict()
    network.load_state_dict({name: state[name] for name in network.state_dict()}, assign=True)
    network.eval().requires_grad_(False)
    if len(inference.outputs) > 1:
        network.__class__ = _with_dict(type(network))
    return network


def _with_dict(base: type[Network]) -> type[Network]:
    def forward(self: Network, *inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = base.forward(self, *inputs)._asdict()
        return found

    forward.__signature__ = inspect.signature(base.forward)  # type: ignore[attr-defined]
    return type(base.__name__, (base,), {"forward": forward, "__module__": base.__module__})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Inside, exporters and their libraries say nothing, and torch's random state is kept."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            torch.random.fork_rng(devices=[]),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _images(inference: Graph, count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(count, *node.shape.dims, generator=generator) for node in inference.inputs]


def _program(network: Network, inference: Graph) -> ExportedProgram:
    batch = torch.export.Dim("batch")
    shapes = {node.name: {0: batch} for node in inference.inputs}
    program = torch.export.export(network, tuple(_images(inference, TRACED)), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it has this machine's paths
    return program


def _onnx(program: ExportedProgram, inference: Graph) -> bytes:
    names = [node.name for node in inference.inputs], [output.name for output in inference.outputs]
    made = torch.onnx.export(
        program, dynamo=True, verbose=False, external_data=False, input_names=names[0], output_names=names[1]
    )
    assert made is not None
    proto = made.model_proto
    parts = [proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output]
    for part in [*parts, *proto.graph.value_info, *proto.graph.initializer, *proto.functions]:
        del part.metadata_props[:]  # how it was traced, with this machine's paths
    _name_batch(proto.graph)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _name_batch(graph: Any) -> None:
    """Call the free axis `batch`, as people look for it."""
    traced = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in [*graph.input, *graph.output, *graph.value_info]:
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param == traced:
                axis.dim_param = "batch"


def _onnx_runner(data: bytes, inference: Graph) -> Runner:
    import onnx
    import onnxruntime

    onnx.checker.check_model(data, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    inputs, outputs = [node.name for node in inference.inputs], [output.name for output in inference.outputs]

    def run(images: list[torch.Tensor]) -> list[torch.Tensor]:
        values = session.run(outputs, {name: x.numpy() for name, x in zip(inputs, images, strict=True)})
        return [torch.from_numpy(value) for value in values]

    return run


def _saved(program: ExportedProgram) -> bytes:
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def _torch_runner(data: bytes, inference: Graph) -> Runner:
    loaded = torch.export.load(io.BytesIO(data)).module()
    names = [output.name for output in inference.outputs]

    def run(images: list[torch.Tensor]) -> list[torch.Tensor]:
        found = loaded(*images)
        return [found[name] for name in names] if len(names) > 1 else [found]

    return run


def _compare(network: Network, run: Runner, inference: Graph) -> float | None:
    """The largest difference, as a share of an output's largest value; None if every output is zero.

    Errors: BuildError if it is beyond the tolerance
    """
    worst, silent = 0.0, True
    for count in COMPARED:
        images = _images(inference, count)
        expected = network(*images)
        values = tuple(expected.values()) if isinstance(expected, dict) else as_tuple(expected)
        for output, wanted, found in zip(inference.outputs, values, run(images), strict=True):
            if found.shape != wanted.shape:
                shapes = f"{tuple(found.shape)}, expected {tuple(wanted.shape)}"
                raise BuildError(f"output {output.name} of the exported file is {shapes}")
            scale = float(wanted.abs().max()) or 1.0
            silent = silent and not bool(wanted.any())
            worst = max(worst, float((found - wanted).abs().max()) / scale)
    if not worst <= TOLERANCE:
        raise BuildError(f"the exported file gives other outputs than the module: {worst:.1e} apart")
    return None if silent else worst
