"""What the tests of training share."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    """Small networks gain nothing by threads, which would wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Means are kept in a folder of the tests."""
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
