"""Asking a primitive about its output: arity and rank first, then shape and costs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import get_args, get_type_hints

from archspec.block import Composite, Primitive
from archspec.errors import BlockError, ShapeError
from archspec.registry import BLOCKS
from archspec.tensor import CHW, Features, Shape, Vector


class ArityError(BlockError):
    """A block is given too few or too many inputs."""

    slug = "wrong-arity"


class BadBlock(BlockError):
    """A block's class is wrong, whatever it is given."""

    slug = "bad-block-class"


@dataclass(frozen=True, slots=True)
class Signature:
    """What the annotations of `infer` say of a primitive's inputs."""

    inputs: tuple[type[Shape] | UnionType, ...]
    variadic: bool
    needed: int
    """How many must be given; the others have defaults."""


@cache
def signature(cls: type[Primitive]) -> Signature:
    """The inputs a primitive takes, from the annotations of its `infer`."""
    parameters = list(inspect.signature(cls.infer).parameters.values())[1:]
    try:
        hints = get_type_hints(cls.infer)
        kinds = [hints[parameter.name] for parameter in parameters]
    except (NameError, KeyError) as error:
        raise BadBlock(
            f"the annotations of `infer` cannot be read: {type(error).__name__}: {error}",
            "annotate every input, as in `x: CHW`, and import the shapes at the top of the file",
        ) from error
    for kind in kinds:
        if not all(isinstance(one, type) and issubclass(one, Shape) for one in get_args(kind) or [kind]):
            raise BadBlock(f"`infer` is annotated with {kind!r}, which is no kind of shape", "for example `x: CHW`")
    if not kinds:
        raise BadBlock("`infer` has no inputs", "a block takes at least one value: def infer(self, x: CHW)")
    variadic = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    needed = sum(parameter.default is parameter.empty for parameter in parameters)
    return Signature(tuple(kinds), variadic, needed)


def arity_of(block: Composite, found: int) -> str:
    """Why a composite does not take so many inputs, from the signature of its `expand`; or nothing."""
    parameters = list(inspect.signature(type(block).expand).parameters.values())[2:]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return ""
    needed = sum(parameter.default is parameter.empty for parameter in parameters)
    if needed <= found <= len(parameters):
        return ""
    return f"{block.op} takes {counted(needed)}, found {found}"


def infer(block: Primitive, shapes: tuple[Shape, ...]) -> Shape:
    """The output's shape. Errors: BlockError, ShapeError, ArityError"""
    takes = signature(type(block))
    if not takes.variadic and not takes.needed <= len(shapes) <= len(takes.inputs):
        raise ArityError(
            f"{block.op} takes {counted(takes.needed)}, found {len(shapes)}",
            "add, concat or the like joins several values into one" if len(takes.inputs) == 1 else "",
        )
    kinds = takes.inputs * len(shapes) if takes.variadic else takes.inputs
    for kind, shape in zip(kinds, shapes, strict=False):
        if not isinstance(shape, kind):
            hint = (
                "put a flatten or a global pool before it"
                if kind in (Vector, Features) and isinstance(shape, CHW)
                else ""
            )
            raise ShapeError(f"{block.op} takes {called(kind)}, found {shape}, {type(shape).kind}", hint)
    shape = block.infer(*shapes)
    if block.op in BLOCKS.builtin:  # held by tests, and asked for every layer of every network
        return shape
    if not isinstance(shape, Shape):
        raise BadBlock(f"`infer` gives {shape!r}, which is no shape", "return a CHW, a Vector, or another Shape")
    if not all(type(size) is int and size > 0 for size in shape.dims):
        raise BadBlock(
            f"`infer` gives {shape}, whose sizes are not all whole numbers from 1", "divide by `//`, not `/`"
        )
    return shape


def called(kind: type[Shape] | UnionType) -> str:
    """What people call a kind, or one of several: `CHW | Tokens`."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return " or ".join(each.kind for each in kinds)


def counted(inputs: int) -> str:
    return {1: "one input", 2: "two inputs", 3: "three inputs"}.get(inputs, f"{inputs} inputs")
