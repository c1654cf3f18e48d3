"""The shape kind of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archspec.tensor import Features, Shape


@dataclass(frozen=True, slots=True)
class Tokens(Features):
    """A sequence of tokens, each a vector of features; a spec declares one as `{tokens: [tokens, features]}`."""

    name: ClassVar[str] = "tokens"
    kind: ClassVar[str] = "tokens (tokens x features)"
    tokens: int
    features: int

    __str__ = Shape.__str__
