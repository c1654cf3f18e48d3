"""One use of an op: its fields checked, its shape inferred, its layers added, whoever brings the block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from archspec.block import Block, Buffer, Composite, Primitive, Saves, Weight
from archspec.errors import ArchspecError, BlockError, PluginError, Position, Problem, Use, did_you_mean
from archspec.graph.clash import Clash
from archspec.graph.graph import Group, Node
from archspec.graph.infer import ArityError, arity_of, counted, infer
from archspec.graph.missing import missing_op
from archspec.graph.scope import Binding, Flow, Frame, Layout, Poisoned, Scope
from archspec.initializers import Initializer
from archspec.plugins import went_wrong
from archspec.registry import BLOCKS
from archspec.spec.document import BlockDefinition, Layer, layer_name_refusal
from archspec.spec.params import UNKNOWN
from archspec.spec.validation import refuse_unknown_fields, validated
from archspec.tensor import Shape, Sides, Window

if TYPE_CHECKING:
    from archspec.graph.compile import Compiler


MAX_NESTING = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One use of an op: the layer it is written as, its path, what it reads, and where it runs."""

    layer: Layer
    path: str
    op: str
    inputs: tuple[Flow, ...]
    scope: Scope
    place: int = 0
    shares: str = ""
    """Path of the earlier layer whose parameters it uses."""

    @property
    def context(self) -> dict[str, Any]:
        """What its problems carry."""
        return {"layer": self.path, "op": self.op, "uses": self.scope.frame.uses}


def bind(compiler: Compiler, call: Call, position: Position) -> Binding:
    """What one use of an op stands for; `position` is where the op is named. Errors: Poisoned"""
    definition = compiler.spec.blocks.get(call.op)
    if definition is not None:
        return _written_in_yaml(compiler, definition, call)
    return _registered(compiler, call, position)


def _registered(compiler: Compiler, call: Call, position: Position) -> Binding:
    """Use a block of the registry, whoever brings it."""
    try:
        cls = BLOCKS[call.op]
    except KeyError:
        removal = compiler.removal(call.op, "replace what uses it there too")
        hint = removal or missing_op(call.op, compiler.spec.blocks)
        compiler.report("unknown-op", f"there is no op `{call.op}`", position, hint=hint, **call.context)
    except PluginError as error:
        compiler.refuse_plugin(error, position, **call.context)
    return _written_in_python(compiler, cls, call)


def _fields(compiler: Compiler, call: Call) -> tuple[dict[str, Any], bool]:
    """The fields that can be worked out, and whether they are all."""
    found = {}
    for name, (_, value) in call.layer.fields.items():
        try:
            found[name] = compiler.resolve(value, call.scope, layer=call.path, op=call.op)
        except Poisoned:
            continue
    return found, len(found) == len(call.layer.fields)


def _written_in_python(compiler: Compiler, cls: type[Block], call: Call) -> Binding:
    """Use a block written in Python."""
    layer, problems = call.layer, compiler.problems
    fields, complete = _fields(compiler, call)
    if not complete:
        refuse_unknown_fields(cls, fields, layer.fields, layer.position, cls.op, problems, **call.context)
        raise Poisoned
    block = validated(cls, fields, layer.fields, layer.position, cls.op, problems, **call.context)
    if block is None or any(flow.shape is None for flow in call.inputs):
        raise Poisoned
    if isinstance(block, Composite):
        return _composite(compiler, block, fields, call)
    assert isinstance(block, Primitive)
    return Binding(_primitive(compiler, block, fields, call))


def _primitive(compiler: Compiler, block: Primitive, fields: dict[str, Any], call: Call) -> Flow:
    shapes = tuple(flow.shape for flow in call.inputs if flow.shape is not None)
    try:
        shape = infer(block, shapes)
    except BlockError as error:
        inside = call.path[: call.path.rfind(".") + 1]
        clash = Clash(compiler.nodes, compiler.groups, inside, call.layer.position, call.inputs)
        hint = clash.hint(error) or error.hint
        compiler.report(error.slug, error.message, call.layer.position, hint=hint, **call.context)
    except Exception as error:
        _crashed(compiler, error, "infer", call)
    node = _node(compiler, block, fields, call, shapes, shape)
    if compiler.calls is not None:
        compiler.calls[call.path] = call
    return compiler.add(_sharing(compiler, node, call) if call.shares else node)


def _crashed(compiler: Compiler, error: Exception, method: str, call: Call) -> NoReturn:
    """A plugin's method went wrong; a mistake of archspec's own is left as it is."""
    if call.op in BLOCKS.builtin or isinstance(error, ArchspecError):
        raise error
    owner = BLOCKS.providers(call.op)[0]
    told = went_wrong(f"`{method}` of {owner}", error).problem(call.layer.position, **call.context)
    compiler.problems.append(replace(told, cause=error))
    raise Poisoned from error


