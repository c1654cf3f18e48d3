"""The contracts of a recipe's parts: what an `op` names in a recipe, with its fields.

A part's fields never need torch; torch may be imported inside the bodies of its methods. Each kind has a registry of
its own, to which plugins add as they add blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from archspec.draw import Draw
from archspec.image import Image
from archspec.length import Calendar, Duration, Length

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    Count = Tensor | float


class Part(BaseModel):
    """A named part of a recipe."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True, populate_by_name=True
    )
    kind: ClassVar[str] = ""
    op: ClassVar[str] = ""

    def __init_subclass__(cls, op: str = "", kind: str = "", **kwargs: object) -> None:
        cls.op, cls.kind = op or cls.op, kind or cls.kind


# Data.


class Images(Protocol):
    """One split of a dataset."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes; a target is a number of one."""
        ...

    @property
    def fingerprint(self) -> str:
        """A text that changes when the images do."""
        ...

    def __len__(self) -> int: ...

    def target(self, index: int) -> int: ...

    def image(self, index: int) -> Image:
        """Errors: DataError if it cannot be read"""
        ...

    def name(self, index: int) -> str:
        """What messages call an image."""
        ...


Split = Literal["train", "test"]


class Dataset(Part, kind="dataset"):
    """Images with targets, in a part to train on and a part to test on."""

    needs_folder: ClassVar[bool] = True
    """Whether it is read from a folder, which the user names."""

    def images(self, split: Split, folder: Path | None, size: tuple[int, int]) -> Images:
        """One split. `size` is height and width of the network's input. Errors: DataError if they are not there"""
        raise NotImplementedError


