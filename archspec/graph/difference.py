"""What differs between two networks, once their layers are matched.

A layer has changed if its op or fields have, or if it reads something else for a reason of its own. Two things that
follow from other changes are told apart from it: a layer that reads an added layer in place of what that one passes
on (or, where a layer is removed, what that one read), and a layer whose shape, params or MACs alone differ, because
something before it changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archspec.graph.graph import Graph, Node, Output
from archspec.graph.init_rules import matches
from archspec.graph.match import Matching, match
from archspec.initializers import Initializer


@dataclass(frozen=True, slots=True)
class Change:
    """A layer of both networks, as it is in each."""

    before: Node
    after: Node
    fields: Mapping[str, tuple[Any, Any]]
    """Those that differ, as written or by default; `op`, `place` and an input's `shape` count as fields."""
    rewired: bool
    """Whether it reads something else, other than what an added or removed layer brings with it."""

    @property
    def is_own(self) -> bool:
        return bool(self.fields) or self.rewired

    @property
    def derived(self) -> tuple[str, ...]:
        """Which of shape, params and MACs differ."""
        before, after = self.before, self.after
        differs = {
            "shape": before.shape != after.shape,
            "params": _weights(before) != _weights(after),
            "macs": before.macs != after.macs,
        }
        return tuple(name for name, different in differs.items() if different)


@dataclass(frozen=True, slots=True)
class OutputChange:
    """An output of either network, or of both where they differ."""

    before: Output | None
    after: Output | None
    rewired: bool = False
    """Whether it names another layer."""


@dataclass(frozen=True, slots=True)
class InitChange:
    """A parameter that gets its first values otherwise; None stands for torch's default."""

    node: Node
    """In the second network."""
    parameter: str
    before: Initializer | None
    after: Initializer | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything in which two networks differ, layers in execution order."""

    a: Graph
    b: Graph
    removed: tuple[Node, ...]
    added: tuple[Node, ...]
    changed: tuple[Change, ...]
    """Layers that differ of themselves."""
    derived: tuple[Change, ...]
    """Layers of which only shape, params or MACs differ."""
    renamed: tuple[Change, ...]
    moved: tuple[Change, ...]
    """Layers that are executed in another order."""
    readers: Mapping[str, tuple[str, ...]]
    """Added layer -> the matched layers and outputs that now read it; removed layer -> those that no longer do."""
    outputs: tuple[OutputChange, ...]
    reordered: bool
    """Whether the outputs that both have come in another order."""
    inits: tuple[InitChange, ...]
    pairs: Mapping[str, str]

    @property
    def same_structure(self) -> bool:
        """Whether they compute the same, whatever their layers are called."""
        found = (self.removed, self.added, self.changed, self.derived, self.outputs, self.reordered, self.inits)
        return not any(found)

    @property
    def same(self) -> bool:
        return self.same_structure and not self.renamed and not self.moved


def difference(a: Graph, b: Graph) -> Difference:
    """What differs between two networks."""
    matching = match(a, b)
    wiring = _Wiring(a, b, matching)
    matched = set(matching.pairs.values())
    changes = [_change(a[name], b[other], wiring) for name, other in matching.pairs.items()]
    outputs = _outputs(a, b, wiring)
    return Difference(
        a,
        b,
        removed=tuple(node for node in a if node.name not in matching.pairs),
        added=tuple(node for node in b if node.name not in matched),
        changed=tuple(change for change in changes if change.is_own),
        derived=tuple(change for change in changes if not change.is_own and change.derived),
        renamed=tuple(change for change in changes if change.before.name != change.after.name),
        moved=tuple(change for change in changes if change.before.name in matching.moved),
        readers={name: tuple(found) for name, found in wiring.readers.items()},
        outputs=outputs,
        reordered=_common(a, b) != _common(b, a),
        inits=tuple(_inits(a, b, changes)),
        pairs=matching.pairs,
    )


def _common(graph: Graph, other: Graph) -> list[str]:
    names = {output.name for output in other.outputs}
    return [output.name for output in graph.outputs if output.name in names]


def _weights(node: Node) -> list[tuple[int, ...]]:
    return [weight.shape for weight in node.weights.values()]


def _change(before: Node, after: Node, wiring: _Wiring) -> Change:
    rewired = wiring.is_changed(before.inputs, after.inputs, after.name)
    return Change(before, after, _fields(before, after), rewired)


def _fields(before: Node, after: Node) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    if before.block is None or after.block is None:
        return {"shape": (before.shape, after.shape)} if before.shape != after.shape else {}
    if before.op != after.op:
        found["op"] = (before.op, after.op)
    own, other = vars(before.block), vars(after.block)
    shared = [name for name in own if name in other and own[name] != other[name]]
    found |= {name: (_said(before, name), _said(after, name)) for name in shared}
    if before.place != after.place:
        found["place"] = (before.place, after.place)
    if bool(before.shares) != bool(after.shares):
        found["shares"] = (before.shares or None, after.shares or None)
    return found


def _said(node: Node, name: str) -> Any:
    """A field as it is written or, unsaid, by default."""
    return node.fields.get(name, getattr(node.block, name))


class _Wiring:
    """Tells layers that read something else from those that only read through what is added or removed."""

    def __init__(self, a: Graph, b: Graph, matching: Matching) -> None:
        self.pairs, self.matched = matching.pairs, set(matching.pairs.values())
        self.readers: dict[str, list[str]] = defaultdict(list)
        self._a, self._b = a, b
        self._removed_pass: dict[str, frozenset[str]] = {}
        self._added_pass: dict[str, frozenset[str]] = {}

    def is_changed(self, before: Iterable[str], after: Iterable[str], reader: str) -> bool:
        """Whether a reader's sources differ by more than what is added or removed; notes who reads added layers."""
        old, new = tuple(before), tuple(after)
        if tuple(self.pairs.get(name) for name in old) == new:
            return False
        for name in dict.fromkeys((*old, *new)):
            if (name in old and name not in self.pairs) or (name in new and name not in self.matched):
                self.readers[name].append(reader)
        if len(old) == len(new):
            return not all(self._follows(name, other) for name, other in zip(old, new, strict=True))
        return [self.pairs[name] for name in old if name in self.pairs] != [n for n in new if n in self.matched]

    def _follows(self, old: str, new: str) -> bool:
        """Whether reading `new` instead of `old` follows from what is added and removed."""
        if old in self.pairs:
            kept = self.pairs[old]
            return new == kept or (new not in self.matched and kept in self._sources_in_b(new))
        return new not in self.matched or any(self.pairs[name] == new for name in self._sources_in_a(old))

    def _sources_in_a(self, name: str) -> frozenset[str]:
        return _sources(self._a, name, self.pairs.__contains__, self._removed_pass)

    def _sources_in_b(self, name: str) -> frozenset[str]:
        return _sources(self._b, name, self.matched.__contains__, self._added_pass)


