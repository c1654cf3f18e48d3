"""Which class an op stands for: the built-in vocabulary, written out.

A class is imported when its op is first used, so that a command pays only for what a spec names.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from archspec.block import Block

BLOCKS: dict[str, str] = {
    "adaptive_avg_pool2d": "archspec.blocks.adaptive_avg_pool2d:AdaptiveAvgPool2d",
    "add": "archspec.blocks.add:Add",
    "avg_pool2d": "archspec.blocks.avg_pool2d:AvgPool2d",
    "batch_norm2d": "archspec.blocks.batch_norm2d:BatchNorm2d",
    "concat": "archspec.blocks.concat:Concat",
    "conv2d": "archspec.blocks.conv2d:Conv2d",
    "dropout": "archspec.blocks.dropout:Dropout",
    "flatten": "archspec.blocks.flatten:Flatten",
    "global_avg_pool2d": "archspec.blocks.global_avg_pool2d:GlobalAvgPool2d",
    "identity": "archspec.blocks.identity:Identity",
    "linear": "archspec.blocks.linear:Linear",
    "lrn": "archspec.blocks.lrn:LocalResponseNorm",
    "max_pool2d": "archspec.blocks.max_pool2d:MaxPool2d",
    "option_a": "archspec.blocks.option_a:OptionA",
    "relu": "archspec.blocks.relu:Relu",
    "sigmoid": "archspec.blocks.sigmoid:Sigmoid",
    "softmax": "archspec.blocks.softmax:Softmax",
    "tanh": "archspec.blocks.tanh:Tanh",
}
"""op -> module:class."""


@cache
def block_class(op: str) -> type[Block]:
    """The class of an op. Errors: KeyError if there is none."""
    module, _, name = BLOCKS[op].partition(":")
    found: type[Block] = getattr(import_module(module), name)
    return found
