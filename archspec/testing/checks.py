"""The checks of the test kit: each a function of a case that raises a Fault saying what to mend."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import nn
from torch.autograd.gradcheck import GradcheckError
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from archspec.api import build
from archspec.block import Primitive
from archspec.errors import BlockError, SpecError
from archspec.graph.graph import Graph
from archspec.graph.infer import BadBlock, signature
from archspec.graph.memory import saved_activations
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import standalone_module
from archspec.ops.form import plain_forms
from archspec.spec.docs import field_docs
from archspec.tensor import Shape
from archspec.testing.case import BATCH, LAYER, Case, Fault, faults, images, run
from archspec.testing.torch_free import torch_free
from archspec.views.model_schema import fields as schema_fields

Check = Callable[[Case], None]

MODES = {True: "training", False: "evaluation"}
TOLERANCE = 1e-5
"""Relative and absolute, where the order of sums may differ."""
SHARE, SLACK = 0.05, 64
"""What `saves` may be off: a share, and bytes per image."""


def same(found: torch.Tensor, expected: torch.Tensor, what: str, mend: str) -> None:
    """Both the same numbers exactly, undefined ones too."""
    close(found, expected, what, mend, tolerance=0)


def close(found: torch.Tensor, expected: torch.Tensor, what: str, mend: str, tolerance: float = TOLERANCE) -> None:
    """Both the same numbers nearly, in one shape and dtype."""
    try:
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    except AssertionError as error:
        raise Fault(f"{what}: {_differences(str(error))}", mend) from None


def _differences(message: str) -> str:
    found = re.search(r"(Greatest a|A)bsolute difference: \S+", message)
    return found[0].lower() if found else message.splitlines()[0].lower()


def check_documentation(case: Case) -> None:
    """Its class and fields say what they are."""
    cls = type(case.block)
    text = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if not text:
        raise Fault(f"{cls.__name__} has no docstring", "say in its first line what the block is, then `Shape:`")
    if not re.search(r"^Shape:[ \t]*\S", text, re.MULTILINE):
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
    graph = case.graph()
    read = graph.groups[LAYER].params if LAYER in graph.groups else graph[LAYER].fields
    with faults("its fields do not survive being written and read", mend):
        again = type(case.block).model_validate(dict(read))
    if again != case.block:
        raise Fault(f"its fields do not survive being written and read: {case.block!r} becomes {again!r}", mend)


def check_torch_free(case: Case) -> None:
    """What a spec needs of it without building never imports torch."""
    torch_free(case)


def check_shape(case: Case) -> None:
    """`infer` says the shape that torch gives, at any batch size, in training and evaluation."""
    declared, module = _declared(case.graph()), case.module()
    for training, mode in MODES.items():
        for count in (BATCH, 3):
            with faults(f"it does not run in {mode}", "`lower` must take a batch of any size in front of the shapes"):
                found = run(module, case.images(count), training)
            if tuple(found.shape) != (count, *declared.dims):
                what = f"`infer` says {declared}, of {count} images torch makes {_sizes(found)} in {mode}"
                raise Fault(what, "mend `infer` or `lower`, which leaves the batch alone as the first axis")


def _sizes(value: torch.Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a single number"


def _declared(graph: Graph) -> Shape:
    return graph[graph.outputs[0].node].shape


def check_signature(case: Case) -> None:
    """The annotations of `infer` say which inputs it takes; those of other sizes are taken, or refused in words."""
    variadic = False
    if isinstance(case.block, Primitive):
        mend = "def infer(self, x: CHW) -> CHW, or *xs: CHW; import the shapes at the top of the file"
        try:
            takes = signature(type(case.block))
        except BlockError as error:
            raise Fault(error.message, error.hint or mend) from error
        if strange := [kind for kind in takes.inputs if not all(map(_is_shape, get_args(kind) or [kind]))]:
            raise Fault(f"`infer` takes {strange[0]!r}, which is no kind of shape", mend)
        variadic = takes.variadic
    case.graph()
    for shapes in _nearby(case.shapes, variadic):
        _check_nearby(replace(case, shapes=shapes))


def _is_shape(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Shape)


def _nearby(shapes: tuple[Shape, ...], variadic: bool) -> Iterator[tuple[Shape, ...]]:
    """Inputs of other sizes: one axis of one input is 1, or larger by one; where any number is taken, another one."""
    for number, shape in enumerate(shapes):
        for axis, size in shape.axes.items():
            for other in {1, size + 1} - {size}:
                with suppress(BlockError):  # a kind may have rules of its own
                    yield (*shapes[:number], replace(shape, **{axis: other}), *shapes[number + 1 :])
    if variadic:
        yield shapes[:1]
        yield (*shapes, shapes[0])


def _check_nearby(case: Case) -> None:
    """Inputs that no one promised to take are refused in words, or something comes out."""
    shown, mend = ", ".join(map(str, case.shapes)), "refuse such inputs by a ShapeError, which says what would be right"
    try:
        case.graph()
    except Fault as fault:
        error = fault.__cause__
        problems = error.problems if isinstance(error, SpecError) else ()
        if problems and not any(problem.cause or problem.slug == BadBlock.slug for problem in problems):
            return
        raise Fault(f"given {shown}, {fault.what}", mend) from fault


def check_state(case: Case) -> None:
    """`parameters` and `buffers` say what the module has: keys, shapes, types, in the order of the state dict."""
    graph, module = case.graph(), case.module()
    parameters, state = dict(module.named_parameters()), module.state_dict()
    dtypes = {node.key(name): "float32" for node in graph for name in node.weights}
    dtypes |= {node.key(name): buffer.dtype for node in graph for name, buffer in node.buffers.items()}
    for key, value in state.items():
        if str(value.dtype) != f"torch.{dtypes[key]}":
            found = str(value.dtype).removeprefix("torch.")
            raise Fault(f"{key} is {found}, declared {dtypes[key]}", "mend `buffers`; parameters are float32")
        if key in parameters and not bool(torch.isfinite(value).all()):
            raise Fault(f"{key} starts with values that are not finite", "give its Weight another initializer")
        if bool(torch.isnan(value).any()):
            raise Fault(f"{key} starts with values that are no numbers", "fill the buffer when the module is made")


def check_macs(case: Case) -> None:
    """`macs` is what torch counts: half of the operations of matrix products, convolutions and attention."""
    module, graph = case.module(), case.graph()
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module.eval()(*case.images())  # attention that is fused on the CPU counts as nothing
    found = counter.get_total_flops()
    if found != 2 * BATCH * graph.macs:
        what = f"`macs` says {graph.macs:,} for one image, torch counts {found / 2 / BATCH:,.0f}"
        raise Fault(what, "count one for each multiplication with its addition in products with weights or kernels")


def check_saves(case: Case) -> None:
    """`saves` is what backward keeps for an image, to 5 %; asked only of blocks that say it."""
    if isinstance(case.block, Primitive) and type(case.block).saves is Primitive.saves:
        return
    graph = case.learned_graph()
    if graph is None:
        return
    found = (held(graph, 3 * BATCH) - held(graph, BATCH)) / (2 * BATCH)
    declared = sum(saved_activations(graph).values())
    if abs(found - declared) > SHARE * found + SLACK:
        mend = "mend `saves`: inputs kept, output kept, further elements; views share their memory"
        raise Fault(f"backward keeps {found:,.0f} bytes per image, `saves` makes it {declared:,}", mend)


def held(graph: Graph, count: int) -> int:
    """Bytes that torch holds for the backward of a batch, each storage once, without parameters and buffers."""
    module = build(graph)
    storages: dict[int, int] = {}
    own = {value.untyped_storage().data_ptr() for value in module.state_dict().values()}

    def pack(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return value

    inputs = images([node.shape for node in graph.inputs], count)
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value)
    with torch.random.fork_rng(devices=[]), hooks:
        output = module(*inputs)
    del output  # until here it keeps all storages apart
    return sum(storages.values())


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

    for training, mode in MODES.items():
        module.train(training)
        with faults(f"gradients cannot be compared in {mode}", mend):
            try:
                torch.autograd.gradcheck(function, (*inputs, *parameters.values()), fast_mode=True)
            except GradcheckError as error:
                names = [*(f"input {number}" for number in range(len(inputs))), *parameters]
                raise Fault(f"in {mode}, {_wrong_gradient(str(error), names)}", mend) from error


NUMBER = r":(?:tensor\()?([^\s,)]+)"
MISMATCH = re.compile(rf"respect to input (\d+),\s*numerical{NUMBER}.*?analytical{NUMBER}", re.DOTALL)
"""What torch says of a gradient in fast mode, along a random direction."""


def _wrong_gradient(message: str, names: list[str]) -> str:
    """What torch says of a wrong gradient, with names for the inputs of the function that it was told of."""
    if "expected to be zero" in message:
        return "the output depends on the inputs, but no gradient comes back"
    if found := MISMATCH.search(message):
        name, numerical, analytical = names[int(found[1])], float(found[2]), float(found[3])
        what = f"the gradient of {name} along a random direction is {analytical:.6g}"
        return f"{what}, by finite differences {numerical:.6g}"
    return f"gradients are wrong: {message.strip().splitlines()[0]}"


def check_evaluation(case: Case) -> None:
    """In evaluation, an image gives the same output alone and in any company, every time."""
    module, xs = case.module(), case.images(3)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    whole = run(module, xs, training=False)
    close(
        run(module, xs, training=False, seed=5),
        whole,
        "evaluation gives other numbers each time",
        "draw random numbers only if `fx.training`, or under `training`",
    )
    mend = "images of a batch must not see each other in evaluation"
    with faults("an image alone is not taken in evaluation", mend):
        alone = run(module, [x[1:2] for x in xs], training=False)
    close(alone, whole[1:2], "an image gives another output alone than in a batch", mend)
    for key, value in module.state_dict().items():
        same(value, before[key], f"evaluation changes {key}", "change buffers only in training")


def check_determinism(case: Case) -> None:
    """The seed decides first values, torch's seed decides training; torch's generator is left alone by building."""
    mend = "draw from torch alone, and in `forward` alone; first values are those of declared parameters"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        state = torch.get_rng_state()
        first = case.module(seed=7)
        if not torch.equal(state, torch.get_rng_state()):
            raise Fault("building draws from torch's global generator", mend)
        torch.manual_seed(4)
        second = case.module(seed=7)
    for (key, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        same(one, other, f"{key} differs between two builds of one seed", mend)
    for training, mode in MODES.items():
        one, other = (run(module, case.images(), training) for module in (first, second))
        same(one, other, f"two builds of one seed give other outputs in {mode}", mend)


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
    mend = "make tensors like the input: x.new_zeros(...), or with dtype=x.dtype, device=x.device; call no .item()"
    for training, mode in MODES.items():
        for dtype in (torch.float64, torch.bfloat16):
            with faults(f"it does not run in {dtype} in {mode}", mend):
                found = run(case.module(dtype=dtype), case.images(dtype=dtype), training)
            if found.dtype != dtype:
                raise Fault(f"in {dtype} its output is {found.dtype} in {mode}", mend)
        for device in ["meta", "cuda"] if torch.cuda.is_available() else ["meta"]:
            with faults(f"it does not run on another device ({device}) in {mode}", mend), _OneDevice():  # type: ignore[no-untyped-call]
                found = run(case.module().to(device), [x.to(device) for x in case.images()], training)
            if found.device.type != device:
                raise Fault(f"on another device ({device}) its output is still on {found.device} in {mode}", mend)


def check_channels_last(case: Case) -> None:
    """Feature maps in channels_last give the same numbers; in training, where draws may differ, it runs."""
    xs = case.images()
    if not any(x.dim() == 4 for x in xs):
        return
    mend = "write `reshape`, not `view`, and do not rely on strides"
    last = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in xs]
    module = case.module()
    expected = run(module, xs, training=False)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with faults("it does not run in channels_last", mend):
        found = run(module, last, training=False)
        run(module, last, training=True)
    close(found, expected, "channels_last gives other numbers", mend)


def check_round_trip(case: Case) -> None:
    """A state dict that is saved and loaded gives the same numbers: nothing else is state."""
    from safetensors.torch import load, save

    module = case.module(seed=1)
    run(module, case.images(), training=True)  # buffers move
    state = {key: value.contiguous() for key, value in module.state_dict().items()}
    mend = "what decides the output must be a declared parameter, a declared buffer or a literal argument"
    with faults("its state dict cannot be saved and loaded", mend), torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
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
            found, expected = (run(each, case.images(), training) for each in (twin, module))
            same(found, expected, f"after {name} it gives other numbers", mend)


def check_compile(case: Case) -> None:
    """torch.compile takes it whole, with its backward."""
    mend = "no Python branches on values, no .item(), no print: write it in torch's own operations"
    for training in (True, False):
        expected = outcome(case.module(), case.images(), training)
        torch._dynamo.reset()
        with faults("torch.compile(fullgraph=True) does not take it", mend), _quiet():
            compiled = torch.compile(case.module(), fullgraph=True, backend="aot_eager")
            found = outcome(compiled, case.images(), training)  # type: ignore[arg-type]
        for name, value in expected.items():
            close(found[name], value, f"compiled, {name} is another", mend)


def outcome(module: nn.Module, inputs: list[torch.Tensor], training: bool) -> dict[str, torch.Tensor]:
    """The output by name; in training with the gradients of its sum of squares for inputs and parameters."""
    if not training:
        return {"the output": run(module, inputs, training)}
    wanted = {f"the gradient of input {number}": x.requires_grad_() for number, x in enumerate(inputs)}
    for name, parameter in module.named_parameters():
        wanted[f"the gradient of {name.removeprefix('_orig_mod.')}"] = parameter
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        output = module.train()(*inputs)
    given = [torch.zeros_like(value) for value in wanted.values()]
    if output.requires_grad:
        total, leaves = output.square().sum(), list(wanted.values())
        given = list(torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True))
    return {"the output": output.detach(), **dict(zip(wanted, given, strict=True))}


def check_export(case: Case) -> None:
    """torch.export takes it with a free batch size."""
    module = case.module().eval()
    mend = "let the batch size be free: -1 in reshapes; no Python branches, on x.shape[0] or on values"
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
    with faults("model.py cannot be written or run", mend), torch.random.fork_rng(devices=[]):
        alone = standalone_module(graph, standalone_source(graph))
        alone.load_state_dict(module.state_dict())
        outputs = [run(alone, case.images(), training) for training in (False, True)]
    for found, training in zip(outputs, (False, True), strict=True):
        with plain_forms():
            expected = run(module, case.images(), training)
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