def _sources(
    graph: Graph, name: str, is_matched: Callable[[str], bool], known: dict[str, frozenset[str]]
) -> frozenset[str]:
    """The matched nodes that an unmatched one depends on through unmatched ones alone."""
    if name not in known:
        seen, waiting, found = {name}, [name], set()
        while waiting:
            for source in graph[waiting.pop()].inputs:
                if is_matched(source):
                    found.add(source)
                elif source not in seen:
                    seen.add(source)
                    waiting.append(source)
        known[name] = frozenset(found)
    return known[name]


def _outputs(a: Graph, b: Graph, wiring: _Wiring) -> tuple[OutputChange, ...]:
    before = {output.name: output for output in a.outputs}
    after = {output.name: output for output in b.outputs}
    found = [OutputChange(output, None) for name, output in before.items() if name not in after]
    for name, output in after.items():
        if name not in before:
            found.append(OutputChange(None, output))
            continue
        old = before[name]
        rewired = wiring.is_changed((old.node,), (output.node,), f"output {name}")
        said = (old.training_only, old.loss_weight) != (output.training_only, output.loss_weight)
        if rewired or said:
            found.append(OutputChange(old, output, rewired))
    return tuple(found)


def _inits(a: Graph, b: Graph, changes: list[Change]) -> Iterable[InitChange]:
    for change in changes:
        for parameter in change.after.weights:
            if parameter in change.before.weights:
                before = _rule(a, change.before, parameter)
                after = _rule(b, change.after, parameter)
                if before != after:
                    yield InitChange(change.after, parameter, before, after)


def _rule(graph: Graph, node: Node, parameter: str) -> Initializer | None:
    """What the spec says of a parameter's first values, None where it says nothing."""
    for rule in graph.rules:
        if parameter in rule.parameters and matches(rule, node):
            return rule.parameters[parameter]
    return None
