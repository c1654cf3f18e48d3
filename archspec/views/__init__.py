"""What archspec shows of networks without torch; `VIEWS` are those that `archspec view` knows by name."""

from __future__ import annotations

from archspec.plugins import Registry
from archspec.view import View

BUILT_IN = {
    "memory": "archspec.views.memory:MemoryView",
}
"""name -> module:class."""


def refusal(name: str, found: object) -> str:
    """Why an object is not the view of a name, or nothing."""
    if not isinstance(found, type) or not issubclass(found, View):
        return f"is no view: it must be a subclass of archspec.view.View, found {found!r}"
    return "" if found.name == name else f"has the name `{found.name}`: its class and the entry point must agree"


VIEWS: Registry[type[View]] = Registry("view", BUILT_IN, refusal)
"""name -> class: built-in, or of plugins."""
