"""Functions in plain torch that torch itself does not have.

Each file stands alone and imports only torch: the standalone `model.py` carries a copy.
"""
