"""Blocks that are right, and blocks that are right but for one thing; no torch at the top."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from archspec.block import Buffer, Composite, Count, Primitive, Saves, Weight
from archspec.initializers import Constant, Initializer
from archspec.tensor import CHW, Features, Vector

if TYPE_CHECKING:
    from decimal import Decimal

FACTOR = 2


class Bend(Primitive, op="bend"):
    """x * tanh(slope * x), with a learned slope for each channel.

    Shape:  CxHxW -> CxHxW
    """

    first: float = 1.0
    """First value of the slopes."""

    def infer(self, x: CHW) -> CHW:
        return x

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return {"slope": Weight((x.channels, 1, 1), Constant(value=self.first))}

    def saves(self, x: CHW) -> Saves:
        """The input, and the tangent."""
        return Saves(inputs=(0,), elements=x.size)

    def lower(self, fx, x):
        from tests.testing.planted_ops import bend

        return fx.function(bend, x, fx.parameter("slope"))


class Level(Primitive, op="level"):
    """In evaluation, takes away the moving average of what training has seen.

    Shape:  CxHxW -> CxHxW
    """

    share: float = 0.1
    """Of a batch in the average."""

    def infer(self, x: CHW) -> CHW:
        return x

    def buffers(self, x: CHW) -> dict[str, Buffer]:
        return {"level": Buffer(()), "steps": Buffer((), "int64")}

    def lower(self, fx, x):
        from tests.testing import planted_ops

        return fx.module(planted_ops.Level, x, self.share)


class Tower(Composite, op="tower"):
    """A convolution and dropout beside a shortcut.

    Shape:  CxHxW -> CxHxW
    """

    sizes: list[Count]
    """Sizes of the kernels, one after another."""

    def expand(self, b, x):
        y = x
        for number, size in enumerate(self.sizes):
            channels = x.shape.channels
            y = b.layer(f"conv{number}", "conv2d", y, out_channels=channels, kernel_size=size, padding="same")
        y = b.layer("dropout", "dropout", b.layer("relu", "relu", y), p=0.25)
        return b.layer("add", "add", x, y)


class Calls(Primitive, op="calls"):
    """Calls a function of `planted_ops` by its name.

    Shape:  CxHxW -> CxHxW
    """

    function: str
    """Its name."""

    def infer(self, x: CHW) -> CHW:
        return x

    def lower(self, fx, x):
        from tests.testing import planted_ops

        return fx.function(getattr(planted_ops, self.function), x)


class Uses(Calls, op="uses"):
    """Calls a module of `planted_ops` by its name; the function is its class, made with the words of a fault.

    Shape:  CxHxW -> CxHxW
    """

    fault: str = ""
    """What is wrong with it."""

    def lower(self, fx, x):
        from tests.testing import planted_ops

        return fx.module(getattr(planted_ops, self.function), x, self.fault)


# Documentation.


class Undocumented(Bend, op="undocumented"):  # inherits a docstring, which is not about it
    pass


class Shapeless(Bend, op="shapeless"):
    """Says nothing of shapes.

    Shape:
    """


class Undescribed(Bend, op="undescribed"):
    """Has a field of which nothing is said.

    Shape:  CxHxW -> CxHxW
    """

    second: float = 1.0


class UndescribedTower(Tower, op="undescribed_tower"):
    """Has a field of which nothing is said.

    Shape:  CxHxW -> CxHxW
    """

    depth: int = 1


# Schema.


class Thing:
    """An arbitrary class."""


class OfThings(Bend, op="of_things"):
    """Has a field of an arbitrary class.

    Shape:  CxHxW -> CxHxW
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    thing: Thing
    """Whatever it is."""


class OfAnything(Bend, op="of_anything"):
    """Has a field of which no editor can know anything.

    Shape:  CxHxW -> CxHxW
    """

    thing: Any = 0
    """Whatever it is."""


class OfTuples(Bend, op="of_tuples"):
    """Has a field that is a list in YAML, and then refused.

    Shape:  CxHxW -> CxHxW
    """

    sizes: tuple[int, int] = (1, 1)
    """Height and width."""