def _node(
    compiler: Compiler, block: Primitive, fields: dict[str, Any], call: Call, shapes: tuple[Shape, ...], shape: Shape
) -> Node:
    """The node, with all that the block says of itself."""
    said: dict[str, Any] = {}
    for method, refusal in DECLARATIONS.items():
        try:
            said[method] = getattr(block, method)(*shapes)
        except Exception as error:
            _crashed(compiler, error, method, call)
        if call.op not in BLOCKS.builtin and (wrong := refusal(said[method])):
            message = f"`{method}` gives {said[method]!r}, expected {wrong}"
            hint = "see the table of methods in docs/plugins.md"
            compiler.report("bad-block-class", message, call.layer.position, hint=hint, **call.context)
    return Node(
        name=call.path,
        op=block.op,
        block=block,
        fields=fields,
        inputs=tuple(flow.node for flow in call.inputs),
        shape=shape,
        position=compiler.sharing[-1] if call.shares else call.layer.position,
        weights=said["parameters"],
        buffers=said["buffers"],
        macs=said["macs"],
        window=said["window"],
        saves=said["saves"],
        place=call.place,
    )


def _sizes(value: object, least: int = 0) -> bool:
    return isinstance(value, tuple) and all(type(size) is int and size >= least for size in value)


def _no_weights(found: object) -> str:
    right = isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(one, Weight) and _sizes(one.shape, 1) and isinstance(one.init, Initializer)
        for name, one in found.items()
    )
    return "" if right else "{name: Weight(shape, initializer)}, shapes as tuples of whole numbers"


def _no_buffers(found: object) -> str:
    right = isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(one, Buffer) and _sizes(one.shape) and isinstance(one.dtype, str)
        for name, one in found.items()
    )
    return "" if right else "{name: Buffer(shape, dtype)}, the dtype as text such as float32"


def _no_count(found: object) -> str:
    return "" if type(found) is int and found >= 0 else "a whole number"


def _no_window(found: object) -> str:
    if found is None:
        return ""
    right = isinstance(found, Window) and isinstance(found.padding, Sides)
    pairs = (found.kernel, found.stride, found.dilation, found.spread) if isinstance(found, Window) else ()
    right = right and all(_sizes(pair, 1) and len(pair) == 2 for pair in pairs)
    return "" if right else "None or Window((height, width), ...): pairs for all but padding, which is Sides(...)"


def _no_saves(found: object) -> str:
    return "" if isinstance(found, Saves) else "Saves(...)"


DECLARATIONS: dict[str, Callable[[object], str]] = {
    "parameters": _no_weights,
    "buffers": _no_buffers,
    "macs": _no_count,
    "window": _no_window,
    "saves": _no_saves,
}
"""What a primitive says of itself by each method, as the check of what it may say: what is expected, or nothing."""


def _sharing(compiler: Compiler, node: Node, call: Call) -> Node:
    """A node that uses the parameters of an earlier one, which must have the same."""
    original = compiler.nodes.get(call.shares)
    if original is not None and original.shares:
        original = compiler.nodes[original.shares]
    if original is None or _state(original) != _state(node):
        there = f"has {_state(original) or 'none'}" if original else "is not there"
        message = f"it shares the parameters of `{call.shares}`, which {there}; here they are {_state(node) or 'none'}"
        hint = "both must read values with the same channels"
        compiler.report("bad-shares", message, compiler.sharing[-1], hint=hint, **call.context)
    if not node.weights and not node.buffers:
        return node
    return replace(node, weights={}, buffers={}, shares=original.name, place=original.place)


def _composite(compiler: Compiler, block: Composite, fields: dict[str, Any], call: Call) -> Binding:
    """Have a block written in Python add its layers."""
    if wrong := arity_of(block, len(call.inputs)):
        compiler.report(ArityError.slug, wrong, call.layer.position, **call.context)
    compiler.groups[call.path] = Group(call.path, block.op, fields, call.layer.position)
    builder = PythonBuilder(compiler, call)
    try:
        result = block.expand(builder, *call.inputs)
    except BlockError as error:
        compiler.report(error.slug, error.message, call.layer.position, hint=error.hint, **call.context)
    except Exception as error:
        _crashed(compiler, error, "expand", call)
    if not isinstance(result, Flow):
        message = f"`expand` gives {result!r}, which is no value"
        hint = "return what `b.layer(...)` of the last layer returned"
        compiler.report("bad-block-class", message, call.layer.position, hint=hint, **call.context)
    return Binding(result, builder.layout)


