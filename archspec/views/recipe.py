"""A recipe, as it is understood, and what its paper leaves open."""

from __future__ import annotations

from typing import Any

from archspec.recipe.document import Loaded, data_of
from archspec.spec.reader import plain
from archspec.spec.writer import flow, write


def recipe_view(loaded: Loaded) -> str:
    """The recipe as YAML without marks, and below it a line for each value that is assumed."""
    data = _bare(plain(loaded.written))
    data.pop("extends", None)
    lines = [write(data).rstrip()]
    if loaded.assumptions:
        width = max(len(one.path) for one in loaded.assumptions)
        lines += ["", "# not stated by the paper:"]
        lines += [f"#   {one.path:<{width}}  {flow(one.value)}: {one.why}" for one in loaded.assumptions]
    else:
        lines += ["", "# every value is stated by its source"]
    return "\n".join(lines)


def recipe_data(loaded: Loaded) -> dict[str, Any]:
    """The recipe with every default, its hash, and what is assumed."""
    assumed = [{"path": one.path, "value": one.value, "why": one.why} for one in loaded.assumptions]
    return {"recipe": data_of(loaded.recipe), "hash": loaded.recipe.hash, "assumed": assumed}


def _bare(data: Any) -> Any:
    """Data without marks."""
    if isinstance(data, dict):
        return _bare(data["assumed"]) if "assumed" in data else {key: _bare(value) for key, value in data.items()}
    return [_bare(item) for item in data] if isinstance(data, list) else data
