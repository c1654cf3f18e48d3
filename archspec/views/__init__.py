"""What archspec shows of networks without torch; `VIEWS` are those that `archspec view` knows by name."""

from __future__ import annotations

from archspec.plugins import Registry, subclass_of
from archspec.view import View

BUILT_IN = {
    "memory": "archspec.views.memory:MemoryView",
}
"""name -> module:class."""


VIEWS: Registry[type[View]] = Registry("view", BUILT_IN, subclass_of(View, "name"))
"""name -> class: built-in, or of plugins."""