def _written_in_yaml(compiler: Compiler, block: BlockDefinition, call: Call) -> Binding:
    """Expand a block written in YAML."""
    stack, layer, inputs = compiler.blocks, call.layer, call.inputs
    if block.name in stack:
        chain = " -> ".join([*stack[stack.index(block.name) :], block.name])
        compiler.report("block-recursion", f"a block uses itself: {chain}", layer.position, **call.context)
    refuse_depth(compiler, call.path, layer.position, **call.context)
    params = _params(compiler, block, call)
    if len(inputs) != len(block.inputs):
        message = f"block `{block.name}` takes {counted(len(block.inputs))}, found {len(inputs)}"
        hint = f"its inputs: {', '.join(block.inputs)} (line {block.position.line})"
        compiler.report(ArityError.slug, message, layer.position, hint=hint, **call.context)
    flows = dict(zip(block.inputs, inputs, strict=True))
    if len(flows) == 1:
        flows["input"] = inputs[0]
    uses = (*call.scope.frame.uses, Use(call.path, layer.position))
    frame = Frame(params, block.let, flows, compiler.work_out, uses, call.path, call)
    inner = Scope(frame, Layout(owner=""))
    compiler.groups[call.path] = Group(call.path, block.name, params, layer.position)
    compiler.enter(call.path, block.name, uses, layer.position)
    stack.append(block.name)
    try:
        compiler.start_frame(frame, block.checks, inner)
        current = inputs[0] if len(inputs) == 1 else None
        shares = call.shares and call.shares + "."
        result = compiler.run(block.layers, inner, call.path + ".", current, call.place, shares)
    finally:
        stack.pop()
    if result is None:
        message = f"no layer of block `{block.name}` is present, and it has several inputs to pass on"
        compiler.report("no-layer", message, layer.position, **call.context)
    return Binding(result, inner.layout)


def _params(compiler: Compiler, block: BlockDefinition, call: Call) -> dict[str, object]:
    """The values of a block's params at one use."""
    before, layer, context = len(compiler.problems), call.layer, call.context
    given, complete = _fields(compiler, call)
    where = f"line {block.position.line}"
    if block.position.source.name != layer.position.source.name:
        where = f"{block.position.source.name}:{block.position.line}"
    for name in layer.fields.keys() - block.params.keys():
        hint = did_you_mean(name, block.params, "params") or f"it has no params ({where})"
        message = f"block `{block.name}` has no param `{name}`"
        position = layer.fields[name][0].position
        compiler.problems.append(Problem("unknown-field", message, position, hint=hint, **context))
    values: dict[str, object] = {}
    for name, param in block.params.items():
        if name not in given:
            if name not in layer.fields and param.required:
                message, hint = f"block `{block.name}` needs `{name}`", f"its params: {where}"
                problem = Problem("missing-field", message, layer.position, hint=hint, **context)
                compiler.problems.append(problem)
            values[name] = UNKNOWN if param.broken else param.default
            continue
        values[name] = given[name]
        if refusal := param.refusal(given[name]):
            position = layer.fields[name][1].position
            compiler.problems.append(Problem("bad-field", refusal, position, hint=param.doc, **context))
    if not complete or len(compiler.problems) > before:
        raise Poisoned
    return values


class PythonBuilder:
    """What a composite written in Python adds its layers to."""

    def __init__(self, compiler: Compiler, call: Call) -> None:
        self.compiler, self.call = compiler, call
        self.layout = Layout(owner=call.layer.name)

    def layer(self, name: str, op: str, /, *inputs: Flow, **fields: Any) -> Flow:
        """Add the layer `name` and return its output. Errors: BlockError if there is no such op"""
        if refusal := layer_name_refusal(name):
            raise BlockError(f"{self.call.op}: {refusal[0]}", refusal[1])
        refuse_depth(self.compiler, f"{self.call.path}.{name}", self.call.layer.position, **self.call.context)
        try:
            cls = BLOCKS[op]
        except KeyError:
            hint = did_you_mean(op, BLOCKS, "ops")
            raise BlockError(f"{self.call.op} uses the op `{op}`, which does not exist", hint) from None
        except PluginError as error:
            self.compiler.refuse_plugin(error, self.call.layer.position, **self.call.context)
        if name in self.layout.bound:
            raise BlockError(f"{self.call.op} adds two layers called `{name}`")
        shares = f"{self.call.shares}.{name}" if self.call.shares else ""
        call = replace(self.call, path=f"{self.call.path}.{name}", op=op, inputs=inputs, shares=shares)
        problems = self.compiler.problems
        fields = {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}
        block = validated(cls, fields, None, call.layer.position, op, problems, **call.context)
        if block is None:
            raise Poisoned
        if isinstance(block, Composite):
            binding = _composite(self.compiler, block, fields, call)
        else:
            assert isinstance(block, Primitive)
            binding = Binding(_primitive(self.compiler, block, fields, call))
        self.layout.bound[name] = binding
        return binding.flow


def _state(node: Node) -> str:
    """A node's parameters and buffers, as a message shows them."""
    shapes = {name: entry.shape for name, entry in node.weights.items()}
    shapes |= {name: entry.shape for name, entry in node.buffers.items()}
    return ", ".join(f"{name or 'itself'} {'x'.join(map(str, shape))}" for name, shape in shapes.items())


def refuse_depth(compiler: Compiler, path: str, position: Position, **context: Any) -> None:
    """Report a layer that is nested too deep. Errors: Poisoned"""
    if path.count(".") >= MAX_NESTING:
        compiler.report("too-deep", f"layers are nested more than {MAX_NESTING} deep", position, **context)
