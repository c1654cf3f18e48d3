"""Which class an op stands for: the built-in vocabulary, written out, and that of plugins.

A class is imported when its op is first used, so that a command pays only for what a spec names.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from archspec.block import Block
from archspec.errors import PluginError
from archspec.part import Part
from archspec.plugins import Provider, Registry, subclass_of

BUILT_IN = {
    "adaptive_avg_pool2d": "archspec.blocks.adaptive_avg_pool2d:AdaptiveAvgPool2d",
    "adaptive_max_pool2d": "archspec.blocks.adaptive_max_pool2d:AdaptiveMaxPool2d",
    "add": "archspec.blocks.add:Add",
    "average": "archspec.blocks.average:Average",
    "avg_pool2d": "archspec.blocks.avg_pool2d:AvgPool2d",
    "batch_norm2d": "archspec.blocks.batch_norm2d:BatchNorm2d",
    "channel_shuffle": "archspec.blocks.channel_shuffle:ChannelShuffle",
    "channel_slice": "archspec.blocks.channel_slice:ChannelSlice",
    "concat": "archspec.blocks.concat:Concat",
    "conv2d": "archspec.blocks.conv2d:Conv2d",
    "conv_transpose2d": "archspec.blocks.conv_transpose2d:ConvTranspose2d",
    "depthwise_conv2d": "archspec.blocks.depthwise_conv2d:DepthwiseConv2d",
    "drop_path": "archspec.blocks.drop_path:DropPath",
    "dropout": "archspec.blocks.dropout:Dropout",
    "dropout2d": "archspec.blocks.dropout2d:Dropout2d",
    "elu": "archspec.blocks.elu:Elu",
    "flatten": "archspec.blocks.flatten:Flatten",
    "gelu": "archspec.blocks.gelu:Gelu",
    "global_avg_pool2d": "archspec.blocks.global_avg_pool2d:GlobalAvgPool2d",
    "global_max_pool2d": "archspec.blocks.global_max_pool2d:GlobalMaxPool2d",
    "group_norm": "archspec.blocks.group_norm:GroupNorm",
    "hardsigmoid": "archspec.blocks.hardsigmoid:Hardsigmoid",
    "hardswish": "archspec.blocks.hardswish:Hardswish",
    "identity": "archspec.blocks.identity:Identity",
    "instance_norm2d": "archspec.blocks.instance_norm2d:InstanceNorm2d",
    "layer_norm2d": "archspec.blocks.layer_norm2d:LayerNorm2d",
    "leaky_relu": "archspec.blocks.leaky_relu:LeakyRelu",
    "linear": "archspec.blocks.linear:Linear",
    "log_softmax": "archspec.blocks.log_softmax:LogSoftmax",
    "lp_pool2d": "archspec.blocks.lp_pool2d:LpPool2d",
    "lrn": "archspec.blocks.lrn:LocalResponseNorm",
    "lrn_within": "archspec.blocks.lrn_within:LocalResponseNormWithin",
    "max_pool2d": "archspec.blocks.max_pool2d:MaxPool2d",
    "maximum": "archspec.blocks.maximum:Maximum",
    "multiply": "archspec.blocks.multiply:Multiply",
    "option_a": "archspec.blocks.option_a:OptionA",
    "pad2d": "archspec.blocks.pad2d:Pad2d",
    "prelu": "archspec.blocks.prelu:PRelu",
    "relu": "archspec.blocks.relu:Relu",
    "relu6": "archspec.blocks.relu6:Relu6",
    "reshape": "archspec.blocks.reshape:Reshape",
    "scale": "archspec.blocks.scale:Scale",
    "sigmoid": "archspec.blocks.sigmoid:Sigmoid",
    "silu": "archspec.blocks.silu:Silu",
    "softmax": "archspec.blocks.softmax:Softmax",
    "tanh": "archspec.blocks.tanh:Tanh",
    "upsample": "archspec.blocks.upsample:Upsample",
}
"""op -> module:class."""

BLOCKS: Registry[type[Block]] = Registry("op", BUILT_IN, subclass_of(Block, "op"))
"""op -> class: built-in, of plugins, or added from a file."""


PARTS: dict[str, dict[str, str]] = {
    "dataset": {
        "cifar10": "cifar:Cifar10",
        "cifar100": "cifar:Cifar100",
        "image_folder": "folder:ImageFolder",
        "imagenet": "folder:ImageNet",
        "litdata": "litdata:LitData",
        "synthetic": "synthetic:Synthetic",
    },
    "order": {"shuffle": "Shuffle", "sequential": "Sequential", "repeated": "Repeated"},
    "transform": {
        "area_crop": "area_crop:AreaCrop",
        "center_crop": "crop:CenterCrop",
        "flip": "flip:Flip",
        "normalize": "mean:Normalize",
        "pad": "pad:Pad",
        "pca_lighting": "lighting:PcaLighting",
        "photometric": "photometric:Photometric",
        "random_crop": "crop:RandomCrop",
        "random_erase": "erase:RandomErase",
        "resize": "resize:Resize",
        "rotate": "rotate:Rotate",
        "subtract_mean": "mean:SubtractMean",
        "trivial_augment": "trivial_augment:TrivialAugment",
    },
    "mix": {"mixup": "Mixup", "cutmix": "Cutmix"},
    "loss": {"cross_entropy": "CrossEntropy", "binary_cross_entropy": "BinaryCrossEntropy"},
    "metric": {"top1_error": "Top1Error", "top5_error": "Top5Error"},
    "optimizer": {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"},
    "schedule": {
        "constant": "Constant",
        "cosine": "Cosine",
        "linear": "Linear",
        "multi_step": "MultiStep",
        "plateau": "Plateau",
        "poly": "Poly",
        "step": "Step",
    },
    "logger": {"tensorboard": "TensorBoard"},
    "average": {"ema": "ExponentialAverage", "mean": "Mean"},
    "protocol": {
        "center_crop": "whole:CenterCropView",
        "fully_convolutional": "crops:FullyConvolutional",
        "googlenet_144": "crops:GoogLeNet144",
        "ten_crop": "crops:TenCrop",
        "ten_random_crops": "crops:TenRandomCrops",
        "whole": "whole:Whole",
    },
}
"""Kind of a recipe's parts -> op -> module:class, or class where all of a kind are in one module."""


