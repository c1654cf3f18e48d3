"""Spec -> graph: every block, repeat and expression worked out, shapes and costs inferred on the way.

One walk in file order. A layer that is wrong is reported and poisons its value; what depends on it stays silent,
and everything else is still checked, so that all mistakes of a spec are told at once.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from archspec.block import Block, Composite, Primitive
from archspec.errors import BlockError, ExpressionError, Position, Problem, SpecError, Use, did_you_mean
from archspec.graph.check import check_reach, read_outputs
from archspec.graph.clash import blame
from archspec.graph.graph import Graph, Group, Node, digraph_of
from archspec.graph.infer import ArityError, counted, infer
from archspec.graph.init_rules import read_rules
from archspec.graph.scope import POISON, Binding, Copy, Flow, Frame, Layout, Poisoned, ReferenceProblem, Scope
from archspec.registry import BLOCKS, block_class
from archspec.spec.document import BlockDefinition, Layer, Layers, Spec
from archspec.spec.expression import evaluate, is_expression
from archspec.spec.params import bind
from archspec.spec.reader import Scalar, Sequence, Value, shown
from archspec.spec.validation import validated
from archspec.tensor import SHAPES, Shape

MAX_NODES = 200_000
MAX_BLOCK_DEPTH = 50


def compile(spec: Spec, settings: dict[str, Any] | None = None, max_nodes: int = MAX_NODES) -> Graph:
    """The graph of a spec, with some params set. Errors: SpecError with every problem of the spec"""
    return Compiler(spec, settings or {}, max_nodes).graph()


class Compiler:
    """Compiles one spec under one choice of params."""

    def __init__(self, spec: Spec, settings: dict[str, Any], max_nodes: int) -> None:
        self.spec, self.settings, self.max_nodes = spec, settings, max_nodes
        self.problems = list(spec.problems)
        self.nodes: dict[str, Node] = {}
        self.groups: dict[str, Group] = {}
        self.uses: dict[str, tuple[Use, ...]] = {}
        self.blocks: list[str] = []
        self.sizes: dict[str, int] = {}

    def graph(self) -> Graph:
        params = bind(self.spec.params, self.settings, self.problems)
        self._refuse_shadowing()
        frame = Frame(params, self.spec.let, {}, self.work_out)
        scope = Scope(frame, Layout())
        frame.inputs = self._inputs(scope)
        self.start_frame(frame, self.spec.checks, scope)
        body = Body(self, self.spec.layers, scope, "", only(frame.inputs))
        body.run()
        outputs = read_outputs(self, Scope(frame, body.layout))
        rules = read_rules(self, scope)
        if not self.problems:
            check_reach(self, outputs)
        if self.problems:
            raise SpecError(tidy(self.problems))
        changed = {name: params[name] for name in params if name in self.settings}
        return Graph(
            self.spec.name,
            self.spec.description,
            self.spec.paper,
            params,
            changed,
            outputs,
            rules,
            self.groups,
            digraph_of(self.nodes.values()),
        )

    def _refuse_shadowing(self) -> None:
        for name, block in self.spec.blocks.items():
            if name in BLOCKS:
                message = f"block `{name}` has the name of a built-in op"
                self.problems.append(Problem("duplicate-name", message, block.position, hint="rename the block"))

    def _inputs(self, scope: Scope) -> dict[str, Flow]:
        flows = {}
        for name, (key, value) in self.spec.inputs.items():
            flow = POISON
            try:
                shape = self._input_shape(name, value, self.resolve(value, scope))
                node = Node(name, "input", None, {}, (), shape, key.position)
                self.nodes[name] = node
                flow = Flow(name, shape)
            except Poisoned:
                pass
            flows[name] = flow
        return flows | {"input": only(flows) or POISON} if len(flows) == 1 else flows

    def _input_shape(self, name: str, value: Value, dims: object) -> Shape:
        sizes = dims if isinstance(dims, list) else []
        if not sizes or not all(type(size) is int and 0 < size < 2**31 for size in sizes):
            message = (
                f"input `{name}` must be [channels, height, width] or [features], each from 1, found {shown(dims)}"
            )
            self.report("bad-input", message, value.position)
        if len(sizes) not in SHAPES:
            message = f"input `{name}` has {len(sizes)} axes, found {shown(dims)}; it must have 1 or 3"
            hint = "[channels, height, width] or [features]; the batch axis is implied"
            self.report("bad-input", message, value.position, hint=hint)
        return SHAPES[len(sizes)](*sizes)

    # What the walk uses.

    def report(self, slug: str, message: str, position: Position | None, **context: Any) -> NoReturn:
        """Add a problem and poison what it concerns."""
        self.problems.append(Problem(slug, message, position, **context))
        raise Poisoned

    def start_frame(self, frame: Frame, checks: list[Any], scope: Scope) -> None:
        """Work out every `let`, so that each mistake is told, and ask the checks."""
        for name in frame.let:
            try:
                scope.value(name)
            except (Poisoned, ExpressionError):
                pass
        for check in checks:
            try:
                holds = self.resolve(check.that, scope)
                if not isinstance(holds, bool):
                    self.report(
                        "bad-check", f"a check must be true or false, found {shown(holds)}", check.that.position
                    )
                if not holds:
                    values = ", ".join(f"{name} = {shown(value)}" for name, value in frame.params.items())
                    message = f"check {check.that.text}: {check.say}"
                    self.report("check", message, check.that.position, hint=values, uses=frame.uses)
            except Poisoned:
                pass

    def work_out(self, name: str, frame: Frame) -> object:
        """One entry of `let`."""
        value = frame.let[name][1]
        return self.resolve(value, Scope(frame, Layout()))

    def resolve(self, value: Value, scope: Scope, **context: Any) -> Any:
        """A value with its expressions worked out. Errors: Poisoned once its mistakes are reported"""
        if isinstance(value, Scalar):
            if not is_expression(value.value):
                return value.value
            try:
                return evaluate(value.text, scope)
            except ExpressionError as error:
                position = expression_position(value, error.offset)
                uses = scope.frame.uses
                self.report("bad-expression", error.message, position, hint=error.hint, uses=uses, **context)
        if isinstance(value, Sequence):
            return [self.resolve(item, scope, **context) for item in value.items]
        return {key.value: self.resolve(item, scope, **context) for key, item in value.entries.values()}

    def uses_of(self, name: str) -> tuple[Use, ...]:
        """Where the block that a node is written in is used."""
        inside = [path for path in self.uses if name.startswith(path + ".")]
        return self.uses[max(inside, key=len)] if inside else ()

    def add(self, node: Node) -> Flow:
        if len(self.nodes) >= self.max_nodes:
            self.too_large(node.position)
        self.nodes[node.name] = node
        return Flow(node.name, node.shape)

    def too_large(self, position: Position) -> NoReturn:
        """Stop at once: there is no point in going on."""
        message = f"the network has more than {self.max_nodes:,} layers"
        hint = "--max-nodes raises the limit"
        raise SpecError(tidy([*self.problems, Problem("too-many-nodes", message, position, hint=hint)]))

    def check_room(self, count: int, op: str, position: Position) -> None:
        """Refuse a repeat that cannot fit before any of it is expanded."""
        if len(self.nodes) + count * self.least_size(op) > self.max_nodes:
            self.too_large(position)

    def least_size(self, op: str) -> int:
        """A lower bound on the nodes of an op, without expanding it."""
        block = self.spec.blocks.get(op)
        if block is None:
            return 1
        if op not in self.sizes:
            self.sizes[op] = 0  # for blocks that use themselves
            self.sizes[op] = self._least_size_of(block.layers)
        return self.sizes[op]

    def _least_size_of(self, layers: Layers) -> int:
        total = 0
        for layer in layers.items:
            if layer.when is not None or layer.broken:
                continue
            if layer.layers is not None:
                total += self._least_size_of(layer.layers)
            elif layer.op is not None:
                count = layer.repeat.count if layer.repeat else None
                known = count.value if isinstance(count, Scalar) else 1 if count is None else 0
                total += (known if isinstance(known, int) else 0) * self.least_size(layer.op.text)
        return total


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

    def _inputs(self, layer: Layer) -> tuple[Flow, ...]:
        if layer.inputs is not None:
            return tuple(self._read(reference, layer) for reference in layer.inputs)
        if self.current is None:
            names = ", ".join(self.scope.frame.inputs)
            message = "the first layer needs `from`: there are several inputs"
            self._report("wrong-arity", message, layer.position, layer, hint=f"inputs: {names}")
        assert self.current is not None
        return (self.current,)

    def _group(self, layer: Layer, layers: Layers) -> None:
        (flow,) = self._inputs(layer)
        path = self.path + self._next_name(layer)
        layout = Layout(parent=self.layout, owner=layer.name)
        self.compiler.groups[path] = Group(path, "", {}, layer.position)
        scope = Scope(self.scope.frame, layout)
        result = Body(self.compiler, layers, scope, path + ".", flow).run()
        assert result is not None
        self._bind(layer.name, Binding(result, layout))
        self.current = result

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

    def _fields(self, layer: Layer, scope: Scope, context: dict[str, Any]) -> dict[str, Any]:
        found, poisoned = {}, False
        for name, (_, value) in layer.fields.items():
            try:
                found[name] = self.compiler.resolve(value, scope, layer=context["layer"], op=context["op"])
            except Poisoned:
                poisoned = True
        if poisoned:
            raise Poisoned
        return found

    def _built_in(
        self,
        cls: type[Block],
        layer: Layer,
        path: str,
        inputs: tuple[Flow, ...],
        scope: Scope,
        context: dict[str, Any],
    ) -> Binding:
        fields = self._fields(layer, scope, context)
        problems = self.compiler.problems
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
            hint = blame(self.compiler.nodes, inputs, error) or error.hint
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
        self.compiler.uses[path] = uses
        stack.append(block.name)
        try:
            self.compiler.start_frame(frame, block.checks, inner)
            current = inputs[0] if len(inputs) == 1 else None
            result = Body(self.compiler, block.layers, inner, path + ".", current).run()
        finally:
            stack.pop()
        return Binding(result or POISON, inner.layout)

    def _params(self, block: BlockDefinition, layer: Layer, scope: Scope, context: dict[str, Any]) -> dict[str, object]:
        """The values of a block's params at one use."""
        before = len(self.compiler.problems)
        given = self._fields(layer, scope, context)
        where = f"line {block.position.line}"
        if block.position.source.name != layer.position.source.name:
            where = f"{block.position.source.name}:{block.position.line}"
        for name in given.keys() - block.params.keys():
            hint = did_you_mean(name, block.params, "params") or f"it has no params ({where})"
            message = f"block `{block.name}` has no param `{name}`"
            position = layer.fields[name][0].position
            self.compiler.problems.append(Problem("unknown-field", message, position, hint=hint, **context))
        values: dict[str, object] = {}
        for name, param in block.params.items():
            if name not in given:
                if param.required:
                    message, hint = f"block `{block.name}` needs `{name}`", f"its params: {where}"
                    problem = Problem("missing-field", message, layer.position, hint=hint, **context)
                    self.compiler.problems.append(problem)
                values[name] = param.default
                continue
            values[name] = given[name]
            if refusal := param.refusal(given[name]):
                position = layer.fields[name][1].position
                self.compiler.problems.append(Problem("bad-field", refusal, position, hint=param.doc, **context))
        if len(self.compiler.problems) > before:
            raise Poisoned
        return values


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


