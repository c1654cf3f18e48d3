"""The numbers a spec promises of itself: its `expect` cases, most often those of the paper."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from archspec.errors import Position, Problem, SpecError, did_you_mean
from archspec.graph.compile import MAX_NODES, compile
from archspec.graph.graph import Graph
from archspec.graph.init_rules import unused_rules
from archspec.graph.paths import last_inside
from archspec.spec.document import Spec
from archspec.spec.reader import Mapping, plain, shown
from archspec.spec.validation import place, validated


class Expectation(BaseModel):
    """One case of `expect`."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)
    settings: dict[str, Any] = Field(default={}, alias="set")
    """Params of this case; the others keep their defaults."""
    params: float | None = None
    """Parameters of the whole network, auxiliary heads included."""
    macs: float | None = None
    """Multiply-accumulates of one image through the inference network."""
    within: float = Field(default=0.0, ge=0, lt=1)
    """Relative tolerance on `params` and `macs`."""
    shapes: dict[str, list[int]] = {}
    """Output shapes by the layer's path."""


def check(
    spec: Spec,
    settings: dict[str, Any] | None = None,
    max_nodes: int = MAX_NODES,
    sizes: Dict[str, Any] | None = None,
) -> Graph:
    """Compile a spec and check all it says of itself; its cases are left out where params or sizes are set.

    Errors: SpecError
    """
    cases: list[tuple[Expectation, Mapping]] = []
    problems: list[Problem] = []
    for item in spec.expect:
        data = plain(item)
        at = item.entries if isinstance(item, Mapping) else {}
        case = validated(Expectation, data, at, item.position, "a case of `expect`", problems)
        if case is not None and isinstance(item, Mapping):
            cases.append((case, item))
    try:
        graph = compile(spec, settings, max_nodes, sizes)
    except SpecError as error:
        raise SpecError([*error.problems, *problems]) from error.__cause__
    graphs = [graph]
    for case, item in cases:
        if (settings or sizes) and not case.settings:
            continue
        try:
            found = compile(spec, case.settings, max_nodes) if case.settings else graph
        except SpecError as error:
            problems += [_in_case(problem, item.position) for problem in error.problems]
            continue
        graphs.append(found)
        problems += _compare(case, item, found)
    if (settings or sizes) and unused_rules(graphs):
        graphs.append(compile(spec, None, max_nodes))
    problems += unused_rules(graphs)
    if problems:
        raise SpecError(problems)
    return graph


def refuse_unused_rules(spec: Spec, graph: Graph, max_nodes: int = MAX_NODES) -> None:
    """Refuse `init` rules that match nothing, here or in any case the spec expects something of. Errors: SpecError"""
    if not unused_rules([graph]):
        return
    graphs = [graph, compile(spec, None, max_nodes)] if graph.changed else [graph]
    for item in spec.expect:
        settings = item.get("set") if isinstance(item, Mapping) else None
        if isinstance(settings, Mapping):
            try:
                graphs.append(compile(spec, settings_of(settings), max_nodes))
            except SpecError:
                continue  # `validate` tells what is wrong with a case
    if problems := unused_rules(graphs):
        raise SpecError(problems)


def settings_of(settings: Mapping) -> dict[str, Any]:
    return {name: plain(value) for name, (_, value) in settings.entries.items()}


def _in_case(problem: Problem, position: Position) -> Problem:
    return replace(problem, position=position) if problem.position is None else problem


def _compare(case: Expectation, item: Mapping, graph: Graph) -> list[Problem]:
    problems = []
    inference = graph.inference()
    for name, expected, found in ("params", case.params, graph.params), ("macs", case.macs, inference.macs):
        if expected is not None and abs(found - expected) > case.within * expected:
            off = f" ({(found - expected) / expected:+.2%})" if expected else ""
            message = f"`{name}` is {found:,}{off}, expected {expected:,.0f}"
            if case.within:
                message += f" within {case.within:.1%}"
            problems.append(_problem(message, item, [name]))
    for path, dims in case.shapes.items():
        node = last_inside(path, graph)
        if node is None:
            known = [*graph.groups, *(node.name for node in graph)]
            hint = did_you_mean(path, known)
            problems.append(_problem(f"there is no layer `{path}`", item, ["shapes", path], hint))
        elif list(graph[node].shape.dims) != dims:
            found_dims = shown(list(graph[node].shape.dims))
            problems.append(_problem(f"`{path}` is {found_dims}, expected {shown(dims)}", item, ["shapes", path]))
    return problems


def _problem(message: str, item: Mapping, path: list[str], hint: str = "") -> Problem:
    entries: dict[str, Any] = item.entries
    return Problem("expectation", message, place(entries, list(path), item.position), hint=hint)