def _part_registry(kind: str) -> Registry[type[Part]]:
    home = f"archspec.parts.{kind}"
    paths = {op: f"{home}.{where}" if ":" in where else f"{home}:{where}" for op, where in PARTS[kind].items()}
    return Registry(kind, paths, subclass_of(Part, "op"))


RECIPE_PARTS: dict[str, Registry[type[Part]]] = {kind: _part_registry(kind) for kind in PARTS}
"""Kind of a recipe's parts -> op -> class: built-in, or of plugins."""


def blocks_of(path: str | os.PathLike[str]) -> tuple[dict[str, type[Block]], Provider]:
    """The blocks that a Python file defines, by op, and the file as who brings them.

    The file is run, so only a user may name it, never a spec. Its folder can be imported from, as that of a script.
    Errors: PluginError if there is no such file, it cannot be run, or it defines no block
    """
    file, owner = Path(path), Provider(os.fspath(path))
    if not file.is_file() or file.suffix != ".py":
        found = "this is a folder" if file.is_dir() else "this is no Python file" if file.exists() else "no such file"
        raise PluginError("missing-file", f"{owner}: {found}", "a file of blocks ends in .py")
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as for a script: its own neighbours come first
    where = f"{file.resolve()} {hashlib.sha256(file.read_bytes()).hexdigest()}"
    name = f"blocks_of_{re.sub(r'[^A-Za-z0-9_]', '_', file.stem)}_{hashlib.sha256(where.encode()).hexdigest()[:8]}"
    if name not in sys.modules:  # a file that has changed is another module
        _run(file, name, owner)
    blocks: dict[str, type[Block]] = {}
    for cls in vars(sys.modules[name]).values():
        if _is_block(cls, name) and blocks.setdefault(cls.op, cls) is not cls:
            message = f"{owner} defines the op `{cls.op}` twice: {blocks[cls.op].__name__} and {cls.__name__}"
            raise PluginError("name-clash", message, "rename one")
    if not blocks:
        hint = 'a block is a class such as `class Gate(Primitive, op="gate")`; see docs/plugins.md'
        raise PluginError("broken-plugin", f"{owner} defines no block", hint)
    return blocks, owner


def _run(file: Path, name: str, owner: Provider) -> None:
    """Import a file under a name of its own."""
    described = spec_from_file_location(name, file)
    assert described is not None and described.loader is not None
    sys.modules[name] = module_from_spec(described)
    try:
        described.loader.exec_module(sys.modules[name])
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        message = f"{owner} cannot be run: {type(error).__name__}: {error}".rstrip(": ")
        raise PluginError("broken-plugin", message, "--debug shows its traceback") from error


def _is_block(found: object, module: str) -> bool:
    if not (isinstance(found, type) and issubclass(found, Block) and found.__module__ == module and found.op):
        return False
    return all(getattr(base, "op", "") != found.op for base in found.__mro__[1:])  # an op that is its own
