"""The walk through the layers of a spec, block or group: one mapping or list of layers after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from archspec.errors import PluginError, Position, Problem
from archspec.graph.graph import Group
from archspec.graph.missing import missing_op
from archspec.graph.scope import POISON, Binding, Copy, Flow, Layout, Poisoned, ReferenceProblem, Scope
from archspec.graph.use import Call, bind, refuse_depth
from archspec.registry import BLOCKS
from archspec.spec.document import Layer, Layers
from archspec.spec.expression import is_expression
from archspec.spec.reader import Scalar, Value, shown
from archspec.spec.validation import refuse_unknown_fields

if TYPE_CHECKING:
    from archspec.graph.compile import Compiler


MAX_PLACES = 1024

Maker = Callable[[str, tuple[Flow, ...], str], Binding]
"""Makes a layer at a path from its inputs, with the parameters of the layer at another path where one is given."""


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
    place: int = 0
    """The device of layers that do not say theirs."""
    shares: str = ""
    """What the names of the layers begin with whose parameters these layers use, where this is a sharing layer."""
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
            return
        make = self._again(layer, layer.shares) if layer.shares is not None else self._maker(layer)
        if make is None:
            self._leave_out(layer, "repeat: 0")
            return
        inputs = self._inputs(layer)
        if layer.repeat is not None and layer.repeat.flat:
            binding = replace(make(self.path, inputs, ""), again=None)  # its copies are layers of their own
        else:
            binding = self._made(make, self._next_name(layer), inputs)
        self._bind(layer.name, binding)
        self.current = binding.flow

    def _made(self, make: Maker, name: str, inputs: tuple[Flow, ...]) -> Binding:
        """A layer of this body, which can be applied again."""
        path = self.path + name
        binding = make(path, inputs, self.shares + name if self.shares else "")
        return replace(binding, again=lambda there, others: make(there, others, path))

    def _maker(self, layer: Layer) -> Maker | None:
        """What makes the layer at a path, once or again; None where it repeats 0 times."""
        if layer.layers is not None:
            place = self._place(layer, self.scope)
            return partial(self._group, layer, layer.layers, place)
        if layer.repeat is None:
            return partial(self._apply, layer, self.scope)
        assert layer.op is not None
        count = self._count(layer.repeat.count, "repeat", layer)
        start = self._count(layer.repeat.start, "start", layer) if layer.repeat.start is not None else 0
        return partial(self._repeat, layer, count, start) if count else None

    def _again(self, layer: Layer, reference: Scalar) -> Maker:
        """What applies the layer again that `shares` names."""
        self._read(reference, layer)
        binding = self.scope.binding(reference.text)
        if binding.flow is POISON:
            raise Poisoned
        again = binding.again
        if again is None or binding.stand_in:
            found = "an input"
            if binding.stand_in:
                found = "which is left out here and stands for its `else`"
            elif reference.text in self.layout.bound:
                found = "a flat repeat, whose copies are layers of their own"
            message = f"`shares` must name a layer, found `{reference.text}`, {found}"
            self._report("bad-shares", message, reference.position, layer)

        def make(path: str, inputs: tuple[Flow, ...], shares: str) -> Binding:
            self.compiler.sharing.append(reference.position)
            try:
                return again(path, inputs)
            finally:
                self.compiler.sharing.pop()

        return make

    def _place(self, layer: Layer, scope: Scope) -> int:
        """The device a layer runs on: its own `place`, else that of what it is in."""
        if layer.place is None:
            return self.place
        place = self._resolve(layer.place, layer, scope)
        if type(place) is not int or not 0 <= place < MAX_PLACES:
            message = f"`place` must be a whole number from 0, found {shown(place)}"
            hint = "it counts the devices given at build time"
            self._report("bad-place", message, layer.place.position, layer, hint=hint)
        return int(place)

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
            hint = self.compiler.removal(text.split(".")[-1], "change this `from` there too") or problem.hint
            self._report(problem.slug, problem.message, reference.position, layer, op, hint)

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

    def _group(
        self, layer: Layer, layers: Layers, place: int, path: str, inputs: tuple[Flow, ...], shares: str
    ) -> Binding:
        """The layers of an inline group."""
        if len(inputs) != 1:
            message = f"a group of layers reads one value, found {len(inputs)}"
            self._report("wrong-arity", message, layer.position, layer, hint="make it a block with several `inputs`")
        (flow,) = inputs
        refuse_depth(self.compiler, path, layer.position, **self._context(layer))
        layout = Layout(parent=self.layout, owner=layer.name)
        self.compiler.groups[path] = Group(path, "", {}, layer.position)
        scope = Scope(self.scope.frame, layout)
        result = Body(self.compiler, layers, scope, path + ".", flow, place, shares and shares + ".").run()
        assert result is not None
        return Binding(result, layout)

    def _count(self, value: Value, what: str, layer: Layer) -> int:
        count = self._resolve(value, layer)
        if type(count) is not int or count < 0:
            message = f"`{what}` must be a whole number from 0, found {shown(count)}"
            self._report("bad-repeat", message, value.position, layer)
        return int(count)

    def _repeat(
        self, layer: Layer, count: int, start: int, path: str, inputs: tuple[Flow, ...], shares: str
    ) -> Binding:
        """The copies of a layer, each reading the one before it: inside a group at `path`, or beside each other."""
        assert layer.repeat is not None and layer.op is not None
        if len(inputs) != 1:
            message = f"a repeated layer reads one value, found {len(inputs)}"
            self._report("wrong-arity", message, layer.position, layer, hint="each copy reads the one before it")
        self.compiler.check_room(count, layer.op.text, layer.position)
        inside = self.layout if layer.repeat.flat else Layout(owner=layer.name)
        copies = self if layer.repeat.flat else replace(self, path=path + ".", shares=shares and shares + ".")
        if not layer.repeat.flat:
            self.compiler.groups[path] = Group(path, "", {}, layer.position)
        binding = Binding(inputs[0])
        for index in range(count):
            scope = replace(self.scope, copy=Copy(index, count))
            name = self._flat_name(layer, start + index) if layer.repeat.flat else str(start + index)
            binding = copies._made(partial(self._apply, layer, scope), name, (binding.flow,))
            if not self.layers.listed or not layer.repeat.flat:
                inside.bound[name] = binding
            if binding.flow is POISON:
                break
        return Binding(binding.flow, binding.inside if layer.repeat.flat else inside)

    def _flat_name(self, layer: Layer, number: int) -> str:
        if self.layers.listed:
            return self._next_name(layer)
        self._refuse_taken(f"{layer.name}{number}", layer)
        return f"{layer.name}{number}"

    def _refuse_taken(self, name: str, layer: Layer) -> None:
        if name in self.layout.written or name in self.layout.bound:
            message = f"a copy is called `{name}`, which is already the name of a layer"
            self._report("duplicate-name", message, layer.position, layer, hint="another `start`, or another name")

    def _apply(self, layer: Layer, scope: Scope, path: str, inputs: tuple[Flow, ...], shares: str) -> Binding:
        """One use of the layer's op."""
        assert layer.op is not None
        op = self._op(layer, scope)
        call = Call(layer, path, op, inputs, scope, self._place(layer, scope), shares)
        return bind(self.compiler, call, layer.op.position)

    def _op(self, layer: Layer, scope: Scope) -> str:
        assert layer.op is not None
        op = self._resolve(layer.op, layer, scope)
        if not isinstance(op, str):
            self._report("bad-layer", f"`op` must name a block, found {shown(op)}", layer.op.position, layer)
        return op


def check_unused(compiler: Compiler, layers: Layers) -> None:
    """What can be said of a block that is never used: its ops and their fields exist."""
    for layer in layers.items:
        if layer.layers is not None:
            check_unused(compiler, layer.layers)
        elif layer.op is not None and not is_expression(layer.op.text) and layer.op.text not in compiler.spec.blocks:
            op = layer.op.text
            context: dict[str, Any] = {"layer": layer.name, "op": op}
            try:
                cls = BLOCKS[op]
            except KeyError:
                hint = missing_op(op, compiler.spec.blocks)
                problem = Problem("unknown-op", f"there is no op `{op}`", layer.op.position, hint=hint, **context)
                compiler.problems.append(problem)
            except PluginError as error:
                compiler.problems.append(error.problem(layer.op.position, **context))
            else:
                refuse_unknown_fields(cls, {}, layer.fields, layer.position, op, compiler.problems, **context)


def _written(value: Value) -> str:
    return value.text if isinstance(value, Scalar) else "..."
