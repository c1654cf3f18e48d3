"""What names mean inside a spec or block: references to layers, and names in expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archspec.errors import ArchspecError, ExpressionError, Position, Use, did_you_mean
from archspec.spec.expression import REPEAT_NAMES
from archspec.spec.params import UNKNOWN
from archspec.spec.reader import Scalar, Value
from archspec.tensor import Shape

if TYPE_CHECKING:
    from archspec.graph.use import Call


class Poisoned(ArchspecError):
    """What this depends on is already reported; nothing more is to be said."""


class ReferenceProblem(ArchspecError):
    """A reference names nothing that can be read."""

    def __init__(self, slug: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.slug, self.message, self.hint = slug, message, hint


@dataclass(frozen=True, slots=True)
class Flow:
    """A value that flows: the node that makes it, and its shape; no shape once something is wrong."""

    node: str
    shape: Shape | None


POISON = Flow("", None)
UNFINISHED = object()
"""Stands for an entry of `let` that is being worked out."""
WRONG = object()
"""Stands for an entry of `let` whose mistake is reported."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a layer's name stands for."""

    flow: Flow
    inside: Layout | None = None
    """The layers inside it, for a group, block or repeat."""
    absent: str = ""
    """Where its `when` left it out: how that was written."""
    stand_in: bool = False
    """Whether it was left out and stands for its `else`."""
    again: Callable[[str, tuple[Flow, ...]], Binding] | None = None
    """Applies the layer again, at another path and to other inputs, with the same parameters."""


@dataclass(slots=True)
class Layout:
    """The names of one mapping of layers, filled in file order."""

    parent: Layout | None = None
    """That of the enclosing inline group's surroundings; None at the top of a spec or block."""
    listed: bool = False
    """Whether the layers are a list, and so have no names to refer to."""
    written: dict[str, Position] = field(default_factory=dict)
    """Every name in the file, the later ones too."""
    bound: dict[str, Binding] = field(default_factory=dict)
    owner: str = ""
    """The name of the layer these layers are inside of."""
    making: str = ""
    """The name of the layer that is being worked out."""

    def open(self) -> list[Layout]:
        """The layouts around a layer, from the top of its spec or block to its own."""
        return [*(self.parent.open() if self.parent else []), self]


@dataclass(frozen=True, slots=True)
class Copy:
    """Which copy of a repeat is being made."""

    index: int
    count: int

    def value(self, name: str) -> object:
        return {
            "index": self.index,
            "first": self.index == 0,
            "last": self.index == self.count - 1,
            "count": self.count,
        }[name]


