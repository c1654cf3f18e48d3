"""The views, each a file. Nothing here imports torch before a view is shown."""
