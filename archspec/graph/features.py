"""Other outputs for a network: the values of layers that are named by path, and nothing else computed."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph, Output
from archspec.graph.paths import around, last_inside


def with_outputs(graph: Graph, paths: Iterable[str]) -> Graph:
    """The part of a network that some layers depend on, with their values as its outputs.

    The path of a group stands for its last layer; the name of an output of the spec may be given too. Outputs are
    called by their paths, made identifiers: `layer4.1.conv2` is `layer4_1_conv2`.
    Errors: SpecError
    """
    problems: list[Problem] = []
    outputs: dict[str, Output] = {}
    for path in paths:
        node = _node(graph, path, problems)
        name = identifier(path)
        name = f"layer_{name}" if name in {node.name for node in graph.inputs} else name
        if name in outputs:
            message = f"outputs: `{path}` is named twice, or another path gives the same name, `{name}`"
            problems.append(Problem("duplicate-name", message))
        if node is not None:
            outputs[name] = Output(name, node)
    if not problems and not outputs:
        problems.append(Problem("no-output", "outputs: no path is given"))
    if problems:
        raise SpecError(problems)
    return graph.pruned(outputs.values())


def _node(graph: Graph, path: str, problems: list[Problem]) -> str | None:
    found = last_inside(path, graph) or next((o.node for o in graph.outputs if o.name == path), None)
    if found is None:
        hint = did_you_mean(path, [outer for node in graph.layers for outer in around(node.name)])
        problems.append(Problem("unknown-layer", f"outputs: there is no layer `{path}`", hint=hint))
    elif graph[found].block is None:
        message = f"outputs: `{path}` is an input itself: it depends on no layer"
        problems.append(Problem("no-layer", message))
        return None
    return found


def identifier(path: str) -> str:
    """A path as a name that Python, and so a field of a named tuple, can have."""
    name = re.sub(r"\W", "_", path, flags=re.ASCII)
    taken = keyword.iskeyword(name) or name in ("count", "index")
    return f"layer_{name}" if not name[:1].isalpha() or taken else name