def only(flows: dict[str, Flow]) -> Flow | None:
    """The value where there is just one, under whatever names."""
    found = set(flows.values())
    return found.pop() if len(found) == 1 else None


def expression_position(scalar: Scalar, offset: int) -> Position:
    """The place inside an expression, where its text stands in the file as it is."""
    position = scalar.position
    lines = position.source.lines
    line = lines[position.line - 1] if position.line <= len(lines) else ""
    start = position.column - 1 if scalar.plain else position.column
    if line[start : start + len(scalar.text)] == scalar.text:
        return position.shifted(start - position.column + 1 + offset)
    return position


def _written(value: Value) -> str:
    return value.text if isinstance(value, Scalar) else "..."


def tidy(problems: list[Problem]) -> list[Problem]:
    """In the order of the files; a mistake in a block that is used often is told once."""
    seen: dict[tuple[object, ...], int] = {}
    kept: list[Problem] = []
    for problem in problems:
        key = (problem.slug, problem.position, problem.op) if problem.uses else (problem,)
        if key in seen:
            first = kept[seen[key]]
            kept[seen[key]] = replace(first, more_uses=first.more_uses + 1)
        else:
            seen[key] = len(kept)
            kept.append(problem)
    files = list(dict.fromkeys(problem.position.source.name for problem in kept if problem.position))

    def order(problem: Problem) -> tuple[int, int, int]:
        at = problem.position
        return (files.index(at.source.name), at.line, at.column) if at else (-1, 0, 0)

    return sorted(kept, key=order)
