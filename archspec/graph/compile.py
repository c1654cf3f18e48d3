"""Spec -> graph: every block, repeat and expression worked out, shapes and costs inferred on the way.

One walk in file order. A layer that is wrong is reported and poisons its value; what depends on it stays silent,
and everything else is still checked, so that all mistakes of a spec are told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NoReturn

from archspec.errors import ExpressionError, PluginError, Position, Problem, SpecError, Use, did_you_mean, in_order
from archspec.graph.check import check_reach, read_outputs
from archspec.graph.graph import Graph, Group, Node, digraph_of
from archspec.graph.init_rules import read_rules
from archspec.graph.scope import POISON, Flow, Frame, Layout, Poisoned, Scope
from archspec.graph.use import MAX_NESTING, Call
from archspec.graph.walk import Body, check_unused
from archspec.plugins import known_home
from archspec.registry import BLOCKS
from archspec.spec.document import Layers, Spec
from archspec.spec.expression import evaluate, is_expression
from archspec.spec.params import bind
from archspec.spec.pause import no_collection
from archspec.spec.reader import Scalar, Sequence, Value, shown
from archspec.tensor import BY_AXES, SHAPES, Shape

MAX_NODES = 200_000


def compile(
    spec: Spec,
    settings: dict[str, Any] | None = None,
    max_nodes: int = MAX_NODES,
    sizes: Mapping[str, Any] | None = None,
) -> Graph:
    """The graph of a spec, with some params and sizes of inputs set.

    Errors: SpecError with every problem of the spec
    """
    with no_collection():
        return Compiler(spec, settings or {}, max_nodes, sizes or {}).graph()


class Compiler:
    """Compiles one spec under one choice of params."""

    def __init__(self, spec: Spec, settings: dict[str, Any], max_nodes: int, sizes: Mapping[str, Any]) -> None:
        self.spec, self.settings, self.max_nodes, self.sizes = spec, settings, max_nodes, sizes
        self.problems = list(spec.problems)
        self.nodes: dict[str, Node] = {}
        self.groups: dict[str, Group] = {}
        self.uses: dict[str, tuple[Use, ...]] = {}
        self.used: set[str] = set()
        """Blocks that are used somewhere."""
        self.blocks: list[str] = []
        """Blocks that are being expanded, outermost first."""
        self.sharing: list[Position] = []
        """Where the `shares` stand that are being followed, outermost first."""
        self.least_sizes: dict[str, int] = {}
        self.calls: dict[str, Call] | None = None
        """What each node is written as, for whoever asks by giving a mapping."""

    def graph(self) -> Graph:
        params = bind(self.spec.params, self.settings, self.problems)
        self._refuse_shadowing()
        frame = Frame(params, self.spec.let, {}, self.work_out)
        scope = Scope(frame, Layout())
        frame.inputs = self._inputs(scope)
        self.start_frame(frame, self.spec.checks, scope)
        self.run(self.spec.layers, scope, "", only(frame.inputs))
        for name, block in self.spec.blocks.items():
            if name not in self.used:
                check_unused(self, block.layers)
        outputs = read_outputs(self, scope)
        rules = read_rules(self, scope)
        if not self.problems:
            check_reach(self, outputs)
        if self.problems:
            raise SpecError(tidy(self.problems))
        changed = {name: params[name] for name in params if name in self.settings}
        changed |= {name: "x".join(map(str, self.sizes[name])) for name in self.spec.inputs if name in self.sizes}
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
            if name in BLOCKS.builtin:  # an op of a plugin gives way to what the spec itself says
                message = f"block `{name}` has the name of a built-in op"
                self.problems.append(Problem("duplicate-name", message, block.position, hint="rename the block"))

    def _inputs(self, scope: Scope) -> dict[str, Flow]:
        flows = {}
        for name in self.sizes.keys() - self.spec.inputs.keys():
            hint = did_you_mean(name, self.spec.inputs, "inputs")
            self.problems.append(Problem("unknown-input", f"there is no input `{name}` to resize", hint=hint))
        for name, (key, value) in self.spec.inputs.items():
            flow = POISON
            try:
                shape = self._input_shape(name, value, scope)
                node = Node(name, "input", None, {}, (), shape, key.position)
                self.nodes[name] = node
                flow = Flow(name, shape)
            except Poisoned:
                pass
            flows[name] = flow
        return flows | {"input": only(flows) or POISON} if len(flows) == 1 else flows

    def _input_shape(self, name: str, written: Value, scope: Scope) -> Shape:
        """The shape of an input: a list of sizes, or {KIND: sizes} for a kind by its name."""
        dims = self.resolve(written, scope)
        kind: type[Shape] | None = None
        if isinstance(dims, dict):
            kind, dims = self._shape_kind(name, dims, written.position)
        position: Position | None = written.position
        if name in self.sizes:
            dims, position = _listed(self.sizes[name]), None
        sizes = dims if isinstance(dims, list) else []
        if kind is None and len(sizes) in BY_AXES:
            kind = BY_AXES[len(sizes)]
        right = bool(sizes) and all(type(size) is int and 0 < size < 2**31 for size in sizes)
        if right and kind is not None and len(sizes) == len(fields(kind)):
            return kind(*sizes)
        wanted = "[channels, height, width] or [features]"
        if kind is not None and kind not in BY_AXES.values():
            wanted = f"[{', '.join(axis.name for axis in fields(kind))}]"
        elif right:
            message = f"input `{name}` has {len(sizes)} axes, found {shown(dims)}; it must have 1 or 3"
            hint = f"{wanted}; the batch axis is implied"
            self.report("bad-input", message, position, hint=hint)
        return self.report("bad-input", f"input `{name}` must be {wanted}, each from 1, found {shown(dims)}", position)

    def _shape_kind(self, name: str, given: dict[str, Any], position: Position) -> tuple[type[Shape], Any]:
        """The kind that {KIND: sizes} names, and the sizes."""
        if len(given) != 1:
            message = f"input `{name}` must be a list of sizes or {{KIND: sizes}}, found {shown(given)}"
            self.report("bad-input", message, position, hint=f"kinds: {', '.join(SHAPES)}")
        ((called, sizes),) = given.items()
        try:
            return SHAPES[called], sizes
        except KeyError:
            hint = known_home("shape", called) or did_you_mean(called, SHAPES, "kinds")
            return self.report(
                "bad-input", f"input `{name}`: there is no kind of shape `{called}`", position, hint=hint
            )
        except PluginError as error:
            return self.refuse_plugin(error, position)

    # What the walk uses.

    def run(
        self, layers: Layers, scope: Scope, path: str, current: Flow | None, place: int = 0, shares: str = ""
    ) -> Flow | None:
        """Walk through some layers; the value of the last that is present."""
        return Body(self, layers, scope, path, current, place, shares).run()

    def report(self, slug: str, message: str, position: Position | None, **context: Any) -> NoReturn:
        """Add a problem and poison what it concerns."""
        self.problems.append(Problem(slug, message, position, **context))
        raise Poisoned

    def refuse_plugin(self, error: PluginError, position: Position, **context: Any) -> NoReturn:
        """Add what is wrong with a plugin, and poison what needs it."""
        self.problems.append(error.problem(position, **context))
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

    def removal(self, name: str, cure: str) -> str:
        """A hint for what is not there because an `edit` removed it; else nothing."""
        at = self.spec.removed.get(name)
        return f"`edit` removed it ({at.source.name}:{at.line}); {cure}" if at else ""

    def uses_of(self, name: str) -> tuple[Use, ...]:
        """Where the block that a node is written in is used."""
        while name:
            name = name.rpartition(".")[0]
            if name in self.uses:
                return self.uses[name]
        return ()

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

    def enter(self, path: str, block: str, uses: tuple[Use, ...], position: Position) -> None:
        """Note a use of a block; uses count like layers, so that empty blocks cannot multiply without end."""
        if len(self.uses) >= self.max_nodes:
            self.too_large(position)
        self.uses[path] = uses
        self.used.add(block)

    def check_room(self, count: int, op: str, position: Position) -> None:
        """Refuse a repeat that cannot fit before any of it is expanded."""
        if len(self.nodes) + count * self.least_size(op) > self.max_nodes:
            self.too_large(position)

    def least_size(self, op: str, depth: int = 0) -> int:
        """A lower bound on the nodes of an op, without expanding it."""
        block = self.spec.blocks.get(op)
        if block is None or depth > MAX_NESTING:
            return 1
        if op not in self.least_sizes:
            self.least_sizes[op] = 0  # for blocks that use themselves
            self.least_sizes[op] = self._least_size_of(block.layers, depth + 1)
        return self.least_sizes[op]

    def _least_size_of(self, layers: Layers, depth: int) -> int:
        total = 0
        for layer in layers.items:
            if layer.when is not None or layer.broken:
                continue
            if layer.layers is not None:
                total += self._least_size_of(layer.layers, depth + 1)
            elif layer.op is not None:
                count = layer.repeat.count if layer.repeat else None
                known = count.value if isinstance(count, Scalar) else 1 if count is None else 0
                total += (known if isinstance(known, int) else 0) * self.least_size(layer.op.text, depth)
        return total


def _listed(dims: Any) -> Any:
    """The shape that Python code gives an input, as a spec has it."""
    return list(dims) if isinstance(dims, tuple | list) else dims


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
    return in_order(kept)
