"""A state dict that follows its network through passes: what the records of `graph.optimize` say, done with tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from archspec.graph.optimize.change import Folded, Merged, Rewrite

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Conversion:
    """How the state dict of a network becomes that of the one it was optimised to."""

    rewrites: tuple[Rewrite, ...]
    before: Mapping[str, tuple[int, ...]]
    """Shapes by key, in order."""
    after: tuple[str, ...]
    """Keys, in order."""

    def is_original(self, state: Mapping[str, torch.Tensor]) -> bool:
        """Whether a state dict is the original network's, by a key that the optimised one does not have."""
        return any(key in self.before and key not in self.after for key in state)

    @property
    def needed(self) -> list[str]:
        """The original's keys whose tensors the optimised network is made of."""
        rewritten = {path for rewrite in self.rewrites for path in _layers_of(rewrite)}
        after = set(self.after)
        counted = (key for key in self.before if not key.endswith("num_batches_tracked"))
        return [key for key in counted if key in after or _layer_of(key) in rewritten]

    def converted(self, state: Mapping[str, torch.Tensor]) -> State:
        """The original network's state dict as the optimised one's; other keys stay.

        A layer that is made of several is left out where a tensor of one of them is not there.
        """
        found = dict(state)
        incomplete = {_layer_of(key) for key in self.needed if key not in state}
        for rewrite in self.rewrites:
            layers = _layers_of(rewrite)
            if not incomplete.isdisjoint(layers):
                incomplete.update(layers)
            elif isinstance(rewrite, Folded):
                _fold(found, rewrite)
            else:
                _merge(found, rewrite)
        changed = {path for rewrite in self.rewrites for path in _layers_of(rewrite)} & incomplete
        gone = set(self.before) - set(self.after)
        return {key: value for key, value in found.items() if key not in gone and _layer_of(key) not in changed}


def _layers_of(rewrite: Rewrite) -> tuple[str, ...]:
    return (rewrite.layer, rewrite.norm) if isinstance(rewrite, Folded) else (*rewrite.layers, rewrite.into)


def _layer_of(key: str) -> str:
    return key.rpartition(".")[0]


def _fold(state: State, record: Folded) -> None:
    """y = factor * (W x + b) + summand is (factor W) x + (factor b + summand); worked out in float64."""
    weight = state[f"{record.layer}.weight"]
    factor, summand = _affine(state, record)
    bias = state.get(f"{record.layer}.bias")
    before = bias.double() if bias is not None else torch.zeros_like(summand)
    axes = [1] * weight.dim()
    axes[record.axis] = -1
    state[f"{record.layer}.weight"] = (weight.double() * factor.reshape(axes)).to(weight.dtype)
    state[f"{record.layer}.bias"] = (factor * before + summand).to(weight.dtype)
    for key in [key for key in state if key.startswith(f"{record.norm}.")]:
        del state[key]


def _affine(state: State, record: Folded) -> tuple[torch.Tensor, torch.Tensor]:
    """What a norm multiplies each channel by, and what it adds then."""

    def own(name: str) -> torch.Tensor | None:
        value = state.get(f"{record.norm}.{name}")
        return value.double() if value is not None else None

    weight, bias = own("weight"), own("bias")
    if record.eps is None:
        assert weight is not None
        return weight, bias if bias is not None else torch.zeros_like(weight)
    mean, variance = own("running_mean"), own("running_var")
    assert mean is not None and variance is not None
    factor = (variance + record.eps).rsqrt()
    factor = factor * weight if weight is not None else factor
    return factor, (bias if bias is not None else torch.zeros_like(mean)) - mean * factor


def _merge(state: State, record: Merged) -> None:
    weights = [state.pop(f"{layer}.weight") for layer in record.layers]
    state[f"{record.into}.weight"] = torch.cat(weights)
    if record.bias:
        biases = [
            state.pop(f"{layer}.bias", weight.new_zeros(len(weight)))
            for layer, weight in zip(record.layers, weights, strict=True)
        ]
        state[f"{record.into}.bias"] = torch.cat(biases)
