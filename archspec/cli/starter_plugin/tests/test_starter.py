"""The block `starter` against torch, and the network that uses it."""

import archspec
import torch
from archspec.tensor import CHW
from archspec.testing import suite

from archspec_starter.starter import Starter, starter

test_starter = suite((Starter(), CHW(3, 5, 4)), (Starter(first=-0.5), CHW(1, 2, 2)))


def test_its_numbers():
    x = torch.tensor([-2.0, 0.0, 1.0])
    torch.testing.assert_close(starter(x, torch.tensor(1.0)), torch.nn.functional.silu(x))


def test_the_network_has_what_it_expects():
    graph = archspec.compile("starter-net", set={"classes": 3})
    assert graph["act1"].params == 16
    assert graph["fc"].shape.dims == (3,)
