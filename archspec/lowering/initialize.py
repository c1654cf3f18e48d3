"""First values: every parameter is drawn once, by the spec's rules or torch's default."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import torch

from archspec.graph.graph import Graph
from archspec.graph.init_rules import initializer_of
from archspec.initializers import Initializer

LARGE, MANY = 1 << 17, 1 << 22
"""Elements of a parameter, and of all such, from which other threads are worth their start."""


def generator_for(seed: int, key: str) -> torch.Generator:
    """The generator of one parameter: a function of the seed and its state-dict key alone.

    So the same seed gives the same values on every device and after any edit elsewhere in the spec.
    """
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    generator = torch.Generator(device="cpu")
    generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return generator


def initialize(module: torch.nn.Module, graph: Graph, seed: int) -> None:
    """Draw every parameter of a module on the CPU, large ones in parallel."""
    parameters = dict(module.named_parameters())
    jobs = [
        (parameters[node.key(name)], node.key(name), initializer_of(graph.rules, node, name, weight))
        for node in graph
        for name, weight in node.weights.items()
    ]
    jobs.sort(key=lambda job: -job[0].numel())
    large = [job for job in jobs if job[0].numel() >= LARGE]
    if sum(job[0].numel() for job in large) < MANY:
        large = []

    def draw(job: tuple[torch.nn.Parameter, str, Initializer]) -> None:
        parameter, key, initializer = job
        _draw(parameter, initializer, generator_for(seed, key))

    with ThreadPoolExecutor() as pool:  # which starts no thread before there is work for one
        drawing = pool.map(draw, large)
        for job in jobs[len(large) :]:
            draw(job)
        list(drawing)


def _draw(parameter: torch.nn.Parameter, initializer: Initializer, generator: torch.Generator) -> None:
    with torch.no_grad():
        if parameter.dtype == torch.float32:
            initializer.fill(parameter, generator)
        else:
            drawn = torch.empty(parameter.shape, dtype=torch.float32, device="cpu")
            initializer.fill(drawn, generator)
            parameter.copy_(drawn)
