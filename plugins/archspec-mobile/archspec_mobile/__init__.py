"""Networks for mobile devices for archspec, written in YAML alone: a library of blocks, and specs.

Nothing is exported from here: archspec finds the folder `specs` by this package's entry point.
"""
