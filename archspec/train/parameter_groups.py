"""Which parameter is updated how: the rules of a recipe's optimizer on the parameters of a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph.graph import Graph, Node
from archspec.graph.init_rules import glob
from archspec.part import Optimizer, ParameterGroup


def _texts(texts: str | list[str] | None) -> list[str]:
    return [] if texts is None else [texts] if isinstance(texts, str) else texts


def matches(rule: ParameterGroup, node: Node, parameter: str) -> bool:
    """Whether a rule matches a parameter of a layer."""
    if rule.parameter is not None and parameter != rule.parameter:
        return False
    if rule.op is not None and node.op not in _texts(rule.op):
        return False
    return rule.match is None or any(glob(pattern).fullmatch(node.owner) for pattern in _texts(rule.match))


def parameter_groups(optimizer: Optimizer, graph: Graph, module: nn.Module) -> list[dict[str, Any]]:
    """Groups for a torch optimizer: parameters of one rule together, with their factors and state-dict keys.

    Errors: SpecError if a rule matches nothing
    """
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    used: set[int] = set()
    chosen: dict[int, list[str]] = {}
    for node in graph:
        for name in node.weights:
            if (key := node.key(name)) not in parameters or any(key in keys for keys in chosen.values()):
                continue
            fits = [k for k, rule in enumerate(optimizer.groups) if matches(rule, node, name)]
            used |= set(fits)
            chosen.setdefault(fits[0] if fits else -1, []).append(key)
    _refuse_unused(optimizer.groups, used, graph)
    found = []
    for number in sorted(chosen, key=lambda k: (k < 0, k)):
        rule = optimizer.groups[number] if number >= 0 else ParameterGroup()
        found.append(
            {
                "params": [parameters[key] for key in chosen[number]],
                "lr": optimizer.lr * rule.lr_mult,
                "weight_decay": optimizer.weight_decay * rule.decay_mult,
                "names": chosen[number],
                "lr_mult": rule.lr_mult,
            }
        )
    return found


def _refuse_unused(rules: Iterable[ParameterGroup], used: set[int], graph: Graph) -> None:
    problems = []
    for number, rule in enumerate(rules):
        if number not in used:
            said = {k: v for k in ("match", "op", "parameter") if (v := getattr(rule, k)) is not None}
            ops = dict.fromkeys(node.op for node in graph if node.weights)
            hint = did_you_mean(_texts(rule.op)[0], ops, "ops with parameters") if rule.op else ""
            message = f"optimizer.groups.{number}: {said} matches no parameter of {graph.name}"
            problems.append(Problem("unused-group", message, hint=hint))
    if problems:
        raise SpecError(problems)
