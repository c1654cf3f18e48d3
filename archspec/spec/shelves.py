"""Where specs and libraries of blocks stand that can be named without a path: the zoo, and folders of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archspec.errors import ArchspecError, PluginError, Problem
from archspec.plugins import GROUPS, Provider, built_in, folder, installed, provider
from archspec.spec.document import LIBRARY_SECTIONS, BlockDefinition, check_header, parse_spec
from archspec.spec.reader import decode, read


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of specs, and who brings it. Specs stand in it, libraries in folders of it."""

    owner: Provider
    folder: Path

    @property
    def specs(self) -> list[str]:
        """Names of its specs."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))


def zoo() -> Path:
    """The folder of the specs that come with archspec."""
    inside = Path(__file__).parents[1] / "specs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "specs"


def zoo_names() -> list[str]:
    """Names of the specs that come with archspec."""
    return Shelf(built_in(), zoo()).specs


def shelves() -> list[Shelf]:
    """The zoo, then the folders of plugins; one that is named but not there is left out."""
    found = [Shelf(built_in(), zoo())]
    for point in installed().get(GROUPS["folder of specs"], ()):
        if place := folder(point):
            found.append(Shelf(provider(point), place))
    return found


def spec_names() -> list[str]:
    """Names of all specs that can be named without a path, each once."""
    return list(dict.fromkeys(name for shelf in shelves() for name in shelf.specs))


def on_shelf(relative: str) -> tuple[Shelf, Path] | None:
    """A file of a shelf by its path there. Errors: PluginError if two shelves have it"""
    found = [(shelf, shelf.folder / relative) for shelf in shelves() if (shelf.folder / relative).is_file()]
    if len(found) > 1:
        owners = [str(shelf.owner) for shelf, _ in found]
        plugins = [shelf.owner.name for shelf, _ in found if shelf.owner != built_in()]
        message = f"{relative} is provided by both {' and '.join(owners)}"
        raise PluginError("name-clash", message, f"pip uninstall {' or '.join(plugins)}, or give a path")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Library:
    """A library of blocks on a shelf."""

    owner: Provider
    path: str
    """As `use` names it."""
    blocks: Mapping[str, BlockDefinition]


def libraries() -> list[Library]:
    """The libraries of all shelves; files that are none, or are wrong, are left out."""
    found = []
    for shelf in shelves():
        for path in sorted(shelf.folder.glob("*/*.yaml")):
            problems: list[Problem] = []
            try:
                root = check_header(read(decode(path.read_bytes(), str(path))), LIBRARY_SECTIONS, "a library", problems)
                blocks = parse_spec(root, []).blocks
            except (ArchspecError, OSError):
                continue
            if blocks and not problems:
                found.append(Library(shelf.owner, str(path.relative_to(shelf.folder)), blocks))
    return found


def library_of(block: str) -> str:
    """The library on a shelf that defines a block, as `use` names it; or nothing."""
    return next((library.path for library in libraries() if block in library.blocks), "")
