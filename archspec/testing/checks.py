"""The checks of the test kit: each a function of a case that raises a Fault saying what to mend."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from archspec.block import Primitive
from archspec.graph.infer import signature
from archspec.graph.memory import saved_activations
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import standalone_module
from archspec.spec.docs import field_docs
from archspec.testing.case import BATCH, LAYER, Case, Fault, run
from archspec.testing.torch_free import torch_free
from archspec.views.model_schema import fields as schema_fields

Check = Callable[[Case], None]

TOLERANCE = 1e-5
"""Relative and absolute, where the order of sums may differ."""


@contextmanager
def faults(what: str, mend: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a Fault."""
    try:
        yield
    except Fault:
        raise
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")
        raise Fault(f"{what}: {type(error).__name__}: {first[:300]}", mend) from error


def same(found: torch.Tensor, expected: torch.Tensor, what: str, mend: str) -> None:
    """Both to the bit, undefined numbers too."""
    if found.shape != expected.shape or not torch.equal(torch.nan_to_num(found), torch.nan_to_num(expected)):
        raise Fault(what, mend)


def close(found: torch.Tensor, expected: torch.Tensor, what: str, mend: str) -> None:
    try:
        torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    except AssertionError as error:
        raise Fault(f"{what}: {_differences(str(error))}", mend) from None


def _differences(message: str) -> str:
    found = re.search(r"Greatest absolute difference: \S+", message)
    return found[0].lower() if found else message.splitlines()[0].lower()


def check_documentation(case: Case) -> None:
    """Its class and fields say what they are."""
    cls = type(case.block)
    text = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if not text:
        raise Fault(f"{cls.__name__} has no docstring", "say in its first line what the block is, then `Shape:`")
    if not re.search(r"^Shape:", text, re.MULTILINE):
        mend = "a line such as `Shape:  CxHxW -> CxHxW`; `Cost:`, `Errors:` and `Source:` where they say something"
        raise Fault(f"the docstring of {cls.__name__} has no line `Shape:`", mend)
    docs = {name: doc for kind in reversed(cls.__mro__) for name, doc in field_docs(kind).items()}
    for name, field in cls.model_fields.items():
        if not (docs.get(name) or field.description):
            raise Fault(f"field `{name}` is not described", "put a docstring on the line after it")


def check_schema(case: Case) -> None:
    """Its fields can be written in YAML and described to editors."""
    mend = "use int, float, bool, str, Literal, list, and the types of archspec.block; or give it WithJsonSchema"
    with faults("no JSON Schema can be made of its fields", mend):
        found, _ = schema_fields(type(case.block), case.block.op, {})
    if vague := [name for name, form in found.items() if not set(form) - {"description", "default"}]:
        raise Fault(f"the JSON Schema says nothing of `{vague[0]}`", mend)
    with faults("its fields do not survive being written and read", mend):
        again = type(case.block).model_validate(case.fields)
    if again != case.block:
        raise Fault(f"its fields do not survive being written and read: {case.block!r} becomes {again!r}", mend)


def check_torch_free(case: Case) -> None:
    """What a spec needs of it without building never imports torch."""
    torch_free(case)


def check_shape(case: Case) -> None:
    """`infer` says the shape that torch gives, at any batch size, in training and evaluation."""
    declared = case.graph()[LAYER].shape if LAYER in case.graph() else _output_shape(case)
    module = case.module()
    for training in (True, False):
        for count in (BATCH, 3):
            with faults("it does not run", "`lower` must take a batch of any size in front of the shapes"):
                found = run(module, case.images(count), training)
            if tuple(found.shape) != (count, *declared.dims):
                mode = "training" if training else "evaluation"
                shown = "x".join(map(str, found.shape[1:]))
                raise Fault(f"`infer` says {declared}, torch gives {shown} in {mode}", "`infer` or `lower` is wrong")


def _output_shape(case: Case) -> Any:
    graph = case.graph()
    return graph[graph.outputs[0].node].shape


def check_signature(case: Case) -> None:
    """The annotations of `infer` say which inputs it takes, and others are refused in words."""
    if not isinstance(case.block, Primitive):
        return
    mend = "def infer(self, x: CHW) -> CHW, or *xs: CHW; import the shapes at the top of the file"
    with faults("the annotations of `infer` cannot be read", mend):
        takes = signature(type(case.block))
    if takes.variadic:
        return
    if len(takes.inputs) != len(case.shapes):
        raise Fault(f"`infer` takes {len(takes.inputs)} inputs, the case has {len(case.shapes)}", mend)


