"""The contract of a block: fields, shapes, costs and lowering in one class.

A primitive is what reaches the graph. Its declarative half never imports torch; only the body of `lower` may.
The annotations of `infer` declare how many inputs a primitive takes and of which shape kinds:
`x: CHW` one feature map, `*xs: CHW` any number of them, `x: Shape` one value of any kind.
A composite is written with other blocks: its `expand` calls the builder, and shapes, costs
and lowering follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from archspec.initializers import Initializer
from archspec.tensor import Shape, Sides, Window

if TYPE_CHECKING:
    from torch.fx import Proxy

    from archspec.lowering.emitter import Emitter

MOST = 2**31 - 1
"""No size, count or width is larger."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter as a block declares it: its shape, and torch's default for its first values."""

    shape: tuple[int, ...]
    init: Initializer


@dataclass(frozen=True, slots=True)
class Buffer:
    """State that is saved but not trained."""

    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Saves:
    """What backward needs again: the memory that eager torch holds for it, in float32 on the CPU.

    A value is held once, however many layers need it; parameters and buffers do not count.
    """

    inputs: tuple[int, ...] = ()
    """Numbers of the inputs that are kept."""
    factors: bool = False
    """Whether the inputs are factors, each kept only for the gradients of the others."""
    output: bool = False
    """Whether the output is kept."""
    elements: int = 0
    """Further elements per image of the activations' type: a dropout mask, what a compound keeps between its steps."""
    indices: int = 0
    """Further 8-byte whole numbers per image: where a max pool found its maxima."""
    view: bool = False
    """Whether the output is its first input's memory, seen otherwise: then keeping one keeps the other."""


class Block(BaseModel):
    """A named piece of vocabulary: what `op` names in a spec, with its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    op: ClassVar[str] = ""

    def __init_subclass__(cls, op: str = "", **kwargs: object) -> None:
        cls.op = op or cls.op


class Primitive(Block):
    """A block that becomes one node of the graph."""

    def infer(self, *inputs: Any, **_: Any) -> Shape:
        """The output's shape from the inputs' shapes, or a ShapeError."""
        raise NotImplementedError

    def parameters(self, *inputs: Any, **_: Any) -> dict[str, Weight]:
        """Parameters by name; the name "" stands for the layer's own path."""
        return {}

    def buffers(self, *inputs: Any, **_: Any) -> dict[str, Buffer]:
        """Buffers by name, in the order of the state dict, after the parameters."""
        return {}

    def macs(self, *inputs: Any, **_: Any) -> int:
        """Multiply-accumulates for one image."""
        return 0

    def window(self, *inputs: Any, **_: Any) -> Window | None:
        """The sliding window, for receptive fields; None where each place reads only itself."""
        return None

    def saves(self, *inputs: Any, **_: Any) -> Saves:
        """What backward needs again; nothing by default, as for a sum."""
        return Saves()

    def lower(self, fx: Emitter, *inputs: Any, **_: Any) -> Proxy:
        """Emit the torch code of this block and return its output."""
        raise NotImplementedError


class Value(Protocol):
    """What a composite's `expand` passes around: a layer's output with a known shape."""

    @property
    def shape(self) -> Shape | None: ...


class Builder(Protocol):
    """What a composite's `expand` writes to."""

    def layer(self, name: str, op: str, /, *inputs: Any, **fields: Any) -> Any:
        """Add the layer `name` and return its output."""


class Composite(Block):
    """A block made of other blocks, for plugins that need Python; most composites are YAML."""

    def expand(self, b: Builder, *inputs: Any, **_: Any) -> Any:
        """Add this block's layers to `b` and return the output of the last."""
        raise NotImplementedError


# Field types shared by the blocks. A message raised here completes the sentence "`field` must be ...".


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST


def _pair(value: Any, least: int, what: str) -> tuple[int, int]:
    items = value if isinstance(value, list | tuple) else [value, value]
    if len(items) != 2 or not all(_is_count(item, least) for item in items):
        raise ValueError(f"{what} from {least} or [height, width]")
    return (items[0], items[1])


def _size2d(value: object) -> tuple[int, int]:
    return _pair(value, 1, "a whole number")


def _padding2d(value: object) -> tuple[int, int]:
    return _pair(value, 0, "a whole number")


SIDES = ("left", "right", "top", "bottom")


def _sides(value: object, *, or_same: str = "") -> Sides:
    if isinstance(value, Sides):
        return value
    if isinstance(value, dict):
        if not set(value) <= set(SIDES) or not all(_is_count(item, 0) for item in value.values()):
            raise ValueError("whole numbers from 0 for some of left, right, top, bottom")
        return Sides(**value)
    try:
        height, width = _padding2d(value)
    except ValueError:
        message = f"a whole number from 0, [height, width],{or_same} or {{left, right, top, bottom}}"
        raise ValueError(message) from None
    return Sides(width, width, height, height)


def _padding(value: object) -> Sides | str:
    return "same" if value == "same" else _sides(value, or_same=" same,")


def _whole(least: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": MOST}


def _pairs(least: int) -> dict[str, Any]:
    """What a pair looks like to an editor: one number, or [height, width]."""
    return {"anyOf": [_whole(least), {"type": "array", "items": _whole(least), "minItems": 2, "maxItems": 2}]}


def _paddings() -> dict[str, Any]:
    by_side = {"type": "object", "properties": {side: _whole(0) for side in SIDES}, "additionalProperties": False}
    return {"anyOf": [*_pairs(0)["anyOf"], by_side]}


Count = Annotated[int, Field(ge=1, le=MOST)]
"""A whole number from 1."""
Size2d = Annotated[tuple[int, int], PlainValidator(_size2d), WithJsonSchema(_pairs(1))]
"""A size from 1: one number for both, or [height, width]."""
Padding2d = Annotated[tuple[int, int], PlainValidator(_padding2d), WithJsonSchema(_pairs(0))]
"""Padding from 0, the same on opposite sides: one number, or [height, width]."""
Padding = Annotated[
    Sides | str, PlainValidator(_padding), WithJsonSchema({"anyOf": [{"const": "same"}, *_paddings()["anyOf"]]})
]
"""Padding from 0: one number, [height, width], `same`, or by side."""
PaddingBySide = Annotated[Sides, PlainValidator(_sides), WithJsonSchema(_paddings())]
"""Padding from 0: one number, [height, width], or by side."""
Probability = Annotated[float, Field(ge=0, lt=1)]
"""From 0 up to, but not including, 1."""


def compact(pair: tuple[int, int]) -> int | tuple[int, int]:
    """One number where height and width agree, as people write torch."""
    return pair[0] if pair[0] == pair[1] else pair


def unusual(given: Mapping[str, object], usual: Mapping[str, object]) -> dict[str, object]:
    """The arguments that differ from torch's defaults, so that emitted code reads as if written by hand."""
    return {name: value for name, value in given.items() if value != usual[name]}