@dataclass(slots=True)
class Frame:
    """The inside of a spec or of one use of a block: its params, inputs, and how it came to be."""

    params: dict[str, object]
    let: dict[str, tuple[Scalar, Value]]
    inputs: dict[str, Flow]
    work_out: Callable[[str, Frame], object]
    """Works out one entry of `let`; raises Poisoned once its mistake is reported."""
    uses: tuple[Use, ...] = ()
    path: str = ""
    call: Call | None = None
    """The use of the block; None for the spec."""
    known: dict[str, object] = field(default_factory=dict)
    """Entries of `let` that are worked out."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression or reference can see at one place of the file."""

    frame: Frame
    layout: Layout
    copy: Copy | None = None

    def value(self, name: str) -> object:
        """The value of a name in an expression."""
        if name in REPEAT_NAMES:
            if self.copy is None:
                raise ExpressionError(f"`{name}` means something only in the fields of a layer that repeats")
            return self.copy.value(name)
        if name in self.frame.params:
            if self.frame.params[name] is UNKNOWN:
                raise Poisoned
            return self.frame.params[name]
        if name in self.frame.let:
            return self._let(name)
        raise ExpressionError(f"there is no param or `let` value `{name}`", self._name_hint(name))

    def _let(self, name: str) -> object:
        """An entry of `let`, worked out when it is first asked for."""
        known = self.frame.known
        if name not in known:
            known[name] = UNFINISHED
            try:
                known[name] = self.frame.work_out(name, self.frame)
            except Poisoned:
                known[name] = WRONG
                raise
        if known[name] is UNFINISHED:
            raise ExpressionError(f"`{name}` comes back to itself", "a value of `let` cannot need itself")
        if known[name] is WRONG:
            raise Poisoned
        return known[name]

    def _name_hint(self, name: str) -> str:
        if name in self.frame.inputs or name in self.layout.bound:
            return f"a layer or input has axes: {name}.channels"
        return did_you_mean(name, [*self.frame.params, *self.frame.let], "there are")

    def axis(self, path: str, axis: str) -> int:
        """One axis of the shape of an input or earlier layer."""
        try:
            shape = self.resolve(path).shape
        except ReferenceProblem as problem:
            raise ExpressionError(problem.message, problem.hint) from None
        if shape is None:
            raise Poisoned
        if axis not in shape.axes:
            hint = f"it has {', '.join(shape.axes)}"
            raise ExpressionError(f"`{path}` is {shape}, {shape.kind}: it has no `{axis}`", hint)
        return shape.axes[axis]

    def resolve(self, reference: str) -> Flow:
        """What a reference reads: an input, an earlier layer, or a path into one.

        A leading dot starts at the top of the spec or block. Errors: ReferenceProblem
        """
        return self.binding(reference).flow

    def binding(self, reference: str) -> Binding:
        first, *path = reference.removeprefix(".").split(".")
        if reference.startswith("."):
            top = self.layout.open()[0]
            binding = (self._open(first, top) if path else None) or self._find(first, top, reference)
        else:
            binding = self._find(first, self.layout, reference)
        for done, part in enumerate(path, 1):
            so_far = ".".join([first, *path[: done - 1]])
            binding = self._step(binding, part, so_far)
        if binding.absent:
            message = f"`{reference}` is left out here by its `when` ({binding.absent})"
            raise ReferenceProblem("absent-layer", message, "give it an `else`, or the reader the same `when`")
        return binding

    def _find(self, name: str, start: Layout, reference: str) -> Binding:
        layout: Layout | None = start
        while layout is not None:
            if name in layout.bound:
                return layout.bound[name]
            layout = layout.parent
        if name in self.frame.inputs:
            return Binding(self.frame.inputs[name])
        raise self._unknown(name, start, reference)

    def _unknown(self, name: str, start: Layout, reference: str) -> ReferenceProblem:
        seen: list[str] = []
        layout: Layout | None = start
        while layout is not None:
            if layout.owner == name:
                inside = reference.partition(".")[2]
                hint = f"name `{inside}` directly" if inside else "name a layer inside it"
                return ReferenceProblem("later-layer", f"`{name}` is the group this layer is in", hint)
            if name == layout.making and not layout.listed:
                return ReferenceProblem("later-layer", f"`{reference}` reads itself", "name an earlier layer")
            if name in layout.written:
                line = layout.written[name].line
                message = f"`{reference}` comes later (line {line}): a layer reads only earlier ones"
                return ReferenceProblem("later-layer", message, "move it up, or this layer down")
            seen += [] if layout.listed else layout.bound
            layout = layout.parent
        if start.listed and not seen and name not in self.frame.inputs:
            message = f"there is no earlier layer or input `{reference}`: these layers are a list and have no names"
            return ReferenceProblem("unknown-layer", message, "write them as a mapping to refer to one")
        hint = did_you_mean(name, [*reversed(seen), *self.frame.inputs], "earlier layers and inputs")
        if name == "input" and len(self.frame.inputs) > 1:
            hint = f"there are several inputs: {', '.join(self.frame.inputs)}"
        return ReferenceProblem("unknown-layer", f"there is no earlier layer or input `{reference}`", hint)

    def _open(self, name: str, outer: Layout) -> Binding | None:
        """A group that this place is inside of, found by its name in what is around it."""
        for layout in self.layout.open():
            if layout.parent is outer and layout.owner == name and name not in outer.bound:
                return Binding(Flow(name, None), layout)
        return None

    def _step(self, binding: Binding, part: str, so_far: str) -> Binding:
        if binding.flow is POISON:
            raise Poisoned
        if binding.inside is None:
            raise ReferenceProblem("unknown-layer", f"`{so_far}` has no layers inside, so no `{part}`")
        if binding.inside.listed:
            message = f"the layers inside `{so_far}` are a list and have no names"
            raise ReferenceProblem("unknown-layer", message, "write them as a mapping to refer to one")
        if part not in binding.inside.bound and (still_open := self._open(part, binding.inside)):
            return still_open
        if part not in binding.inside.bound:
            hint = did_you_mean(part, binding.inside.bound, "it has")
            raise ReferenceProblem("unknown-layer", f"`{so_far}` has no layer `{part}`", hint)
        return binding.inside.bound[part]