class OfBytes(Tower, op="of_bytes"):
    """Has a field that is a text in YAML, and then refused.

    Shape:  CxHxW -> CxHxW
    """

    code: bytes = b""
    """Whatever it is."""


class OfNames(Bend, op="of_names"):
    """Has a field that is text, which YAML may take for an expression.

    Shape:  CxHxW -> CxHxW
    """

    name: str
    """Whatever it is."""


# Torch-free.


class HidesTorch(Bend, op="hides_torch"):
    """Imports torch to work a shape out.

    Shape:  CxHxW -> CxHxW
    """

    def infer(self, x: CHW) -> CHW:
        import torch

        return CHW(*torch.Size(x.dims))


class HidesTorchInCosts(Bend, op="hides_torch_in_costs"):
    """Imports torch to count.

    Shape:  CxHxW -> CxHxW
    """

    def macs(self, x: CHW) -> int:
        import torch

        return torch.Size(x.dims).numel() * 0


class HidesTorchInExpand(Tower, op="hides_torch_in_expand"):
    """Imports torch to add a layer.

    Shape:  CxHxW -> CxHxW
    """

    def expand(self, b, x):
        import torch  # noqa: F401

        return super().expand(b, x)


def _checked_with_torch(value: float) -> float:
    import torch

    return float(torch.tensor(value))


class HidesTorchInField(Bend, op="hides_torch_in_field"):
    """Imports torch to check a field.

    Shape:  CxHxW -> CxHxW
    """

    second: Annotated[float, AfterValidator(_checked_with_torch)] = Field(1.0, validate_default=True)
    """A number."""


# Signature.


class Unreadable(Bend, op="unreadable"):
    """Names in `infer` what only type checkers import.

    Shape:  CxHxW -> CxHxW
    """

    def infer(self, x: Decimal) -> Decimal:
        return x


class Unannotated(Bend, op="unannotated"):
    """Does not say what `infer` takes.

    Shape:  CxHxW -> CxHxW
    """

    def infer(self, x):
        return x


class OfNumbers(Bend, op="of_numbers"):
    """Says that `infer` takes numbers.

    Shape:  CxHxW -> CxHxW
    """

    def infer(self, x: int) -> int:
        return x


class Divides(Bend, op="divides"):
    """Divides by what may be nothing.

    Shape:  CxHxW -> CxHxW
    """

    def infer(self, x: CHW) -> CHW:
        assert 12 // (x.height - 1)
        return x


class LeavesNothing(Primitive, op="leaves_nothing"):
    """Every second row, without the last.

    Shape:  CxHxW -> CxH/2xW
    """

    def infer(self, x: CHW) -> CHW:
        return CHW(x.channels, x.height // 2, x.width)

    def lower(self, fx, x):
        from torch.nn import functional as F

        return fx.function(F.max_pool2d, x, (2, 1))


class DividesInExpand(Tower, op="divides_in_expand"):
    """Divides by what may be nothing.

    Shape:  CxHxW -> CxHxW
    """

    def expand(self, b, x):
        assert 12 // (x.shape.height - 1)
        return super().expand(b, x)


class FirstTwo(Primitive, op="first_two"):
    """The sum of the first two values.

    Shape:  several of CxHxW -> CxHxW
    """

    def infer(self, *xs: CHW) -> CHW:
        return xs[1]

    def lower(self, fx, *xs):
        import torch

        return fx.function(torch.add, xs[0], xs[1])


# Shape.


class Mistaken(Bend, op="mistaken"):
    """Forgets that `lower` leaves the shape alone.

    Shape:  CxHxW -> CxHxW+1
    """

    def infer(self, x: CHW) -> CHW:
        return CHW(x.channels, x.height, x.width + 1)


# State.


class Sloped(Uses, op="sloped"):
    """Declares a slope for each channel.

    Shape:  CxHxW -> CxHxW
    """

    function: str = "Sloped"
    """Its name."""

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return {"slope": Weight((x.channels, 1, 1), Constant(value=1.0))}

    def lower(self, fx, x):
        from tests.testing import planted_ops

        return fx.module(planted_ops.Sloped, x, self.fault, fx.shapes[0].channels)


class Counted(Uses, op="counted"):
    """Declares a count.

    Shape:  CxHxW -> CxHxW
    """

    function: str = "Counted"
    """Its name."""

    def buffers(self, x: CHW) -> dict[str, Buffer]:
        return {"count": Buffer((), "int64")}


class Levelled(Uses, op="levelled"):
    """Declares a level.

    Shape:  CxHxW -> CxHxW
    """

    function: str = "Unfilled"
    """Its name."""

    def buffers(self, x: CHW) -> dict[str, Buffer]:
        return {"level": Buffer(())}


class Nothing(Initializer, name="nothing"):
    """No number."""

    def fill(self, tensor, generator):
        tensor.fill_(float("nan"))


class StartsWithNothing(Bend, op="starts_with_nothing"):
    """Its slopes are no numbers at first.

    Shape:  CxHxW -> CxHxW
    """

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return {"slope": Weight((x.channels, 1, 1), Nothing())}


# Costs.


class Costless(Primitive, op="costless"):
    """Forgets its products with weights.

    Shape:  F -> F
    """

    def infer(self, x: Vector) -> Vector:
        return x

    def parameters(self, x: Vector) -> dict[str, Weight]:
        return {"weight": Weight((x.features, x.features), Constant(value=0.5))}

    def lower(self, fx, x):
        from torch.nn import functional as F

        return fx.function(F.linear, x, fx.parameter("weight"))


class SavesLess(Bend, op="saves_less"):
    """Forgets the tangent.

    Shape:  CxHxW -> CxHxW
    """

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,))


