"""The way in of both commands, `archspec` and `archspec-nn`.

Another distribution, Spack's `archspec`, installs a package and a command of the same names. pip merges the two
without a word, and removing either breaks the other. This module has a name of its own, so it is still there to
notice the clash and to say how to mend it.
"""

from __future__ import annotations

import gc
import os
import sys

MEND = """\
  to mend it:  pip uninstall archspec archspec-nn
               pip install archspec-nn
  to have both, put them in two virtual environments"""


def clash() -> str:
    """What is wrong with the installed `archspec` package, or nothing."""
    gone = "the package `archspec` is gone: removing Spack's `archspec` took files of archspec-nn with it"
    try:
        import archspec
    except ImportError:
        return gone
    if archspec.__file__ is None:
        return gone
    if getattr(archspec, "__distribution__", "") != "archspec-nn":
        return "Spack's `archspec` (a library about processors) has taken the place of archspec-nn's package"
    folder = os.path.dirname(archspec.__file__)
    if os.path.exists(os.path.join(folder, "cpu", "microarchitecture.py")):
        return "Spack's `archspec` (a library about processors) is installed into the same folder as archspec-nn"
    try:
        import archspec.cli.app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("archspec"):
            return "files of archspec-nn are missing"
        raise
    return ""


def main() -> None:
    # A command makes many objects that live to its end: collecting often would only cost start-up time.
    gc.set_threshold(200_000, 30, 30)
    # Plugins of Pydantic watch validation in other programs; looking for them costs as much as looking for our own.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    found = clash()
    if found:
        print(f"archspec-nn: {found}\n{MEND}", file=sys.stderr)
        sys.exit(1)
    from archspec.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
