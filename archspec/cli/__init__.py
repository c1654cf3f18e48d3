"""The command line."""

from __future__ import annotations


def main() -> None:
    """The way in that Spack's `archspec` command takes too, once it has overwritten ours: see `archspec_nn`."""
    from archspec_nn import main as run

    run()
