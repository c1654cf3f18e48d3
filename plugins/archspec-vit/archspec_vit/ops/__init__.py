"""Functions and modules in plain torch that torch itself does not have; each file imports only torch."""
