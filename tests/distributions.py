"""Distributions that look installed: metadata and modules in a folder on the path."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path


def install(
    site: Path, name: str, groups: Mapping[str, Mapping[str, str]], files: Mapping[str, str], version: str = "1.0"
) -> None:
    """A distribution with these entry points and files, as pip would leave it."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = [
        line
        for group, entries in groups.items()
        for line in (f"[archspec.{group}]", *(f"{key} = {value}" for key, value in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(points) + "\n")
    for file, text in files.items():
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(textwrap.dedent(text).lstrip())


def double(op: str, name: str = "Double") -> str:
    """The source of a block that doubles its input."""
    return f'''
        """A block."""

        from archspec.block import Primitive
        from archspec.tensor import Shape


        class {name}(Primitive, op="{op}"):
            """Twice the input.

            Shape:  any, unchanged
            """

            def infer(self, x: Shape) -> Shape:
                return x

            def lower(self, fx, x):
                import torch

                return fx.function(torch.mul, x, 2)
    '''


def spec(layers: str, inputs: str = "{image: [3, 8, 8]}", more: str = "", out: str = "last") -> str:
    """The text of a spec."""
    body = textwrap.indent(layers, "  ")
    return f"archspec: 1\nname: net\n{more}\ninputs: {inputs}\nlayers:\n{body}\noutputs: {{y: {out}}}\n"