class SavesMore(Bend, op="saves_more"):
    """Counts the output too.

    Shape:  CxHxW -> CxHxW
    """

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,), output=True, elements=x.size)


# Gradients.


class BendsWrong(Bend, op="bends_wrong"):
    """Says the gradient of its slope twice.

    Shape:  CxHxW -> CxHxW
    """

    def saves(self, x: CHW) -> Saves:
        return Saves(inputs=(0,))

    def lower(self, fx, x):
        from tests.testing.planted_ops import wrong_slope

        return fx.function(wrong_slope, x, fx.parameter("slope"))


# Evaluation and determinism.


class Counts(Uses, op="counts"):
    """Declares a count, for a module that counts in evaluation too.

    Shape:  CxHxW -> CxHxW
    """

    function: str = "CountsInEvaluation"
    """Its name."""

    def buffers(self, x: CHW) -> dict[str, Buffer]:
        return {"count": Buffer((), "int64")}


class ChanceTower(Tower, op="chance_tower"):
    """Lets Python's chance decide what it is made of.

    Shape:  CxHxW -> CxHxW
    """

    def expand(self, b, x):
        y = super().expand(b, x)
        return b.layer("leak", "leaky_relu", y, negative_slope=random.random())


class Chance(Initializer, name="chance"):
    """Random numbers, but not from the generator that is given."""

    def fill(self, tensor, generator):
        tensor.normal_()


class StartsByChance(Bend, op="starts_by_chance"):
    """Its slopes do not follow from the seed.

    Shape:  CxHxW -> CxHxW
    """

    def parameters(self, x: CHW) -> dict[str, Weight]:
        return {"slope": Weight((x.channels, 1, 1), Chance())}


# Standalone.


class Nameless(Primitive, op="nameless"):
    """Calls a function that no one can import.

    Shape:  CxHxW -> CxHxW
    """

    def infer(self, x: CHW) -> CHW:
        return x

    def lower(self, fx, x):
        return fx.function(lambda x: x * 2, x)


# Kinds of shapes.


@dataclass(frozen=True, slots=True)
class Rows(Features):
    """Rows of features."""

    name: ClassVar[str] = "rows"
    kind: ClassVar[str] = "rows (rows x features)"
    rows: int
    features: int

    __str__ = Features.__str__


class LastRow(Primitive, op="last_row"):
    """The last row.

    Shape:  rows x F -> F
    """

    def infer(self, x: Rows) -> Vector:
        return Vector(x.features)

    def saves(self, x: Rows) -> Saves:
        return Saves(view=True)

    def lower(self, fx, x):
        import torch

        return fx.function(torch.select, x, 1, -1)
