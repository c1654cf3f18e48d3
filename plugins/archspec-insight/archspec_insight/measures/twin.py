"""A copy of a module that gives the values of its layers.

A built network is straight-line code: functions such as ReLUs are calls in it and not modules, so that forward hooks
do not meet them. The graph says what every layer is, so the same graph is built again with the layers' values for
outputs, and takes over the module's state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

import archspec
from archspec.graph.graph import Graph, Output
from archspec_insight.errors import InsightError
from archspec_insight.measures.batch import Images, placed


class Twin:
    """A copy of a module that shares nothing with it and gives the values of some of its layers.

    Layers that only auxiliary heads need are computed in either mode, if they are asked for.
    Cost: memory for the parameters once more, and for the values asked for all at once
    Errors: InsightError if the module's state is not that of the graph
    """

    def __init__(self, module: nn.Module, graph: Graph, names: Sequence[str]) -> None:
        self.graph, self.names = graph, tuple(dict.fromkeys(names))
        outputs = [Output(f"value_{number}", name) for number, name in enumerate(self.names)]
        like = next((value for value in module.parameters() if value.is_floating_point()), torch.empty(0))
        self.module = archspec.build(graph.pruned(outputs), device=like.device, dtype=like.dtype)
        self.device, self.dtype = like.device, like.dtype
        self._take_over(module)

    def _take_over(self, module: nn.Module) -> None:
        """Copy the module's state, and the mode of each of its parts."""
        own, state = self.module.state_dict(), module.state_dict()
        for key, value in own.items():
            if key not in state or state[key].shape != value.shape:
                found = f"`{key}` is {tuple(state[key].shape)}" if key in state else f"it has no `{key}`"
                raise InsightError(
                    f"the module was not built from {self.graph.name}: {found}, expected {tuple(value.shape)}",
                    "give the module itself, not what torch.compile or a parallel wrapper made of it",
                )
        self.module.load_state_dict({key: state[key] for key in own})
        modes = {path: part.training for path, part in module.named_modules()}
        for path, part in self.module.named_modules():
            part.training = modes.get(path, module.training)

    def values(self, images: Images, seed: int) -> Mapping[str, Tensor]:
        """The layers' values by name; dropout draws from `seed`. Errors: InsightError of the images"""
        inputs = placed(self.graph, images, self.device, self.dtype)
        with _seeded(seed):
            found = self.module(*inputs)
        return dict(zip(self.names, found if isinstance(found, tuple) else (found,), strict=True))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """While it lasts, torch's random state begins at a seed; then it is what it was."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def finite(values: Mapping[str, Tensor], what: str = "value of") -> None:
    """Errors: InsightError that names the first value, in their order, which is not finite"""
    for name, value in values.items():
        if not bool(value.isfinite().all()):
            kind = "NaN" if bool(value.isnan().any()) else "infinite"
            raise InsightError(f"the {what} `{name}` is {kind}", "values may have grown without bound on the way")
