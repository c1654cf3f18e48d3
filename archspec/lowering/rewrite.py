"""A state dict that follows its network through passes: what the records of `graph.optimize` say, done with tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from archspec.graph.optimize.change import Folded, Merged, Rewrite

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Conversion:
    """How the state dict of a network becomes that of the one it was optimised to."""

    rewrites: tuple[Rewrite, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    """Keys, in order."""

    def converted(self, state: Mapping[str, torch.Tensor]) -> State:
        """A state dict with the original network's tensors changed to the optimised one's; other keys stay."""
        gone = set(self.before) - set(self.after)
        if not gone & set(state):
            return dict(state)
        return {key: value for key, value in rewritten(state, self.rewrites).items() if key not in gone}


def rewritten(state: Mapping[str, torch.Tensor], rewrites: Iterable[Rewrite]) -> State:
    """The state dict after all records whose tensors are there; the one given is left as it is."""
    found = dict(state)
    for rewrite in rewrites:
        if isinstance(rewrite, Folded):
            own = ("weight",) if rewrite.eps is None else ("running_mean", "running_var")
            if all(key in found for key in (f"{rewrite.layer}.weight", *(f"{rewrite.norm}.{name}" for name in own))):
                _fold(found, rewrite)
        elif all(f"{layer}.weight" in found for layer in rewrite.layers):
            _merge(found, rewrite)
    return found


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
