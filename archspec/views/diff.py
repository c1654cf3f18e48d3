"""What differs between two networks, as text for a pull request and as data.

In the text, copies that differ alike share a line (`layer*.*.add x 16`: each `*` stands for what varies), and so do
the layers of a block use that is added or removed as a whole.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.graph.difference import Change, Difference, InitChange, OutputChange
from archspec.graph.graph import Graph, Node, Output
from archspec.initializers import Constant, Initializer
from archspec.spec.reader import shown
from archspec.views.summary import op_text
from archspec.views.values import field_data, field_text, wrapped

MOST_NAMES = 20
"""Lines of renamed layers that are shown."""
MOST_READERS = 3
"""Patterns of readers that one line names."""


# As data.


def diff_data(found: Difference) -> dict[str, Any]:
    """The difference as plain data, for `diff --json`: every layer by itself, nothing folded."""
    groups_a, groups_b = _whole_groups(found.a, found.removed), _whole_groups(found.b, found.added)
    return {
        "same": found.same,
        "same_structure": found.same_structure,
        "a": _costs(found.a),
        "b": _costs(found.b),
        "removed": [_node_data(node, groups_a, found) for node in found.removed],
        "added": [_node_data(node, groups_b, found) for node in found.added],
        "changed": [_change_data(change) for change in found.changed],
        "derived": [_change_data(change) for change in found.derived],
        "renamed": [{"a": change.before.name, "b": change.after.name} for change in found.renamed],
        "moved": [{"a": change.before.name, "b": change.after.name} for change in found.moved],
        "outputs": [_output_change_data(change) for change in found.outputs],
        "outputs_reordered": found.reordered,
        "init": [_init_data(change) for change in found.inits],
    }


def _costs(graph: Graph) -> dict[str, Any]:
    inference = graph.inference()
    return {
        "name": graph.name,
        "set": dict(graph.changed),
        "params": graph.params,
        "params_inference": inference.params,
        "macs": inference.macs,
        "macs_training": graph.macs,
    }


def _node_data(node: Node, groups: dict[str, str], found: Difference) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": node.op,
        "group": groups.get(node.name),
        "inputs": list(node.inputs),
        "shape": list(node.shape.dims),
        "params": node.params,
        "macs": node.macs,
        "readers": list(found.readers.get(node.name, ())),
        "line": node.position.line,
    }


def _change_data(change: Change) -> dict[str, Any]:
    before, after = change.before, change.after
    return {
        "a": before.name,
        "b": after.name,
        "op": after.op,
        "fields": {name: {"a": field_data(old), "b": field_data(new)} for name, (old, new) in change.fields.items()},
        "inputs": {"a": list(before.inputs), "b": list(after.inputs)} if change.rewired else None,
        "shape": {"a": list(before.shape.dims), "b": list(after.shape.dims)},
        "params": {"a": before.params, "b": after.params},
        "macs": {"a": before.macs, "b": after.macs},
    }


def _output_change_data(change: OutputChange) -> dict[str, Any]:
    either = change.after or change.before
    assert either is not None
    return {"name": either.name, "a": _output_data(change.before), "b": _output_data(change.after)}


def _output_data(output: Output | None) -> dict[str, Any] | None:
    if output is None:
        return None
    return {"from": output.node, "training_only": output.training_only, "loss_weight": output.loss_weight}


def _init_data(change: InitChange) -> dict[str, Any]:
    return {
        "layer": change.node.name,
        "parameter": change.parameter,
        "a": _initializer_data(change.before),
        "b": _initializer_data(change.after),
    }


def _initializer_data(initializer: Initializer | None) -> Any:
    """As an `init` rule writes it; None for torch's default."""
    if initializer is None:
        return None
    return initializer.value if isinstance(initializer, Constant) else {initializer.name: dict(vars(initializer))}


# As text.


def diff_text(found: Difference, names: bool = True) -> list[str]:
    """The lines of a difference, with the marks + - ~; `names`: whether renamed and moved layers are told too."""
    before, after = labels(found.a, found.b)
    heads = [f"--- {before}", f"+++ {after}"]
    renamed, moved = (found.renamed, found.moved) if names else ((), ())
    if found.same_structure:
        counts = [f"{len(which):,} {what}" for which, what in ((renamed, "renamed"), (moved, "moved")) if which]
        said = "no difference" if found.same else ", ".join(["no structural difference", *counts])
        return [*heads, said, *_names(renamed, moved)]
    lines = [line for text in _entries(found) for line in wrapped(text)]
    lines += _names([change for change in renamed if not change.is_own], moved)
    lines += [line for text in _about_ends(found) for line in wrapped(text)]
    return [*heads, *lines, "", *_totals(found)]


