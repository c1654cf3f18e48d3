"""`edit`: explicit changes to the layers and blocks of the spec that another extends.

    edit:
      - {set: layers.conv1.stride, to: 2}
      - {replace: layers.pool1, with: {op: avg_pool2d, kernel_size: 2, ceil_mode: false}}
      - {remove: layers.norm1}
      - {insert_after: blocks.basic.layers.bn2, layers: {drop: {op: dropout, p: 0.2}}}

Edits are made one after another on the joined text, before anything is worked out, so that a mistake in what they
bring is told at its own place. A path names sections and layers as they are written: it enters inline groups, but not
uses of a block, whose layers are the block's.
"""

from __future__ import annotations

from enum import Enum, auto

from archspec.errors import Position, Problem, did_you_mean
from archspec.spec.reader import Mapping, Scalar, Sequence, Value, plain, shown

FORMS = {
    "set": "{set: layers.NAME.FIELD, to: VALUE}",
    "replace": "{replace: layers.NAME, with: LAYER}",
    "remove": "{remove: layers.NAME}",
    "insert_after": "{insert_after: layers.NAME, layers: {NAME: LAYER}}",
    "insert_before": "{insert_before: layers.NAME, layers: {NAME: LAYER}}",
}
"""Every operation, as it is written."""
OPERANDS = {"set": "to", "replace": "with", "remove": None, "insert_after": "layers", "insert_before": "layers"}
LAYER_KEYS = ("op", "from", "repeat", "when", "else", "place", "shares")
"""What an edit may set of a layer beside its fields."""

Container = Mapping | Sequence


class Place(Enum):
    """What a path has reached."""

    SPEC = auto()
    BLOCKS = auto()
    BLOCK = auto()
    LAYERS = auto()
    LAYER = auto()
    DATA = auto()
    """A section of a block, or the value of a field."""


class EditProblem(Exception):
    """Why an edit cannot be made."""

    def __init__(self, slug: str, message: str, hint: str = "", position: Position | None = None) -> None:
        super().__init__(message)
        self.slug, self.message, self.hint, self.position = slug, message, hint, position


def edited(root: Mapping, edits: Value, problems: list[Problem], removed: dict[str, Position]) -> Mapping:
    """A spec's mapping with some edits made; what they remove is noted in `removed` by name."""
    if not isinstance(edits, Sequence):
        hint = f"begin each with `- `, for example - {FORMS['set']}"
        problems.append(Problem("bad-edit", "`edit` must be a list of edits", edits.position, hint=hint))
        return root
    changed = {
        name: (root.entries[name][0], _copy(root.entries[name][1]))
        for name in ("layers", "blocks")
        if name in root.entries
    }
    root = Mapping(root.position, root.entries | changed, root.size)
    for item in edits.items:
        try:
            _Edit(root, item).make(removed)
        except EditProblem as problem:
            at = problem.position or item.position
            problems.append(Problem(problem.slug, problem.message, at, hint=problem.hint))
    return root


def _copy(value: Value) -> Value:
    """A value of its own: what an alias repeats is edited at one place only."""
    if isinstance(value, Mapping):
        return Mapping(
            value.position, {key: (at, _copy(item)) for key, (at, item) in value.entries.items()}, value.size
        )
    if isinstance(value, Sequence):
        return Sequence(value.position, [_copy(item) for item in value.items], value.size)
    return value


