"""Options and fixtures that every test shares."""

from __future__ import annotations

import gc
import os

import pytest

# One thread for each worker and each process that a test starts: more would wait for each other on the same cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="Rewrite golden files instead of comparing with them.")


def pytest_collection_finish() -> None:
    """Keep garbage collections from going through torch and all the tests, which takes a second each."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--regenerate"))
