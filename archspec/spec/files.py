"""Finding and joining the files of a spec: by path, or from the zoo and plugins by name; `extends` and `use`.

A spec may read files of its own folder tree, of the zoo and of installed plugins, nothing else.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from archspec.errors import PluginError, Position, Problem, Source, SpecError, did_you_mean
from archspec.plugins import known_home, known_near
from archspec.spec.document import LIBRARY_SECTIONS, SECTIONS, Spec, check_header, parse_spec
from archspec.spec.edit import edited
from archspec.spec.params import TYPES
from archspec.spec.pause import no_collection
from archspec.spec.reader import MAX_BYTES, Mapping, Scalar, Sequence, Value, decode, plain, read
from archspec.spec.requirements import check_requirements
from archspec.spec.shelves import on_shelf, shelves, spec_names

JOINED = ("params", "let", "blocks", "inputs")
"""Sections in which a child's entries join its parent's; every other section replaces the parent's."""


def load(name: str | os.PathLike[str] | None = None, *, text: str | None = None) -> Spec:
    """The spec of a path, of a name from the zoo, of standard input (`-`), or of a text.

    Mistakes of form are kept in the spec's `problems` for the compiler to tell together with its own.
    Errors: SpecError if no spec can be made of it at all
    """
    problems: list[Problem] = []
    if text is not None:
        source, folder = Source("<text>", text), None
    else:
        source, folder = _open(os.fspath(name) if name is not None else "-")
    opened = [Path(source.name).resolve()] if text is None and folder is not None else []
    joiner = _Joiner(folder, problems, opened)
    with no_collection():
        spec = parse_spec(joiner.join(source, folder), problems)
    spec.removed = joiner.removed
    return spec


def is_path(name: str) -> bool:
    return "/" in name or os.sep in name or name.endswith((".yaml", ".yml"))


def _open(name: str) -> tuple[Source, Path | None]:
    """The text a user names, and the folder it may read from."""
    if name == "-":
        return decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>"), None
    if is_path(name):
        path = Path(name)
        return read_file(path, name), path.parent
    try:
        found = on_shelf(f"{name}.yaml")
    except PluginError as error:
        raise SpecError([error.problem()]) from error
    if found is None:
        hint = f"to name a file, write ./{name}" if Path(name).exists() else _missing_spec(name)
        raise SpecError([Problem("missing-file", f"{name}: no spec of this name in the zoo", hint=hint)])
    shelf, path = found
    return read_file(path, display(path)), shelf.folder


def _missing_spec(name: str) -> str:
    """A hint: the known plugin that has a spec, or names that are near."""
    names = spec_names()
    near = did_you_mean(name, names) or known_near("spec", name)
    return known_home("spec", name) or near or did_you_mean(name, names, "the zoo")


