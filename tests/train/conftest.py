"""What the tests of training share."""

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Means are kept in a folder of the tests."""
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