def check_state(case: Case) -> None:
    """`parameters` and `buffers` say what the module has: keys, shapes, types, in the order of the state dict."""
    graph, module = case.graph(), case.module()
    state = module.state_dict()
    declared = {node.key(name): buffer.dtype for node in graph for name, buffer in node.buffers.items()}
    for key, dtype in declared.items():
        if str(state[key].dtype) != f"torch.{dtype}":
            raise Fault(f"buffer {key} is {state[key].dtype}, declared {dtype}", "mend `buffers`")
    count = sum(parameter.numel() for parameter in module.parameters())
    if count != graph.params:
        raise Fault(f"{count:,} parameters, declared {graph.params:,}", "mend `parameters`: shared ones count once")
    for name, parameter in module.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise Fault(f"{name} starts with values that are not finite", "give its Weight another initializer")


def check_macs(case: Case) -> None:
    """`macs` is what torch counts: half of the operations of matrix products, convolutions and attention."""
    module, graph = case.module(), case.graph()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(*case.images())
    found = counter.get_total_flops()
    if found != 2 * BATCH * graph.macs:
        what = f"`macs` says {graph.macs:,} for one image, torch counts {found / 2 / BATCH:,.0f}"
        raise Fault(what, "count one for each multiplication with its addition in products with weights or kernels")