class _Edit:
    """One edit: what it does, to which path, with what."""

    def __init__(self, root: Mapping, item: Value) -> None:
        self.root = root
        operations = [key for key in OPERANDS if isinstance(item, Mapping) and key in item.entries]
        if not isinstance(item, Mapping) or len(operations) != 1:
            hint = "one of " + ", ".join(FORMS)
            raise EditProblem("bad-edit", f"an edit is one operation on a path, found {shown(plain(item))}", hint)
        self.operation = operations[0]
        operand = OPERANDS[self.operation]
        if item.entries.keys() != {self.operation, operand} - {None}:
            raise EditProblem("bad-edit", f"`{self.operation}` is written {FORMS[self.operation]}")
        path = item.entries[self.operation][1]
        if not isinstance(path, Scalar) or not isinstance(path.value, str):
            raise EditProblem("bad-edit", f"`{self.operation}` names a path, found {shown(plain(path))}")
        self.at, self.parts = path.position, path.text.split(".")
        self.operand = _copy(item.entries[operand][1]) if operand else item
        if self.parts[0] not in ("layers", "blocks") or len(self.parts) < 2:
            hint = "for example layers.conv1, or blocks.bottleneck.layers.conv2"
            raise self._problem(
                "bad-edit", f"a path begins with `layers.` or `blocks.`, found {shown(path.text)}", hint
            )

    def _problem(self, slug: str, message: str, hint: str = "") -> EditProblem:
        return EditProblem(slug, message, hint, self.at)

    def _path(self, length: int | None = None) -> str:
        return ".".join(self.parts[:length])

    def make(self, removed: dict[str, Position]) -> None:
        holder, place = self._holder()
        name = self.parts[-1]
        if self.operation == "set":
            self._set(holder, place, name)
            return
        if place is Place.LAYER and isinstance(holder, Mapping) and self._is_use(holder) and name not in LAYER_KEYS:
            raise self._inside(holder, len(self.parts) - 1)
        if place not in (Place.LAYERS, Place.BLOCKS):
            raise self._problem("bad-edit", f"`{self._path()}` names no layer", f"to change a field: {FORMS['set']}")
        assert isinstance(holder, Mapping | Sequence)
        self._child(holder, name, len(self.parts) - 1)
        if self.operation == "remove":
            removed[name] = self.at
            _splice(holder, name, [])
        elif self.operation == "replace":
            _splice(holder, name, [(Scalar(self.at, name, name, True), self.operand)])
        else:
            self._insert(holder, name)

    def _set(self, holder: Value, place: Place, name: str) -> None:
        if place in (Place.LAYERS, Place.BLOCKS, Place.SPEC):
            message = f"`{self._path()}` is not a field: `set` is written {FORMS['set']}"
            raise self._problem("bad-edit", message, f"to change it as a whole: {FORMS['replace']}")
        if isinstance(holder, Sequence):
            self._child(holder, name, len(self.parts) - 1)
            holder.items[int(name)] = self.operand
        elif isinstance(holder, Mapping):
            key = holder.entries[name][0] if name in holder.entries else Scalar(self.at, name, name, True)
            holder.entries[name] = (key, self.operand)
        else:
            raise self._problem("bad-edit", f"`{self._path(-1)}` is {shown(plain(holder))}: it has no `{name}`")

    def _insert(self, holder: Container, name: str) -> None:
        layers = self.operand
        if type(layers) is not type(holder):
            wanted = "a list, as the layers around it are" if isinstance(holder, Sequence) else "a mapping of names"
            raise self._problem("bad-edit", f"the `layers` to insert must be {wanted}")
        added = _entries(layers)
        for key, _ in added:
            if isinstance(holder, Mapping) and key.text in holder.entries:
                first = holder.entries[key.text][0].position
                message = f"`{key.text}` is already the name of a layer ({first.source.name}:{first.line})"
                raise EditProblem("duplicate-name", message, "choose another name", key.position)
        kept = [(_key(holder, name), self._child(holder, name, len(self.parts) - 1))]
        _splice(holder, name, kept + added if self.operation == "insert_after" else added + kept)

    # Following the path.

    def _holder(self) -> tuple[Value, Place]:
        """What holds the last part of the path."""
        at: Value = self.root
        place = Place.SPEC
        for number, part in enumerate(self.parts[:-1]):
            outer, outer_place = self._opened(at, place, part)
            at, place = self._step(outer, outer_place, part, number)
            if place is Place.LAYER and isinstance(at, Scalar):  # an op alone, written out to hold a field
                at = Mapping(at.position, {"op": (Scalar(at.position, "op", "op", True), at)}, 3)
                assert isinstance(outer, Mapping | Sequence)
                _splice(outer, part, [(_key(outer, part), at)])
        return self._opened(at, place, self.parts[-1])

    def _opened(self, at: Value, place: Place, part: str) -> tuple[Value, Place]:
        """An inline group stands for the layers inside it, but for its own keys."""
        group = at.get("layers") if place is Place.LAYER and isinstance(at, Mapping) else None
        if group is None or part in (*LAYER_KEYS, "layers"):
            return at, place
        return group, Place.LAYERS

    def _step(self, at: Value, place: Place, part: str, number: int) -> tuple[Value, Place]:
        if place is Place.SPEC:
            section = self.root.get(part)
            if section is None:
                raise self._problem("unknown-layer", f"this spec has no `{part}`")
            return section, Place.LAYERS if part == "layers" else Place.BLOCKS
        if place is Place.LAYER and isinstance(at, Mapping) and part not in at.entries:
            raise self._inside(at, number)
        if place is Place.BLOCK and isinstance(at, Mapping) and part not in at.entries:
            hint = f"write {self._path(number)}.layers.{'.'.join(self.parts[number:])}"
            raise self._problem("unknown-layer", f"`{self._path(number)}` has no `{part}`", hint)
        child = self._child(at, part, number)
        if part == "layers" and place in (Place.BLOCK, Place.LAYER):
            return child, Place.LAYERS
        return child, {Place.BLOCKS: Place.BLOCK, Place.LAYERS: Place.LAYER}.get(place, Place.DATA)

    def _child(self, holder: Value, name: str, number: int) -> Value:
        """The entry `name` of a mapping or list. Errors: EditProblem if there is none"""
        so_far = self._path(number)
        if isinstance(holder, Sequence):
            if name.isdecimal() and int(name) < len(holder.items):
                return holder.items[int(name)]
            message = f"`{so_far}` is a list of {len(holder.items)}, found `{name}`"
            raise self._problem("unknown-layer", message, "count from 0")
        found = holder.get(name) if isinstance(holder, Mapping) else None
        if found is None:
            known = holder.entries if isinstance(holder, Mapping) else ()
            raise self._problem("unknown-layer", f"`{so_far}` has no `{name}`", did_you_mean(name, known, "it has"))
        return found

    def _is_use(self, layer: Mapping) -> bool:
        """Whether a layer is the use of a block of this spec."""
        op, blocks = layer.get("op"), self.root.get("blocks")
        return isinstance(op, Scalar) and isinstance(blocks, Mapping) and op.text in blocks.entries

    def _inside(self, layer: Mapping, number: int) -> EditProblem:
        """Why a path cannot go on into a layer that is the use of a block or a primitive."""
        path, rest = self._path(number), self.parts[number:]
        where = f"{layer.position.source.name}:{layer.position.line}"
        op = layer.get("op")
        name = op.text if isinstance(op, Scalar) else "..."
        if "repeat" in layer.entries and rest[0].isdecimal():
            hint = f"set {path}.FIELD changes every copy; an expression may use `index`"
            hint += f"; blocks.{name}.layers holds what they are made of" if self._is_use(layer) else ""
            return self._problem("edit-inside", f"`{path}` repeats ({where}): one copy cannot be edited", hint)
        if self._is_use(layer):
            hint = f"edit blocks.{name}.layers.{'.'.join(rest)}, which changes every use"
            return self._problem("edit-inside", f"`{path}` is a use of block `{name}` ({where})", hint)
        hint = f"set {path}.{rest[0]} as a whole"
        return self._problem("unknown-layer", f"`{path}` ({where}) has no `{rest[0]}`", hint)


def _key(holder: Container, name: str) -> Scalar:
    return holder.entries[name][0] if isinstance(holder, Mapping) else Scalar(holder.position, name, name, True)


def _entries(holder: Value) -> list[tuple[Scalar, Value]]:
    if isinstance(holder, Mapping):
        return list(holder.entries.values())
    assert isinstance(holder, Sequence)
    return [(_key(holder, ""), item) for item in holder.items]


def _splice(holder: Container, name: str, entries: list[tuple[Scalar, Value]]) -> None:
    """Put some entries in the place of one."""
    if isinstance(holder, Sequence):
        holder.items[int(name) : int(name) + 1] = [item for _, item in entries]
        return
    spliced: dict[str, tuple[Scalar, Value]] = {}
    for key, entry in holder.entries.items():
        if key == name:
            spliced |= {at.text: (at, item) for at, item in entries}
        else:
            spliced[key] = entry
    holder.entries = spliced
