"""The index of known plugins says what the packages in `plugins/` bring. `pytest --regenerate` writes it anew."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import yaml

from archspec.plugins import GROUPS, known

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "archspec" / "known_plugins.json"


def brought(package: Path) -> dict[str, object]:
    """What a package brings, from its metadata and its folder of specs."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]
    found: dict[str, object] = {"about": project["description"]}
    for noun, group in GROUPS.items():
        if group in points and noun != "folder of specs":
            found[noun] = sorted(points[group])
    for folder in points.get(GROUPS["folder of specs"], {}).values():
        shelf = package.joinpath(*folder.split("."))
        found["spec"] = sorted(path.stem for path in shelf.glob("*.yaml"))
        libraries = sorted(shelf.glob("*/*.yaml"))
        if libraries:
            found["library"] = [str(path.relative_to(shelf)) for path in libraries]
            blocks = [name for path in libraries for name in yaml.safe_load(path.read_text())["blocks"]]
            found["block"] = sorted(blocks)
    return found


def packages() -> list[Path]:
    return sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def test_the_index_says_what_the_packages_bring(regenerate: bool) -> None:
    expected = {package.name: brought(package) for package in packages()}
    if regenerate:
        INDEX.write_text(json.dumps(expected, indent=1) + "\n")
        known.cache_clear()
    assert known() == expected


def test_every_package_is_for_this_api_and_in_the_docs() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text() + (ROOT / "README.md").read_text()
    for package in packages():
        points = tomllib.loads((package / "pyproject.toml").read_text())["project"]["entry-points"]
        assert list(points["archspec.plugin"]) == ["api-1"]
        assert text.count(f"`{package.name}`") == 2, package.name


def test_names_are_brought_once() -> None:
    """Packages of ours can be installed together."""
    for noun in ("op", "shape", "initializer", "pass", "view", "spec", "library"):
        names = [name for package in packages() for name in brought(package).get(noun, [])]  # type: ignore[attr-defined]
        assert len(names) == len(set(names)), noun
