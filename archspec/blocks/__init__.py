"""The built-in vocabulary, one block per file; `archspec.registry` lists them."""
