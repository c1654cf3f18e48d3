"""The walk through the layers of a spec, block or group: one mapping or list of layers after another."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from archspec.block import Block, Composite, Primitive
from archspec.errors import BlockError, Position, Problem, Use, did_you_mean
from archspec.graph.clash import Clash
from archspec.graph.graph import Group, Node
from archspec.graph.infer import ArityError, counted, infer
from archspec.graph.scope import POISON, Binding, Copy, Flow, Frame, Layout, Poisoned, ReferenceProblem, Scope
from archspec.registry import BLOCKS, block_class
from archspec.spec.document import BlockDefinition, Layer, Layers
from archspec.spec.expression import is_expression
from archspec.spec.params import UNKNOWN
from archspec.spec.reader import Scalar, Value, shown
from archspec.spec.validation import refuse_unknown_fields, validated

if TYPE_CHECKING:
    from archspec.graph.compile import Compiler


MAX_NESTING = 100


@dataclass
class Body:
    """The walk through one mapping or list of layers."""

    compiler: Compiler
    layers: Layers
    scope: Scope
    path: str
    """What the names of its layers begin with."""
    current: Flow | None
    """What the next layer reads unless it says otherwise."""
    number: int = 0
    """The next layer's name in a list."""
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = self.scope.layout
        self.layout.listed = self.layers.listed
        if not self.layers.listed:
            self.layout.written = {layer.name: layer.position for layer in self.layers.items}

    def run(self) -> Flow | None:
        """The value of the last present layer."""
        for layer in self.layers.items:
            try:
                if layer.broken:
                    raise Poisoned
                self._layer(layer)
            except Poisoned:
                self.current = POISON
                self._bind(layer.name, Binding(POISON))
        return self.current

    def _bind(self, name: str, binding: Binding) -> None:
        if not self.layers.listed:
            self.layout.bound[name] = binding

    def _context(self, layer: Layer, op: str = "") -> dict[str, Any]:
        return {"layer": self.path + (layer.name or str(self.number)), "op": op, "uses": self.scope.frame.uses}

    def _report(
        self, slug: str, message: str, position: Position, layer: Layer, op: str = "", hint: str = ""
    ) -> NoReturn:
        self.compiler.report(slug, message, position, hint=hint, **self._context(layer, op))

    def _resolve(self, value: Value, layer: Layer, scope: Scope | None = None) -> Any:
        return self.compiler.resolve(value, scope or self.scope, layer=self._context(layer)["layer"])

    def _layer(self, layer: Layer) -> None:
        self.layout.making = layer.name
        if layer.otherwise is not None:
            self._check_otherwise(layer, layer.otherwise)
        if layer.when is not None and not self._is_present(layer):
            self._leave_out(layer, _written(layer.when))
        elif layer.layers is not None:
            self._group(layer, layer.layers)
        elif layer.repeat is not None:
            self._repeat(layer)
        else:
            inputs = self._inputs(layer)
            self._bind(layer.name, self._apply(layer, self._next_name(layer), inputs, self.scope))

    def _next_name(self, layer: Layer) -> str:
        if not self.layers.listed:
            return layer.name
        self.number += 1
        return str(self.number - 1)

    def _is_present(self, layer: Layer) -> bool:
        assert layer.when is not None
        present = self._resolve(layer.when, layer)
        if not isinstance(present, bool):
            self._report(
                "bad-when", f"`when` must be true or false, found {shown(present)}", layer.when.position, layer
            )
        return present

    def _leave_out(self, layer: Layer, why: str) -> None:
        if layer.otherwise is None:
            self._bind(layer.name, Binding(POISON, absent=why))
            return
        flow = self._read(layer.otherwise, layer)
        self._bind(layer.name, Binding(flow, stand_in=True))
        self.current = flow

    def _check_otherwise(self, layer: Layer, reference: Scalar) -> None:
        """An `else` must name something even where it is not needed."""
        if is_expression(reference.text):
            self._read(reference, layer)
        try:
            self.scope.resolve(reference.text)
        except ReferenceProblem as problem:
            if problem.slug != "absent-layer":
                self._report(problem.slug, problem.message, reference.position, layer, hint=problem.hint)

    def _read(self, reference: Scalar, layer: Layer) -> Flow:
        text = reference.text
        if is_expression(text):
            hint = "choose with `when` and `else`"
            self._report("bad-reference", "a reference cannot be an expression", reference.position, layer, hint=hint)
        try:
            if text == layer.name:
                raise ReferenceProblem("later-layer", f"`{text}` reads itself", "name an earlier layer")
            return self.scope.resolve(text)
        except ReferenceProblem as problem:
            op = layer.op.text if layer.op else ""
            self._report(problem.slug, problem.message, reference.position, layer, op, problem.hint)

    def _read_or_poison(self, reference: Scalar, layer: Layer) -> Flow:
        """What a reference reads; a wrong one is told, and does not keep the rest of the layer from being checked."""
        try:
            return self._read(reference, layer)
        except Poisoned:
            return POISON

    def _inputs(self, layer: Layer) -> tuple[Flow, ...]:
        if layer.inputs is not None:
            return tuple(self._read_or_poison(reference, layer) for reference in layer.inputs)
        if self.current is None:
            if not self.scope.frame.inputs:
                return (POISON,)
            names = ", ".join(self.scope.frame.inputs)
            message = "the first layer needs `from`: there are several inputs"
            self._report("wrong-arity", message, layer.position, layer, hint=f"inputs: {names}")
        assert self.current is not None
        return (self.current,)

    def _group(self, layer: Layer, layers: Layers) -> None:
        (flow,) = self._inputs(layer)
        path = self.path + self._next_name(layer)
        self._refuse_depth(layer, path)
        layout = Layout(parent=self.layout, owner=layer.name)
        self.compiler.groups[path] = Group(path, "", {}, layer.position)
        scope = Scope(self.scope.frame, layout)
        result = Body(self.compiler, layers, scope, path + ".", flow).run()
        assert result is not None
        self._bind(layer.name, Binding(result, layout))
        self.current = result

    def _refuse_depth(self, layer: Layer, path: str) -> None:
        if path.count(".") >= MAX_NESTING:
            self._report("too-deep", f"layers are nested more than {MAX_NESTING} deep", layer.position, layer)

    def _repeat(self, layer: Layer) -> None:
        assert layer.repeat is not None and layer.op is not None
        count = self._count(layer.repeat.count, "repeat", layer)
        start = self._count(layer.repeat.start, "start", layer) if layer.repeat.start is not None else 0
        if count == 0:
            self._leave_out(layer, "repeat: 0")
            return
        flows = self._inputs(layer)
        if len(flows) != 1:
            message = f"a repeated layer reads one value, found {len(flows)}"
            self._report("wrong-arity", message, layer.position, layer, hint="each copy reads the one before it")
        self.compiler.check_room(count, layer.op.text, layer.position)
        self._copies(layer, flows[0], count, start)

    def _count(self, value: Value, what: str, layer: Layer) -> int:
        count = self._resolve(value, layer)
        if type(count) is not int or count < 0:
            message = f"`{what}` must be a whole number from 0, found {shown(count)}"
            self._report("bad-repeat", message, value.position, layer)
        return int(count)

    def _copies(self, layer: Layer, flow: Flow, count: int, start: int) -> None:
        assert layer.repeat is not None
        flat = layer.repeat.flat
        inside = Layout(owner=layer.name)
        prefix = ""
        if not flat:
            prefix = self._next_name(layer)
            self.compiler.groups[self.path + prefix] = Group(self.path + prefix, "", {}, layer.position)
        binding = Binding(flow)
        for index in range(count):
            scope = replace(self.scope, copy=Copy(index, count))
            if not flat:
                name = f"{prefix}.{start + index}"
            elif self.layers.listed:
                name = self._next_name(layer)
            else:
                name = f"{layer.name}{start + index}"
                self._refuse_taken(name, layer)
            binding = self._apply(layer, name, (binding.flow,), scope)
            if flat:
                self._bind(name, binding)
            else:
                inside.bound[str(start + index)] = binding
            if binding.flow is POISON:
                break
        self._bind(layer.name, Binding(binding.flow, binding.inside if flat else inside))
        self.current = binding.flow

    def _refuse_taken(self, name: str, layer: Layer) -> None:
        if name in self.layout.written or name in self.layout.bound:
            message = f"a copy is called `{name}`, which is already the name of a layer"
            self._report("duplicate-name", message, layer.position, layer, hint="another `start`, or another name")

    def _apply(self, layer: Layer, name: str, inputs: tuple[Flow, ...], scope: Scope) -> Binding:
        """One use of the layer's op."""
        assert layer.op is not None
        op, path = self._op(layer, scope), self.path + name
        definition = self.compiler.spec.blocks.get(op)
        context = {"layer": path, "op": op, "uses": scope.frame.uses}
        if definition is not None:
            binding = self._use(definition, layer, path, inputs, scope, context)
        elif op in BLOCKS:
            binding = self._built_in(block_class(op), layer, path, inputs, scope, context)
        else:
            known = [*self.compiler.spec.blocks, *BLOCKS]
            hint = did_you_mean(op, known, "ops")
            self.compiler.report("unknown-op", f"there is no op `{op}`", layer.op.position, hint=hint, **context)
        self.current = binding.flow
        return binding

    def _op(self, layer: Layer, scope: Scope) -> str:
        assert layer.op is not None
        op = self._resolve(layer.op, layer, scope)
        if not isinstance(op, str):
            self._report("bad-layer", f"`op` must name a block, found {shown(op)}", layer.op.position, layer)
        return op

    def _fields(self, layer: Layer, scope: Scope, context: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The fields that can be worked out, and whether they are all."""
        found = {}
        for name, (_, value) in layer.fields.items():
            try:
                found[name] = self.compiler.resolve(value, scope, layer=context["layer"], op=context["op"])
            except Poisoned:
                continue
        return found, len(found) == len(layer.fields)

    def _built_in(
        self,
        cls: type[Block],
        layer: Layer,
        path: str,
        inputs: tuple[Flow, ...],
        scope: Scope,
        context: dict[str, Any],
    ) -> Binding:
        fields, complete = self._fields(layer, scope, context)
        problems = self.compiler.problems
        if not complete:
            refuse_unknown_fields(cls, fields, layer.fields, layer.position, cls.op, problems, **context)
            raise Poisoned
        block = validated(cls, fields, layer.fields, layer.position, cls.op, problems, **context)
        if block is None or any(flow.shape is None for flow in inputs):
            raise Poisoned
        if isinstance(block, Composite):
            return self._composite(block, fields, layer, path, inputs, context)
        assert isinstance(block, Primitive)
        return Binding(self._primitive(block, fields, layer.position, layer.fields, path, inputs, context))

    def _primitive(
        self,
        block: Primitive,
        fields: dict[str, Any],
        position: Position,
        at: Dict[str, tuple[Scalar, Value]],
        path: str,
        inputs: tuple[Flow, ...],
        context: dict[str, Any],
    ) -> Flow:
        shapes = tuple(flow.shape for flow in inputs if flow.shape is not None)
        try:
            shape = infer(block, shapes)
        except BlockError as error:
            clash = Clash(self.compiler.nodes, self.compiler.groups, self.path, position, inputs)
            hint = clash.hint(error) or error.hint
            self.compiler.report(error.slug, error.message, position, hint=hint, **context)
        node = Node(
            path,
            block.op,
            block,
            fields,
            tuple(flow.node for flow in inputs),
            shape,
            position,
            block.parameters(*shapes),
            block.buffers(*shapes),
            block.macs(*shapes),
            block.window(*shapes),
            block.saves(*shapes),
        )
        return self.compiler.add(node)

    def _composite(
        self,
        block: Composite,
        fields: dict[str, Any],
        layer: Layer,
        path: str,
        inputs: tuple[Flow, ...],
        context: dict[str, Any],
    ) -> Binding:
        """Have a block written in Python add its layers."""
        self.compiler.groups[path] = Group(path, block.op, fields, layer.position)
        builder = PythonBuilder(self, layer, path, context)
        try:
            result = block.expand(builder, *inputs)
        except BlockError as error:
            self.compiler.report(error.slug, error.message, layer.position, hint=error.hint, **context)
        return Binding(result, builder.layout)

    def _use(
        self,
        block: BlockDefinition,
        layer: Layer,
        path: str,
        inputs: tuple[Flow, ...],
        scope: Scope,
        context: dict[str, Any],
    ) -> Binding:
        """Expand a block written in YAML."""
        stack = self.compiler.blocks
        if block.name in stack:
            chain = " -> ".join([*stack[stack.index(block.name) :], block.name])
            self.compiler.report("block-recursion", f"a block uses itself: {chain}", layer.position, **context)
        self._refuse_depth(layer, path)
        params = self._params(block, layer, scope, context)
        if len(inputs) != len(block.inputs):
            message = f"block `{block.name}` takes {counted(len(block.inputs))}, found {len(inputs)}"
            hint = f"its inputs: {', '.join(block.inputs)} (line {block.position.line})"
            self.compiler.report(ArityError.slug, message, layer.position, hint=hint, **context)
        flows = dict(zip(block.inputs, inputs, strict=True))
        if len(flows) == 1:
            flows["input"] = inputs[0]
        uses = (*scope.frame.uses, Use(path, layer.position))
        frame = Frame(params, block.let, flows, self.compiler.work_out, uses, path)
        inner = Scope(frame, Layout(owner=""))
        self.compiler.groups[path] = Group(path, block.name, params, layer.position)
        self.compiler.enter(path, block.name, uses, layer.position)
        stack.append(block.name)
        try:
            self.compiler.start_frame(frame, block.checks, inner)
            current = inputs[0] if len(inputs) == 1 else None
            result = Body(self.compiler, block.layers, inner, path + ".", current).run()
        finally:
            stack.pop()
        if result is None:
            message = f"no layer of block `{block.name}` is present, and it has several inputs to pass on"
            self.compiler.report("no-layer", message, layer.position, **context)
        return Binding(result, inner.layout)

    def _params(self, block: BlockDefinition, layer: Layer, scope: Scope, context: dict[str, Any]) -> dict[str, object]:
        """The values of a block's params at one use."""
        before = len(self.compiler.problems)
        given, complete = self._fields(layer, scope, context)
        where = f"line {block.position.line}"
        if block.position.source.name != layer.position.source.name:
            where = f"{block.position.source.name}:{block.position.line}"
        for name in layer.fields.keys() - block.params.keys():
            hint = did_you_mean(name, block.params, "params") or f"it has no params ({where})"
            message = f"block `{block.name}` has no param `{name}`"
            position = layer.fields[name][0].position
            self.compiler.problems.append(Problem("unknown-field", message, position, hint=hint, **context))
        values: dict[str, object] = {}
        for name, param in block.params.items():
            if name not in given:
                if name not in layer.fields and param.required:
                    message, hint = f"block `{block.name}` needs `{name}`", f"its params: {where}"
                    problem = Problem("missing-field", message, layer.position, hint=hint, **context)
                    self.compiler.problems.append(problem)
                values[name] = UNKNOWN if param.broken else param.default
                continue
            values[name] = given[name]
            if refusal := param.refusal(given[name]):
                position = layer.fields[name][1].position
                self.compiler.problems.append(Problem("bad-field", refusal, position, hint=param.doc, **context))
        if not complete or len(self.compiler.problems) > before:
            raise Poisoned
        return values


def check_unused(compiler: Compiler, layers: Layers) -> None:
    """What can be said of a block that is never used: its ops and their fields exist."""
    for layer in layers.items:
        if layer.layers is not None:
            check_unused(compiler, layer.layers)
        elif layer.op is not None and not is_expression(layer.op.text) and layer.op.text not in compiler.spec.blocks:
            op = layer.op.text
            if op not in BLOCKS:
                hint = did_you_mean(op, [*compiler.spec.blocks, *BLOCKS], "ops")
                problem = Problem("unknown-op", f"there is no op `{op}`", layer.op.position, layer.name, op, hint)
                compiler.problems.append(problem)
            else:
                context = {"layer": layer.name, "op": op}
                cls = block_class(op)
                refuse_unknown_fields(cls, {}, layer.fields, layer.position, op, compiler.problems, **context)


class PythonBuilder:
    """What a composite written in Python adds its layers to."""

    def __init__(self, body: Body, layer: Layer, path: str, context: dict[str, Any]) -> None:
        self.body, self.written, self.path, self.context = body, layer, path, context
        self.layout = Layout(owner=layer.name)

    def layer(self, name: str, op: str, *inputs: Flow, **fields: Any) -> Flow:
        """Add the layer `name` and return its output. Errors: BlockError if there is no such op"""
        if op not in BLOCKS:
            raise BlockError(f"{self.context['op']} uses the op `{op}`, which does not exist", did_you_mean(op, BLOCKS))
        if name in self.layout.bound:
            raise BlockError(f"{self.context['op']} adds two layers called `{name}`")
        path, position = f"{self.path}.{name}", self.written.position
        context = {**self.context, "layer": path, "op": op}
        block = validated(block_class(op), fields, None, position, op, self.body.compiler.problems, **context)
        if block is None:
            raise Poisoned
        if isinstance(block, Composite):
            binding = self.body._composite(block, fields, self.written, path, inputs, context)
        else:
            assert isinstance(block, Primitive)
            binding = Binding(self.body._primitive(block, fields, position, {}, path, inputs, context))
        self.layout.bound[name] = binding
        return binding.flow


def _written(value: Value) -> str:
    return value.text if isinstance(value, Scalar) else "..."
