"""A recipe: what a paper's section on training says, and nothing about the machine."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from archspec.length import Duration, Last, Length
from archspec.part import Average, Dataset, Evaluation, Loss, Metric, Mix, Optimizer, Order, Part, Schedule, Transform
from archspec.recipe.tree import Assumption
from archspec.spec.reader import Mapping

VERSION = 1
"""Of the language of recipes."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""Form of a recipe's name."""


def named(text: str) -> str:
    """A recipe's name. Errors: ValueError, worded to follow `must be`"""
    if not NAME.fullmatch(text):
        raise ValueError("lower case letters, digits, `.`, `_` and `-`, beginning with a letter or digit")
    return text


Name = Annotated[str, AfterValidator(named), WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"})]
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class Batch(BaseModel):
    """What one step sees."""

    model_config = STRICT
    size: Annotated[int, Field(ge=1, le=10**7)]
    """Presentations in a step."""
    group: Annotated[int, Field(ge=1, le=10**7)] | None = None
    """Presentations in one forward pass: batch norm, mixing and dropout see these alone; unsaid, the whole batch."""
    last: Last
    """Where the size does not divide the epoch: the stream runs on, a smaller batch is kept, or it is dropped."""


class BatchNorm(BaseModel):
    """How batch norm comes by the statistics it tests with."""

    model_config = STRICT
    at_test: Literal["moving", "exact"]
    """Moving averages of training, or computed anew at the end with the final weights."""
    over: Duration | None = None
    """How many training images exact statistics are of."""


class Select(BaseModel):
    """Which weights are saved as the run's."""

    model_config = STRICT
    metric: str
    """Which: PROTOCOL.NAME."""
    best: Literal["lowest", "highest"]
    """Which value of it is best."""


class Reported(BaseModel):
    """A number that a paper reports."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, defer_build=True)
    spec: str
    """Name of the spec."""
    set: dict[str, Any] = {}
    """Its params."""
    data: str
    """What was tested on."""
    protocol: str
    """Name of a protocol of the recipe."""
    models: Annotated[int, Field(ge=1)] = 1
    """How many networks answered together."""
    note: str = ""
    """What else there is to say."""


class Recipe(BaseModel):
    """How a network is trained and tested."""

    model_config = STRICT
    recipe: Literal[1]
    """Version of the language."""
    name: Name
    """Name of the recipe."""
    paper: str = ""
    """The paper, with section or table, or the code that it is from."""
    description: str = ""
    """What else there is to say."""

    data: Dataset
    """Images with targets; the folder comes from the command line."""
    order: Order
    """The order in which an epoch presents the training images; unsaid, shuffle."""
    prepare: list[Transform] = []
    """Done to every image, training and test."""
    augment: list[Transform] = []
    """Done to training images, drawn anew at every presentation."""
    normalize: list[Transform] = []
    """Done last, to every training image and every view of a test."""
    mix: list[Mix] = []
    """One of these mixes each group, all equally likely."""

    batch: Batch
    """What one step sees."""
    length: Duration
    """Length of the run."""
    loss: Loss
    """What is made small."""
    loss_weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Weights of the losses of outputs by name; unsaid, the spec's `loss_weight`."""
    metrics: Annotated[list[Metric], Field(min_length=1)]
    """What is measured of the main output."""

    optimizer: Optimizer
    """What updates the weights."""
    schedule: Annotated[list[Schedule], Field(min_length=1)]
    """Phases, each a factor on the learning rate; unsaid, constant."""
    average: Average | None = None
    """An average of the weights, which is evaluated and saved in their place."""
    batch_norm: BatchNorm | None = None
    """How batch norm comes by the statistics it tests with; unsaid, moving averages."""

    evaluate: dict[str, Evaluation] = {}
    """Ways to test, by name; a metric of one is NAME.METRIC."""
    select: Select | None = None
    """Which weights are saved as the run's; unsaid or `last`, the last ones."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of everything that is drawn. It is not part of the recipe's hash."""

    reported: list[Reported] = []
    """Numbers that the paper reports, for comparison."""

    @property
    def hash(self) -> str:
        """SHA-256 of everything that changes what is learnt, but for the seed."""
        apart = {"name", "paper", "description", "seed", "reported"}
        data = {name: data_of(getattr(self, name)) for name in type(self).model_fields if name not in apart}
        return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def data_of(value: Any) -> Any:
    """A part of a recipe as plain data, with all its fields."""
    if isinstance(value, BaseModel):
        fields = {name: data_of(getattr(value, name)) for name in type(value).model_fields}
        return {"op": value.op} | fields if isinstance(value, Part) else fields
    if isinstance(value, Length):
        return str(value)
    if isinstance(value, list):
        return [data_of(item) for item in value]
    return {key: data_of(item) for key, item in value.items()} if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True)
class Loaded:
    """A recipe, as it was written and as it is understood."""

    recipe: Recipe
    written: Mapping
    """With what it extends and is set to worked in, marks included."""
    assumptions: tuple[Assumption, ...]
    """The values that the paper does not state."""
