"""The block `starter` for archspec."""
