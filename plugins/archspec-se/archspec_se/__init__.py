"""Squeeze-and-excitation for archspec: the op `squeeze_excite`, and the specs of the paper's residual networks.

Nothing is exported from here: archspec finds what this package brings by its entry points.
"""
