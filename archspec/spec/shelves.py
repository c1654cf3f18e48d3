"""Where specs and libraries of blocks stand that can be named without a path: the zoo, and folders of plugins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archspec.errors import PluginError
from archspec.plugins import GROUPS, Provider, built_in, folder, installed, provider


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


def library_of(block: str) -> str:
    """The library on a shelf that defines a block, as `use` names it; or nothing."""
    from archspec.errors import ArchspecError
    from archspec.spec.reader import Mapping, decode, read

    for shelf in shelves():
        for path in sorted(shelf.folder.glob("*/*.yaml")):
            try:
                root = read(decode(path.read_bytes(), str(path)))
            except (ArchspecError, OSError):
                continue
            blocks = root.get("blocks") if isinstance(root, Mapping) else None
            if isinstance(blocks, Mapping) and blocks.get(block) is not None:
                return str(path.relative_to(shelf.folder))
    return ""
