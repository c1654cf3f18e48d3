"""The passes, each a file."""