def check_saves(case: Case) -> None:
    """`saves` is what backward keeps, to 5 %; asked only of blocks that say it."""
    if isinstance(case.block, Primitive) and type(case.block).saves is Primitive.saves:
        return
    graph = case.learned_graph()
    if graph is None:
        return
    from archspec.api import build

    module = build(graph)
    held: dict[int, int] = {}
    own = {value.untyped_storage().data_ptr() for value in module.state_dict().values()}

    def pack(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return value

    inputs = case.images()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        output = module(*inputs)
    found, declared = sum(held.values()), BATCH * sum(saved_activations(graph).values())
    del output
    if abs(found - declared) > 0.05 * found + 1024:
        mend = "mend `saves`: inputs kept, output kept, further elements; views share their memory"
        raise Fault(f"backward keeps {found:,} bytes, `saves` makes it {declared:,}", mend)


def check_gradients(case: Case) -> None:
    """Gradients are those of finite differences, in float64, for inputs and parameters."""
    module = case.module(dtype=torch.float64)
    inputs = [x.requires_grad_() for x in case.images(dtype=torch.float64)]
    parameters = dict(module.named_parameters())
    mend = "the backward of `lower` is wrong, or not defined at these inputs: write it in torch's own operations"

    def function(*values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(parameters, values[len(inputs) :], strict=True))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            output: torch.Tensor = torch.func.functional_call(module, given, values[: len(inputs)])
        return output

    for training in (True, False):
        module.train(training)
        with faults("gradients are wrong", mend):
            if function(*inputs, *parameters.values()).requires_grad:
                torch.autograd.gradcheck(function, (*inputs, *parameters.values()), fast_mode=True)


def check_evaluation(case: Case) -> None:
    """In evaluation, an image gives the same output alone and in any company, every time."""
    module, images = case.module(), case.images(3)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    whole = run(module, images, training=False)
    close(
        run(module, images, training=False, seed=5),
        whole,
        "evaluation gives other numbers each time",
        "draw random numbers only if `fx.training`, or under `training`",
    )
    alone = run(module, [x[1:2] for x in images], training=False)
    mend = "images of a batch must not see each other in evaluation"
    close(alone, whole[1:2], "an image gives another output alone than in a batch", mend)
    for key, value in module.state_dict().items():
        same(value, before[key], f"evaluation changes {key}", "change buffers only in training")


def check_determinism(case: Case) -> None:
    """The seed decides first values, torch's seed decides training; torch's generator is left alone by building."""
    mend = "draw from torch alone; declare every parameter, so that its first value is drawn from the seed"
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second = case.module(seed=7), case.module(seed=7)
    if not torch.equal(state, torch.get_rng_state()):
        raise Fault("building draws from torch's global generator", mend)
    for (key, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        same(one, other, f"{key} differs between two builds of one seed", mend)
    for training in (True, False):
        outputs = [run(case.module(seed=7), case.images(), training) for _ in range(2)]
        same(outputs[0], outputs[1], f"two runs of one seed differ, training {str(training).lower()}", mend)


class _OneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses operations on tensors of two devices, as a GPU would."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, torch.Tensor)]
        devices = {leaf.device.type for leaf in leaves if leaf.dim()}
        if len(devices) > 1:
            raise RuntimeError(f"{func} is given tensors of {' and '.join(sorted(devices))}")
        return func(*args, **(kwargs or {}))


def check_moves(case: Case) -> None:
    """It runs in other dtypes and on other devices, and its output stays there."""
    mend = "make tensors like the input: x.new_zeros(...), or with dtype=x.dtype, device=x.device"
    for dtype in (torch.float64, torch.bfloat16):
        with faults(f"it does not run in {dtype}", mend):
            found = run(case.module(dtype=dtype), case.images(dtype=dtype), training=False)
        if found.dtype != dtype:
            raise Fault(f"in {dtype} its output is {found.dtype}", mend)
    with faults("it does not run on another device", mend), _OneDevice():  # type: ignore[no-untyped-call]
        moved = run(case.module().to("meta"), [x.to("meta") for x in case.images()], training=False)
    if moved.device.type != "meta":
        raise Fault(f"on another device its output is still on {moved.device}", mend)
    if torch.cuda.is_available():
        with faults("it does not run on CUDA", mend):
            run(case.module().cuda(), [x.cuda() for x in case.images()], training=False)


def check_channels_last(case: Case) -> None:
    """Feature maps in channels_last give the same numbers."""
    images = case.images()
    if not any(x.dim() == 4 for x in images):
        return
    module = case.module()
    expected = run(module, images, training=False)
    mend = "write `reshape`, not `view`, and do not rely on strides"
    with faults("it does not run in channels_last", mend):
        last = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in images]
        found = run(module.to(memory_format=torch.channels_last), last, training=False)  # type: ignore[call-overload]
    close(found, expected, "channels_last gives other numbers", mend)


def check_round_trip(case: Case) -> None:
    """A state dict that is saved and loaded gives the same numbers: nothing else is state."""
    from safetensors.torch import load, save

    module = case.module(seed=1)
    run(module, case.images(), training=True)  # buffers move
    state = {key: value.contiguous() for key, value in module.state_dict().items()}
    mend = "what decides the output must be a declared parameter, a declared buffer or a literal argument"
    with faults("its state dict cannot be saved and loaded", mend):
        other = case.module(seed=2)
        other.load_state_dict(load(save(state)))
    for training in (False, True):
        close(run(other, case.images(), training), run(module, case.images(), training), "loading loses state", mend)


def check_copies(case: Case) -> None:
    """deepcopy and pickle give a module that does the same."""
    module = case.module()
    mend = "keep no lambdas, open files or generators in the module"
    ways: dict[str, Callable[[nn.Module], nn.Module]] = {
        "deepcopy": copy.deepcopy,
        "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    }
    for name, way in ways.items():
        with faults(f"{name} does not work", mend):
            twin = way(module)
        for training in (False, True):
            original = copy.deepcopy(module) if name == "pickle" else way(module)
            same(
                run(twin, case.images(), training),
                run(original, case.images(), training),
                f"after {name} it gives other numbers",
                mend,
            )


def check_compile(case: Case) -> None:
    """torch.compile takes it whole."""
    mend = "no Python branches on values, no .item(), no print: write it in torch's own operations"
    for training in (True, False):
        module = case.module()
        expected = run(copy.deepcopy(module), case.images(), training)
        torch._dynamo.reset()
        with faults("torch.compile(fullgraph=True) does not take it", mend), _quiet():
            found = run(torch.compile(module, fullgraph=True, backend="aot_eager"), case.images(), training)  # type: ignore[arg-type]
        close(found, expected, "compiled it gives other numbers", mend)


def check_export(case: Case) -> None:
    """torch.export takes it with a free batch size."""
    module = case.module().eval()
    mend = "let the batch size be free: -1 in reshapes, no branches on x.shape[0]"
    dims = tuple({0: torch.export.Dim("batch", min=2)} for _ in case.shapes)
    with faults("torch.export does not take it with a free batch size", mend), _quiet():
        exported = torch.export.export(module, tuple(case.images(3)), dynamic_shapes=dims).module()
        with torch.no_grad():
            found = exported(*case.images(5))
    close(found, run(module, case.images(5), training=False), "exported it gives other numbers", mend)


def check_standalone(case: Case) -> None:
    """model.py, which needs only torch, gives the same bits in training and evaluation."""
    graph, module = case.graph(), case.module()
    mend = "a function or module class that is not torch's must need only torch and what comes with Python"
    with faults("model.py cannot be written or run", mend):
        alone = standalone_module(graph, standalone_source(graph))
        alone.load_state_dict(module.state_dict())
        outputs = {training: run(copy.deepcopy(alone), case.images(), training) for training in (False, True)}
    for training, found in outputs.items():
        expected = run(copy.deepcopy(module), case.images(), training)
        same(found, expected, "model.py gives other numbers", mend)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


CHECKS: dict[str, Check] = {
    "documentation": check_documentation,
    "schema": check_schema,
    "torch-free": check_torch_free,
    "signature": check_signature,
    "shape": check_shape,
    "state": check_state,
    "macs": check_macs,
    "saves": check_saves,
    "gradients": check_gradients,
    "evaluation": check_evaluation,
    "determinism": check_determinism,
    "moves": check_moves,
    "channels-last": check_channels_last,
    "round-trip": check_round_trip,
    "copies": check_copies,
    "compile": check_compile,
    "export": check_export,
    "standalone": check_standalone,
}
"""Name -> check."""