def labels(a: Graph, b: Graph) -> tuple[str, str]:
    """Two networks' names, with the params that were set, and their files where these alone differ."""
    before, after = (
        " ".join([graph.name, *(f"{name}={field_text(value)}" for name, value in graph.changed.items())])
        for graph in (a, b)
    )
    files = [graph.inputs[0].position.source.name for graph in (a, b)]
    if before == after and files[0] != files[1]:
        return f"{before} ({files[0]})", f"{after} ({files[1]})"
    return before, after


@dataclass(frozen=True, slots=True)
class _Entry:
    """One thing that is added, removed or changed; those of one `kind` can share a line."""

    mark: str
    place: float
    """Where it stands, in the second network's order."""
    kind: object
    name: str
    what: str
    """Its op, or its group's."""
    nodes: tuple[Node, ...]
    change: Change | None = None


def _entries(found: Difference) -> Iterator[str]:
    """A line for each difference of layers, in execution order, alike ones together."""
    places = _places(found)
    entries = list(_whole(found, found.removed, found.a, "-", places))
    entries += _whole(found, found.added, found.b, "+", places)
    entries += (_changed(change, places) for change in found.changed)
    alike: dict[object, list[_Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.place):
        alike[entry.mark, entry.kind].append(entry)
    for members in alike.values():
        yield _changed_text(members) if members[0].change else _whole_text(members, found)
    if found.derived:
        yield _derived_text(found.derived)


def _derived_text(changes: Sequence[Change]) -> str:
    """What follows from the other differences, in one sentence."""
    kinds = Counter(kind for change in changes for kind in change.derived)
    words = {"shape": "shape", "params": "params", "macs": "MACs"}
    counts = [f"{kinds[kind]:,} in {word}" for kind, word in words.items() if kinds[kind]]
    said = ", ".join(counts) if len(counts) > 1 else "in " + counts[0].rpartition(" in ")[2] + " only"
    verb = "changes" if len(changes) == 1 else "change"
    return f"~ {_counted(len(changes), 'further layer')} {verb} because of these: {said}"


def _places(found: Difference) -> dict[tuple[str, str], float]:
    """Where nodes stand in the second network; what is removed, just before the next that is not."""
    places: dict[tuple[str, str], float] = {("+", node.name): k for k, node in enumerate(found.b)}
    place: float = len(found.b)
    for node in reversed(list(found.a)):
        other = found.pairs.get(node.name)
        place = places["+", other] if other is not None else place - 1e-6
        places["-", node.name] = place
    return places


def _whole(
    found: Difference, nodes: Sequence[Node], graph: Graph, mark: str, places: dict[tuple[str, str], float]
) -> Iterator[_Entry]:
    """Added or removed layers, those of a whole group as one."""
    groups = _whole_groups(graph, nodes)
    members: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        members[groups.get(node.name, node.name)].append(node)
    copies = defaultdict(list)
    for path, group in graph.groups.items():
        copies[path.rpartition(".")[0]].append(group.op)
    for name, inside in members.items():
        what = op_text(inside[0]) if name in graph else graph.groups[name].op or _copies_text(copies[name])
        yield _Entry(mark, places[mark, inside[0].name], (what, _starred(name)), name, what, tuple(inside))


def _whole_groups(graph: Graph, nodes: Iterable[Node]) -> dict[str, str]:
    """Node -> the outermost group around it of which every layer is among the nodes."""
    among = list(nodes)
    total = Counter(path for node in graph for path in _above(node.name) if path in graph.groups)
    inside = Counter(path for node in among for path in _above(node.name) if path in graph.groups)
    found = {}
    for node in among:
        whole = [path for path in _above(node.name) if total[path] and inside[path] == total[path]]
        if whole:
            found[node.name] = whole[0]
    return found


def _above(name: str) -> list[str]:
    """The paths of the groups around a node, outermost first."""
    parts = name.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


def _copies_text(ops: list[str]) -> str:
    """What a group without a block of its own holds: copies of one block, or this and that."""
    same = len(set(ops)) == 1 and ops[0]
    return f"{len(ops)} x {ops[0]}" if same else "group"


def _whole_text(members: list[_Entry], found: Difference) -> str:
    first = members[0]
    nodes = [node for entry in members for node in entry.nodes]
    graph, matched = (found.a, "was read") if first.mark == "-" else (found.b, "now read")
    facts = []
    if first.name in graph:
        facts += _only({str(node.shape) for node in nodes})
    else:
        facts.append(_counted(len(nodes), "layer"))
    facts += _amounts(sum(node.params for node in nodes), sum(node.macs for node in nodes))
    if readers := dict.fromkeys(reader for node in nodes for reader in found.readers.get(node.name, ())):
        facts.append(f"{matched} by {_listed(readers)}")
    return f"{first.mark} {_title([entry.name for entry in members], first.what)}" + _after_colon(facts)


def _changed(change: Change, places: dict[tuple[str, str], float]) -> _Entry:
    before, after = change.before, change.after
    fields = tuple((name, field_text(old), field_text(new)) for name, (old, new) in change.fields.items())
    sources = tuple(map(_starred, (*before.inputs, "->", *after.inputs))) if change.rewired else ()
    renamed = _starred(before.name) if before.name != after.name else ""
    kind = (before.op, after.op, fields, sources, _starred(after.name), renamed)
    return _Entry("~", places["+", after.name], kind, after.name, after.op, (after,), change)


def _changed_text(members: list[_Entry]) -> str:
    changes = [entry.change for entry in members if entry.change]
    first = changes[0]
    ops = dict.fromkeys([first.before.op, first.after.op])
    facts = [
        f"{name} {field_text(old)} -> {field_text(new)}" for name, (old, new) in first.fields.items() if name != "op"
    ]
    if first.rewired:
        facts.append(f"reads {_sources([c.before for c in changes])} -> {_sources([c.after for c in changes])}")
    if "shape" in first.derived and first.after.block:
        facts += _only({f"output {change.before.shape} -> {change.after.shape}" for change in changes})
    params = sum(change.after.params - change.before.params for change in changes)
    facts += _amounts(params, sum(change.after.macs - change.before.macs for change in changes), signed=True)
    title = _title([entry.name for entry in members], " -> ".join(ops))
    if first.before.name != first.after.name:
        title = f"{_pattern([change.before.name for change in changes])} -> {title}"
    return f"~ {title}" + _after_colon(facts)


def _sources(nodes: list[Node]) -> str:
    """What some layers read, slot by slot."""
    slots = [_pattern(list(names)) for names in zip(*(node.inputs for node in nodes), strict=True)]
    return slots[0] if len(slots) == 1 else f"[{', '.join(slots)}]"


def _title(names: list[str], what: str) -> str:
    return f"{_pattern(names)} ({what})" + (f" x {len(names):,}" if len(names) > 1 else "")


def _after_colon(facts: list[str]) -> str:
    return f": {', '.join(facts)}" if facts else ""


def _only(texts: set[str]) -> list[str]:
    """What is the same of all."""
    return list(texts) if len(texts) == 1 else []


def _amounts(params: int, macs: int, signed: bool = False) -> list[str]:
    sign = "+" if signed else ""
    return [f"{amount:{sign},} {what}" for amount, what in ((params, "params"), (macs, "MACs")) if amount]


# Names.

NUMBERED = re.compile(r"(\d+[a-z]?)(?![A-Za-z0-9])")
"""The end of a name that tells copies apart: 0, layer3, inception4b."""


def _pieces(name: str) -> list[str]:
    """A path, every second piece a number that copies may differ in; the last of several names keeps its own."""
    outer, dot, last = name.rpartition(".")
    if not outer or last.isdigit():
        return NUMBERED.split(name)
    pieces = NUMBERED.split(outer)
    return [*pieces[:-1], pieces[-1] + dot + last]


def _starred(name: str) -> str:
    pieces = _pieces(name)
    return "".join("*" if k % 2 else piece for k, piece in enumerate(pieces))


def _pattern(names: list[str]) -> str:
    """Names that are alike as one, with a star for every number that varies; else the first of them."""
    if len({_starred(name) for name in names}) > 1:
        return f"{names[0]}, ..."
    columns = zip(*map(_pieces, names), strict=True)
    return "".join(column[0] if len(set(column)) == 1 else "*" for column in columns)


def _listed(names: Iterable[str]) -> str:
    """Names, alike ones as one pattern, and not too many."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[_starred(name)].append(name)
    patterns = [_pattern(members) for members in alike.values()]
    more = [f"{len(patterns) - MOST_READERS} more"] if len(patterns) > MOST_READERS else []
    return ", ".join(patterns[:MOST_READERS] + more)


def _names(renamed: Sequence[Change], moved: Sequence[Change]) -> list[str]:
    """Lines about renamed and moved layers."""
    lines = [f"~ renamed: {text}" for text in _renamed(renamed)]
    if len(lines) > MOST_NAMES:
        lines[MOST_NAMES:] = [f"~ renamed: {len(lines) - MOST_NAMES:,} more of the kind; --json lists them all"]
    if moved:
        lines.append(f"~ in another order: {_listed([change.after.name for change in moved])}")
    return [line for text in lines for line in wrapped(text)]


def _renamed(renamed: Sequence[Change]) -> Iterator[str]:
    """Renamed layers: the outer names that differ, alike ones together."""
    outer: dict[tuple[str, str], int] = Counter(_differing(c.before.name, c.after.name) for c in renamed)
    alike: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for before, after in outer:
        alike[_starred(before), _starred(after)].append((before, after))
    for (before, after), members in alike.items():
        layers = _counted(sum(outer[member] for member in members), "layer")
        olds, news = [old for old, _ in members], [new for _, new in members]
        if before == after and len(members) > 1:
            yield f"{olds[0]} ... {olds[-1]} -> {news[0]} ... {news[-1]} ({layers})"
        else:
            yield f"{_pattern(olds)} -> {_pattern(news)}" + (f" ({layers})" if layers != "1 layer" else "")


def _differing(before: str, after: str) -> tuple[str, str]:
    """Two paths without the last names that they share."""
    old, new = before.split("."), after.split(".")
    while len(old) > 1 and len(new) > 1 and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return ".".join(old), ".".join(new)


# Outputs, init and sums.


def _about_ends(found: Difference) -> Iterator[str]:
    for change in found.outputs:
        yield _output_text(change)
    if found.reordered:
        before, after = (", ".join(output.name for output in graph.outputs) for graph in (found.a, found.b))
        yield f"~ outputs in another order: {before} -> {after}"
    yield from _init_texts(found.inits)


def _init_texts(changes: Sequence[InitChange]) -> Iterator[str]:
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for change in changes:
        kind = (change.parameter, _initializer(change.before), _initializer(change.after))
        alike[kind].append(change.node.key(change.parameter))
    for (_, old, new), keys in alike.items():
        yield f"~ init of {_listed(keys)} ({_counted(len(keys), 'parameter')}): {old} -> {new}"


def _output_text(change: OutputChange) -> str:
    before, after = change.before, change.after
    if before is None or after is None:
        mark, output = ("-", before) if before else ("+", after)
        assert output is not None
        facts = [output.node] + ["training only"] * output.training_only
        facts += [f"loss weight {shown(output.loss_weight)}"] * (output.loss_weight != 1.0)
        return f"{mark} output {output.name}: {', '.join(facts)}"
    facts = [f"reads {before.node} -> {after.node}"] if change.rewired else []
    for name in ("training_only", "loss_weight"):
        old, new = getattr(before, name), getattr(after, name)
        facts += [f"{name} {shown(old)} -> {shown(new)}"] if old != new else []
    return f"~ output {after.name}: {', '.join(facts)}"


def _initializer(initializer: Initializer | None) -> str:
    if initializer is None:
        return "torch's default"
    if isinstance(initializer, Constant):
        return shown(initializer.value)
    fields = (f"{name} {field_text(value)}" for name, value in vars(initializer).items())
    return " ".join([initializer.name, ", ".join(fields)])


def _totals(found: Difference) -> list[str]:
    """The closing lines: what the difference costs, in training too where that is more."""
    a, b = _costs(found.a), _costs(found.b)
    rows = [("params", "params_inference"), ("MACs", "macs")]
    if any(x["params"] != x["params_inference"] or x["macs"] != x["macs_training"] for x in (a, b)):
        rows = [("params", "params_inference"), ("params in training", "params")]
        rows += [("MACs", "macs"), ("MACs in training", "macs_training")]
    width = max(len(name) for name, _ in rows) + 1
    return [f"{name + ':':{width}} {_step(a[key], b[key])}" for name, key in rows]


def _step(before: int, after: int) -> str:
    if before == after:
        return f"{after:,} (no change)"
    share = f", {(after - before) / before:+.1%}" if before else ""
    return f"{before:,} -> {after:,} ({after - before:+,}{share})"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