def display(path: Path) -> str:
    """A path as a user would type it from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_file(path: Path, name: str, what: str = "spec") -> Source:
    """The text of a spec or a recipe, under the name the user knows it by. Errors: SpecError"""
    try:
        with path.open("rb") as file:
            return decode(file.read(MAX_BYTES + 1), name, what)
    except FileNotFoundError:
        siblings = [str(path.parent / entry) for entry in _listing(path.parent)]
        hint = did_you_mean(name, siblings) or did_you_mean(path.stem, spec_names() if what == "spec" else [])
        raise SpecError([Problem("missing-file", f"{name}: no such file", hint=hint)]) from None
    except IsADirectoryError:
        inside = [entry for entry in _listing(path) if entry.endswith(".yaml")]
        hint = f"it holds {', '.join(inside[:5])}" if inside else ""
        raise SpecError([Problem("not-a-file", f"{name}: this is a folder, not a {what}", hint=hint)]) from None
    except OSError as error:
        raise SpecError([Problem("missing-file", f"{name}: {(error.strerror or str(error)).lower()}")]) from None


def _listing(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:1000]
    except OSError:
        return []


@dataclass
class _Joiner:
    """Joins a spec with what it extends and uses."""

    folder: Path | None
    """The user's folder tree; None for a text, which may read from the zoo and plugins only."""
    problems: list[Problem]
    open: list[Path] = field(default_factory=list)
    removed: dict[str, Position] = field(default_factory=dict)
    """Names of layers that an `edit` removed, and where it stands."""

    def join(self, source: Source, folder: Path | None) -> Mapping:
        """The mapping of a spec in which `extends` and `use` are worked in."""
        root = check_header(read(source), SECTIONS, "a spec", self.problems)
        used = self._used(root, folder)
        own = root.get("blocks")
        if isinstance(own, Mapping):
            for name in used.entries.keys() & own.entries.keys():
                key, first = own.entries[name][0], used.entries[name][0].position
                message = f"block `{name}` is also defined in {first.source.name} (line {first.line}), which is used"
                self.problems.append(Problem("duplicate-name", message, key.position, hint="rename one"))
            root.entries["blocks"] = (root.entries["blocks"][0], joined(used, own))
        elif own is None and used.entries:
            root.entries["blocks"] = (Scalar(used.position, "blocks", "blocks", True), used)
        parent, edit = root.entries.pop("extends", None), root.entries.pop("edit", None)
        root.entries.pop("use", None)
        check_requirements(root.get("requires"), self.problems)
        if parent is None:
            if edit is not None:
                message = "`edit` changes the spec that `extends` names, and this spec extends none"
                self.problems.append(Problem("bad-edit", message, edit[0].position))
            return root
        opened = self._follow(parent[1], folder, "extends")
        if not opened:
            return root
        child = _child_of(self.join(*opened), root)
        return edited(child, edit[1], self.problems, self.removed) if edit is not None else child

    def _used(self, root: Mapping, folder: Path | None) -> Mapping:
        found = Mapping(root.position, {})
        section = root.get("use")
        if section is None:
            return found
        items = section.items if isinstance(section, Sequence) else [section]
        for item in items:
            opened = self._follow(item, folder, "use")
            if opened is None:
                continue
            for name, entry in self._library(*opened).entries.items():
                if name in found.entries and found.entries[name][0].position != entry[0].position:
                    first = found.entries[name][0].position
                    message = f"block `{name}` is defined both in {first} and in {entry[0].position}"
                    self.problems.append(Problem("duplicate-name", message, item.position, hint="rename one"))
                found.entries[name] = entry
            self.open.pop()
        return found

    def _library(self, source: Source, folder: Path | None) -> Mapping:
        root = check_header(read(source), LIBRARY_SECTIONS, "a library of blocks", self.problems)
        check_requirements(root.get("requires"), self.problems)
        blocks = root.get("blocks")
        if not isinstance(blocks, Mapping):
            raise SpecError([Problem("missing-section", "a library of blocks needs `blocks`", root.position)])
        return joined(self._used(root, folder), blocks)

    def _follow(self, value: Value, folder: Path | None, what: str) -> tuple[Source, Path] | None:
        """The file that `extends` or `use` names, looked for beside the spec and then in the zoo."""
        if not isinstance(value, Scalar) or not isinstance(value.value, str) or not value.text:
            self.problems.append(Problem("bad-section", f"`{what}` names a file", value.position))
            return None
        name = value.text if is_path(value.text) else f"{value.text}.yaml"
        try:
            path = self._find(name, folder)
        except PluginError as error:
            self.problems.append(error.problem(value.position))
            return None
        if path is None:
            names = spec_names()
            exact = known_home("spec" if what == "extends" else "library", value.text)
            hint = exact or did_you_mean(value.text, [*names, *(f"{known}.yaml" for known in names)])
            message = f"`{what}` names {value.text}, which is neither beside this spec nor in the zoo"
            self.problems.append(Problem("missing-file", message, value.position, hint=hint))
            return None
        real = path.resolve()
        allowed = [self.folder.resolve()] if self.folder is not None else []
        allowed += [shelf.folder.resolve() for shelf in shelves()]
        if not any(real.is_relative_to(base) for base in allowed):
            message = f"`{what}` names {value.text}, outside the spec's folder"
            self.problems.append(Problem("outside-folder", message, value.position, hint="copy it beside the spec"))
            return None
        if real in self.open or len(self.open) > 20:
            chain = " -> ".join(display(opened) for opened in [*self.open, real])
            raise SpecError([Problem("extends-cycle", f"`{what}` comes back to itself: {chain}", value.position)])
        self.open.append(real)
        return read_file(path, display(path)), path.parent

    def _find(self, name: str, folder: Path | None) -> Path | None:
        """A file beside the spec, else in the zoo or a plugin. Errors: PluginError if two of these have it"""
        if folder is not None and (folder / name).is_file():
            return folder / name
        found = on_shelf(name)
        return found[1] if found else None


def joined(first: Mapping, second: Mapping) -> Mapping:
    """Entries of both, the second's winning in the first's place."""
    return Mapping(second.position, first.entries | second.entries, first.size + second.size)


def _child_of(parent: Mapping, child: Mapping) -> Mapping:
    """A spec that extends another."""
    entries = {name: entry for name, entry in parent.entries.items() if name != "expect"}
    for section, (key, value) in child.entries.items():
        inherited = parent.get(section)
        if section in JOINED and isinstance(inherited, Mapping) and isinstance(value, Mapping):
            if section == "params":
                value = _with_defaults(inherited, value)
            value = joined(inherited, value)
        entries[section] = (key, value)
    return Mapping(child.position, entries, parent.size + child.size)


def _with_defaults(parent: Mapping, child: Mapping) -> Mapping:
    """A child's params, where a bare default keeps the parent's choices, limits and doc."""
    entries = {}
    for name, (key, value) in child.entries.items():
        inherited = parent.get(name)
        bare_default = not isinstance(value, Mapping) and plain(value) not in TYPES
        if isinstance(inherited, Mapping) and bare_default:
            default = (Scalar(key.position, "default", "default", True), value)
            value = Mapping(value.position, inherited.entries | {"default": default}, inherited.size + 2)
        entries[name] = (key, value)
    return Mapping(child.position, entries, child.size)
