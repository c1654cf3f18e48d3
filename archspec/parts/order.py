"""Orders in which an epoch presents the training images: functions of (seed, epoch) alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.draw import seed_of
from archspec.part import Order

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[np.int64]]


def shuffled(seed: int, epoch: int, count: int) -> Numbers:
    """The numbers 0 to count - 1 in a random order.

    Raw bits of Philox are promised not to change between versions of numpy, and a stable sort of them is unique;
    numpy's own `permutation` has no such promise.
    """
    import numpy as np

    bits = np.random.Philox(key=seed_of("order", seed, epoch)).random_raw(count)
    return np.argsort(bits, kind="stable")


class Shuffle(Order, op="shuffle"):
    """Every image once, shuffled anew in every epoch."""

    def epoch(self, seed: int, epoch: int, count: int) -> tuple[Numbers, Numbers]:
        import numpy as np

        return shuffled(seed, epoch, count), np.zeros(count, np.int64)


class Sequential(Order, op="sequential"):
    """Every image once, in the order of the dataset."""

    def epoch(self, seed: int, epoch: int, count: int) -> tuple[Numbers, Numbers]:
        import numpy as np

        return np.arange(count), np.zeros(count, np.int64)


class Repeated(Order, op="repeated"):
    """Repeated augmentation: images come `times` times in a row, and an epoch is as long as the dataset.

    So an epoch shows only one in `times` of the images, a new choice each time. Those of a row go to different groups.
    Source: Hoffer et al. 2020; Berman et al. 2019 (torchvision's RASampler)
    """

    times: Annotated[int, Field(ge=1)]
    """How often an image comes in a row."""

    def epoch(self, seed: int, epoch: int, count: int) -> tuple[Numbers, Numbers]:
        import numpy as np

        places = np.arange(count)
        return shuffled(seed, epoch, count)[places // self.times], places % self.times
