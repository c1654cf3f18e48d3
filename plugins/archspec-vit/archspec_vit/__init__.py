"""The Vision Transformer for archspec: the shape kind `tokens`, the ops on it, and the specs of the paper's networks.

Nothing is exported from here: archspec finds what this package brings by its entry points.
"""
