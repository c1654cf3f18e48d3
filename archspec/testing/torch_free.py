"""Whether the declarative half of a block does without torch, asked of a fresh interpreter."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import subprocess
import sys

from archspec.block import Primitive
from archspec.testing.case import Case, Fault

ASKED = "ARCHSPEC_ASKED_WHETHER_TORCH_FREE"
"""Set in the interpreter that is asked."""
PROGRAM = """
import importlib.util, json, pickle, sys
job = json.load(sys.stdin)
sys.path[:] = job["path"]
for name, file in job["modules"].items():
    if name in sys.modules:
        continue
    try:
        importlib.import_module(name)
    except ImportError:
        described = importlib.util.spec_from_file_location(name, file)
        sys.modules[name] = importlib.util.module_from_spec(described)
        described.loader.exec_module(sys.modules[name])
at_import = "torch" in sys.modules
block, shapes = pickle.loads(bytes.fromhex(job["case"]))
called = ""
for method in () if at_import else job["methods"]:
    getattr(block, method)(*shapes)
    if "torch" in sys.modules:
        called = method
        break
print("FOUND", json.dumps([at_import, called]))
"""


def torch_free(case: Case) -> None:
    """Errors: Fault if importing the block, or asking it for shapes and costs, imports torch"""
    if ASKED in os.environ:  # the block's own file runs this check when it is imported
        return
    cls = type(case.block)
    if cls.__module__ == "__main__":
        raise Fault("the block is defined in a script", "put it into a file of its own, and import that")
    kinds = {kind.__module__: inspect.getfile(kind) for kind in (cls, *map(type, case.shapes))}
    methods = ["infer", "parameters", "buffers", "macs", "window", "saves"]
    job = {
        "path": sys.path,
        "modules": kinds,
        "case": pickle.dumps((case.block, case.shapes)).hex(),
        "methods": methods if isinstance(case.block, Primitive) else [],
    }
    command = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, ASKED: "1"}
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=120, env=environment)
    _, marker, found = done.stdout.rpartition("FOUND")
    if not marker:
        last = next(iter(reversed(done.stderr.strip().splitlines())), "")
        raise Fault(f"{cls.__module__} cannot be imported by itself: {last}", "see the message")
    at_import, called = json.loads(found)
    if at_import:
        raise Fault(f"importing {cls.__module__} imports torch", "import torch inside `lower` alone; not at the top")
    if called:
        raise Fault(f"`{called}` imports torch", "work shapes and costs out in plain Python; import torch in `lower`")
