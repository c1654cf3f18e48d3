"""The test kit: holds a block against torch, in everything that archspec does with it.

    from archspec.tensor import CHW
    from archspec.testing import suite

    test_squeeze_excite = suite((SqueezeExcite(reduction=4), CHW(8, 5, 5)))

makes one pytest test for each check of each case; `check_block(block, *shapes)` runs them all at once.
"""

from archspec.testing.case import Case, Fault
from archspec.testing.checks import CHECKS
from archspec.testing.suite import check_block, suite

__all__ = ["CHECKS", "Case", "Fault", "check_block", "suite"]