class Order(Part, kind="order"):
    """The order in which an epoch presents the training images."""

    def epoch(self, seed: int, epoch: int, count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Numbers of the images in their order, and for each how often it was presented in this epoch before."""
        raise NotImplementedError


# Images.


class Transform(Part, kind="transform"):
    """Changes an image.

    One on bytes is all in `__call__`. One on floats draws its numbers there, and does its work in `apply` on all the
    images of a group at once, on the device; pixels are floats from 0 to 255 until `normalize`.
    """

    floating: ClassVar[bool] = False
    """Whether it works on floats."""
    warps: ClassVar[bool] = False
    """Whether a pixel's place then says nothing of where it was; crops, mirrors and borders are followed."""
    placed: ClassVar[bool] = False
    """Whether its work on floats depends on where in the image a pixel is: then no warp may come between."""

    def __call__(self, image: Image, draw: Draw) -> Image:
        return image.wait(self.drawn(draw), self.placed) if self.floating else image

    def drawn(self, draw: Draw) -> tuple[float, ...]:
        """The random numbers of one image."""
        return ()

    def central(self) -> Transform | None:
        """What stands for it where nothing is drawn, as for the mean of the training images; None: nothing."""
        return self

    @property
    def fits(self) -> bool:
        """Whether it learns something from the training images first."""
        return False

    def fit(self, batches: Iterable[Tensor]) -> dict[str, Tensor]:
        """What is learnt from the training images, N x 3 x H x W of floats from 0 to 255, in any number of batches."""
        return {}

    def zero(self, fitted: Mapping[str, Tensor]) -> Tensor | None:
        """The pixel, one value per channel, that it takes to 0; None where it is not a subtraction of a mean."""
        return None

    def apply(self, pixels: Tensor, drawn: Tensor, marks: Tensor, fitted: Mapping[str, Tensor], zero: Tensor) -> Tensor:
        """Images as floats, changed; the tensor that is given may be changed in place.

        Shape: pixels N x 3 x H x W; drawn N x (numbers drawn); marks N x 5, of `archspec.image.Mark`'s fields in
        order, all 0 where the image was warped since; zero 3, the pixel that the recipe takes to 0, at this point
        """
        raise NotImplementedError


class Mix(Part, kind="mix"):
    """Mixes the images of one group with each other."""

    def __call__(self, pixels: Tensor, targets: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Shape: pixels N x C x H x W and targets N x classes, of shares that sum to 1; both unchanged in shape"""
        raise NotImplementedError


# Learning.


class Loss(Part, kind="loss"):
    """What is made small: a sum over a batch, and the weight that this sum is divided by."""

    def weight(self, target: Tensor) -> Count:
        """What a target counts, known before the forward pass: the number of images, unless some count less."""
        return float(len(target))

    def total(self, output: Tensor, target: Tensor) -> Tensor:
        """The sum of the losses. The target is numbers of classes, or shares of classes where images were mixed."""
        raise NotImplementedError


class Metric(Part, kind="metric"):
    """What is measured of outputs."""

    better: ClassVar[Literal["lowest", "highest"]] = "lowest"

    def count(self, output: Tensor, target: Tensor) -> tuple[Tensor, float]:
        """A sum, left on its device, and the number that it is divided by."""
        raise NotImplementedError


class ParameterGroup(BaseModel):
    """A rule on parameters: the first that matches one decides. It matches as the `init` rules of a spec do."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    match: str | list[str] | None = None
    """Globs on paths of layers."""
    op: str | list[str] | None = None
    """Ops of layers."""
    parameter: str | None = None
    """Name of a parameter of them, such as bias; unsaid, all."""
    lr_mult: Annotated[float, Field(ge=0)] = 1.0
    """Factor on the learning rate."""
    decay_mult: Annotated[float, Field(ge=0)] = 1.0
    """Factor on the weight decay."""


class Optimizer(Part, kind="optimizer"):
    """Updates parameters by their gradients."""

    lr: Annotated[float, Field(ge=0)]
    """Learning rate, multiplied by the schedule."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Factor of the weights in their gradient, or as the optimizer has it."""
    groups: list[ParameterGroup] = []
    """Rules on parameters; the first that matches one decides."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """The largest norm of all gradients together; larger ones are scaled down to it."""
    freeze: list[str] = []
    """Globs on paths whose parameters are not trained; batch norm among them stays as it is."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer of groups with `params`, `lr` and `weight_decay`."""
        raise NotImplementedError


class Until(BaseModel):
    """A condition that ends a phase: the mean of a metric over each stretch of a length."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    metric: str
    """Which: `train.NAME`."""
    below: float | None = None
    """The phase ends once the metric is less."""
    above: float | None = None
    """The phase ends once the metric is more."""
    over: Duration
    """The stretch whose mean counts."""

    def met(self, value: float) -> bool:
        return (self.below is not None and value < self.below) or (self.above is not None and value > self.above)


class Schedule(Part, kind="schedule"):
    """A factor on the learning rate, as a function of time: a phase of the run, or all of it."""

    lasts: Duration | None = None
    """How long the phase lasts."""
    until: Until | None = None
    """The condition that ends the phase."""
    clock: Literal["run", "phase"] = "run"
    """Whether time counts from the start of the run or of the phase."""
    hold: Duration | None = None
    """The factor changes only at multiples of this."""

    def factor_at(self, t: float, total: float, calendar: Calendar) -> float:
        """The factor at time t of a clock that runs for `total`; both in steps. A pure function."""
        raise NotImplementedError


class Average(Part, kind="average"):
    """An average of the weights over the run, which is what is evaluated and saved as the weights."""

    every: Duration = Length(Fraction(1), "step")
    """How often the weights enter it."""
    buffers: Literal["copy", "average"] = "copy"
    """Whether buffers, such as running statistics, are the last ones or averaged too."""

    def share(self, count: int) -> float:
        """What share of the average the weights that enter as number `count`, counted from 0, take."""
        raise NotImplementedError


class Log(Protocol):
    """What takes the records of one run."""

    def __call__(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """One record, as metrics.jsonl has it."""
        ...

    def close(self) -> None:
        """The run ends or stops."""
        ...


class Logger(Part, kind="logger"):
    """Sends the records of a run somewhere. It is chosen on the command line and is no part of a recipe."""

    def check(self) -> None:
        """Errors: RunError if it cannot be used here, before anything is begun"""

    def open(self, folder: Path, step: int) -> Log:
        """For a run in a folder that goes on from a step, 0 if it is new; what was told of later ones is void.

        Errors: RunError
        """
        raise NotImplementedError


class Evaluation(Part, kind="protocol"):
    """A way to test: which views of an image the network sees, and how its answers become one."""

    prepare: list[Transform] | None = None
    """What is done to an image first; unsaid, the recipe's `prepare`."""
    every: Duration | None = None
    """How often it is done; unsaid, at the end only."""
    combine: Literal["softmax", "logits", "vote"] = "softmax"
    """What is averaged over the views: probabilities, scores, or the label each view finds most likely."""
    fully_convolutional: ClassVar[bool] = False
    """Whether the network is applied at every place of larger images, and its answers are averaged over places."""
    warps: ClassVar[bool] = False
    """Whether views are resized, so that a pixel's place says nothing of where it was."""

    def views(self, image: Image, draw: Draw) -> list[Image]:
        """What the network sees of an image that is prepared."""
        raise NotImplementedError
