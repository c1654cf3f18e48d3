"""The installed plugins: what each brings, and whether it is healthy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archspec import plugins
from archspec.errors import PluginError, SpecError
from archspec.graph.compile import compile
from archspec.graph.passes import PASSES
from archspec.initializers import INITIALIZERS
from archspec.plugins import API, GROUPS, MARK, Provider, Registry, provider
from archspec.recipe.files import FOLDER, load_recipe
from archspec.registry import BLOCKS, RECIPE_PARTS
from archspec.spec.files import load
from archspec.spec.shelves import Shelf, libraries, shelves
from archspec.tensor import SHAPES
from archspec.views import VIEWS
from archspec.views.values import wrapped
from archspec.views.vocabulary import trouble_with

OF_SPECS: tuple[Registry[Any], ...] = (BLOCKS, SHAPES, INITIALIZERS, PASSES, VIEWS)
REGISTRIES: dict[str, Registry[Any]] = {registry.noun: registry for registry in OF_SPECS} | RECIPE_PARTS
PLURALS = {"pass": "passes", "loss": "losses", "mix": "mixes"}


def plugin_data() -> list[dict[str, Any]]:
    """Every installed plugin: name, version, api, what it provides by kind, and its problems."""
    owners = sorted({provider(point) for points in plugins.installed().values() for point in points}, key=str)
    return [_plugin(owner) for owner in owners]


def _plugin(owner: Provider) -> dict[str, Any]:
    provides: dict[str, list[str]] = {}
    problems: list[str] = []
    for noun, registry in REGISTRIES.items():
        names = [point.name for point in registry.points() if provider(point) == owner]
        if names:
            provides[PLURALS.get(noun, f"{noun}s")] = names
            problems += [problem for name in names if (problem := _problem(registry, name))]
    mine = [shelf for shelf in shelves() if shelf.owner == owner]
    for shelf in mine:
        provides.setdefault("specs", []).extend(shelf.specs)
        problems += _spec_problems(shelf)
        if recipes := sorted((shelf.folder / FOLDER).glob("*.yaml")):
            provides.setdefault("recipes", []).extend(path.stem for path in recipes)
            problems += _recipe_problems(recipes)
    found = [library for library in libraries() if library.owner == owner]
    if found:
        provides["libraries"] = [f"{library.path} ({', '.join(library.blocks)})" for library in found]
    problems += _missing_folders(owner, mine)
    for group, points in plugins.installed().items():
        names = [point.name for point in points if provider(point) == owner]
        if names and group not in (MARK, *GROUPS.values()):
            provides[f"{group} (not of this version)"] = names
    api = plugins.wanted_api(owner.name)
    if api != API and not problems:
        problems.append(f"it is written for version {api} of the plugin API; this archspec has version {API}")
    return {"name": owner.name, "version": owner.version, "api": api, "provides": provides, "problems": problems}


def _problem(registry: Registry[Any], name: str) -> str:
    """What is wrong with one name, or nothing."""
    try:
        registry[name]
    except PluginError as error:
        return error.message
    return trouble_with(name) if registry is BLOCKS else ""


def _spec_problems(shelf: Shelf) -> Iterator[str]:
    for name in shelf.specs:
        try:
            compile(load(shelf.folder / f"{name}.yaml"))
        except SpecError as error:
            yield f"spec `{name}`: {error.problems[0].headline}"
        except Exception as error:
            yield f"spec `{name}`: {type(error).__name__}: {error}"


def _recipe_problems(recipes: list[Path]) -> Iterator[str]:
    for path in recipes:
        try:
            load_recipe(path)
        except SpecError as error:
            yield f"recipe `{path.stem}`: {error.problems[0].headline}"


def _missing_folders(owner: Provider, found: list[Shelf]) -> Iterator[str]:
    points = [p for p in plugins.installed().get(GROUPS["folder of specs"], ()) if provider(p) == owner]
    if len(points) > len(found):
        yield f"no folder of specs at {', '.join(point.value for point in points)}"


def plugin_report(data: list[dict[str, Any]]) -> str:
    """The plugins as text, then known ones that are not installed."""
    lines = [] if data else ["no plugins are installed"]
    for plugin in data:
        count = len(plugin["problems"])
        health = "healthy" if not count else "1 problem" if count == 1 else f"{count} problems"
        lines.append(f"{plugin['name']} {plugin['version']}: {health}")
        for kind, names in plugin["provides"].items():
            lines += wrapped(f"  {kind}: {', '.join(names)}")
        for problem in plugin["problems"]:
            lines += wrapped(f"  problem: {problem}")
    others = [name for name in plugins.known() if name not in {plugin["name"] for plugin in data}]
    if others:
        lines += ["", "known, not installed:"]
        lines += [line for name in others for line in wrapped(f"  {name}: {plugins.known()[name]['about']}")]
    return "\n".join(lines)
