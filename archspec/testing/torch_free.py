"""Whether the declarative half of a block does without torch, asked of a fresh interpreter."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys

from archspec.block import Primitive
from archspec.testing.case import Case, Fault, faults

PROGRAM = """
import importlib.util, json, pickle, sys
job = json.load(sys.stdin)
sys.path[:] = job["path"]
at_import = called = ""
for name, file in job["modules"].items():
    if name in sys.modules:
        continue
    try:
        importlib.import_module(name)
    except ImportError:
        described = importlib.util.spec_from_file_location(name, file)
        sys.modules[name] = importlib.util.module_from_spec(described)
        described.loader.exec_module(sys.modules[name])
    if "torch" in sys.modules:
        at_import = name
        break
block, shapes = pickle.loads(bytes.fromhex(job["case"]))


def compile():
    from archspec.api import compile, load
    from archspec.errors import SpecError
    from archspec.plugins import Provider
    from archspec.registry import BLOCKS
    from archspec.tensor import SHAPES

    kinds = {type(shape).name: type(shape) for shape in shapes}
    BLOCKS.add({op: type(block) for op in job["ops"]}, Provider("the case"))
    SHAPES.add({name: kinds[name] for name in job["kinds"]}, Provider("the case"))
    try:
        compile(load(text=job["text"]))
    except SpecError:
        pass  # a composite may use ops that only the tests know


if not at_import:
    for method in job["methods"]:
        getattr(block, method)(*shapes)
        if "torch" in sys.modules:
            called = f"`{method}`"
            break
    else:
        compile()
        called = job["compiles"] if "torch" in sys.modules else ""
print("FOUND", json.dumps([at_import, called]))
"""


def torch_free(case: Case) -> None:
    """Errors: Fault if importing the block, asking it for shapes and costs, or compiling it imports torch"""
    cls, is_primitive = type(case.block), isinstance(case.block, Primitive)
    case.graph()  # what is wrong with the case itself is told first
    ops, kinds = case.unknown
    with faults(f"{cls.__name__} cannot be pickled", "define its class, and kinds of shapes, at the top of a file"):
        pickled = pickle.dumps((case.block, case.shapes)).hex()
    job = {
        "path": sys.path,
        "modules": {kind.__module__: inspect.getfile(kind) for kind in (cls, *map(type, case.shapes))},
        "case": pickled,
        "text": case.text(),
        "ops": list(ops),
        "kinds": list(kinds),
        "methods": ["infer", "parameters", "buffers", "macs", "window", "saves"] if is_primitive else [],
        "compiles": "checking its fields" if is_primitive else "`expand`",
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=120)
    _, marker, found = done.stdout.rpartition("FOUND")
    if not marker:
        last = next(iter(reversed(done.stderr.strip().splitlines())), "")
        mend = "a file of blocks must do without the one that tests it; see the message"
        raise Fault(f"{cls.__module__} cannot be imported by itself: {last}", mend)
    at_import, called = json.loads(found)
    if at_import:
        raise Fault(f"importing {at_import} imports torch", "import torch inside `lower` alone; not at the top")
    if called:
        raise Fault(f"{called} imports torch", "work shapes and costs out in plain Python; import torch in `lower`")
