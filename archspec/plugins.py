"""Plugins: names that installed distributions bring, found by entry points and imported only when they are named.

A registry holds the names of one kind, such as ops: the built-in ones, those of installed distributions, and those
added for a while from a file or by Python code. One name from two sides is an error that names both.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import MappingProxyType
from typing import Generic, TypeVar

from archspec.errors import PluginError, nearest

API = 1
"""Version of what plugins rely on; docs/plugins.md lists what that is."""
MARK = "archspec.plugin"
"""The entry-point group in which a distribution says for which version it is written: `api-1 = "its_package"`."""
GROUPS = {
    "op": "archspec.blocks",
    "shape": "archspec.shapes",
    "initializer": "archspec.initializers",
    "pass": "archspec.passes",
    "view": "archspec.views",
    "folder of specs": "archspec.specs",
    "dataset": "archspec.datasets",
    "order": "archspec.orders",
    "transform": "archspec.transforms",
    "mix": "archspec.mixes",
    "loss": "archspec.losses",
    "metric": "archspec.metrics",
    "optimizer": "archspec.optimizers",
    "schedule": "archspec.schedules",
    "average": "archspec.averages",
    "protocol": "archspec.protocols",
    "logger": "archspec.loggers",
}
"""What a plugin can bring, and the entry-point group for it."""

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Provider:
    """Who brings a name: a distribution with its version, or a file."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def built_in() -> Provider:
    """archspec itself."""
    from archspec import __distribution__, __version__

    return Provider(__distribution__, __version__)


@cache
def installed() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Entry-point group -> its entries in all installed distributions, sorted; archspec's groups only."""
    found: dict[str, list[EntryPoint]] = {}
    seen = set()
    for distribution in distributions():
        try:
            points = [point for point in distribution.entry_points if point.group.startswith("archspec.")]
        except Exception:  # one whose metadata cannot be read must not cost the others theirs
            continue
        if points and (owner := provider(points[0]).name) not in seen:  # of two copies, the first on the path counts
            seen.add(owner)
            for point in points:
                found.setdefault(point.group, []).append(point)
    return {group: tuple(sorted(points, key=lambda p: (p.name, provider(p).name))) for group, points in found.items()}


def provider(point: EntryPoint) -> Provider:
    """The distribution that an entry point belongs to."""
    return _owner(point.dist) if point.dist is not None else NAMELESS


NAMELESS = Provider("a distribution without a name")


@cache
def _owner(distribution: Distribution) -> Provider:
    """A distribution's name and version, from the head of its metadata: parsing all of it takes ten times as long."""
    head = (distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or "").partition("\n\n")[0]
    found = dict(re.findall(r"^(Name|Version):[ \t]*(\S+)", head, re.MULTILINE))
    return Provider(found["Name"], found.get("Version", "")) if "Name" in found else NAMELESS


def wanted_api(distribution: str) -> int:
    """The version of the plugin API that a distribution is written for; 1 where it does not say."""
    for point in installed().get(MARK, ()):
        if provider(point).name == distribution and (found := re.fullmatch(r"api-(\d+)", point.name)):
            return int(found[1])
    return 1


def subclass_of(base: type, attribute: str) -> Callable[[str, object], str]:
    """A check of objects: why one is no subclass of a base that has its own name as an attribute, or nothing."""

    def refusal(name: str, found: object) -> str:
        if not isinstance(found, type) or not issubclass(found, base):
            return f"is no subclass of {base.__module__}.{base.__qualname__}: {found!r}"
        own = getattr(found, attribute)
        return "" if own == name else f"has the {attribute} `{own}`: its class and the entry point must agree"

    return refusal


def load(noun: str, point: EntryPoint, refusal: Callable[[str, object], str]) -> object:
    """What an entry point stands for, imported. `refusal` says why an object is not of its kind, or nothing.

    Errors: PluginError if the plugin is for another version, cannot be imported, or the object is refused
    """
    owner = provider(point)
    what = f"{noun} `{point.name}` is of {owner}"
    api = wanted_api(owner.name)
    if api != API:
        message = f"{what}, which is written for version {api} of the plugin API; {built_in()} has version {API}"
        newer = built_in().name if api > API else owner.name
        raise PluginError("incompatible-plugin", message, f"pip install -U {newer}")
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints is no part of a command's output
            found = point.load()
    except (Exception, SystemExit) as error:
        message = f"{what}, which cannot be imported: {type(error).__name__}: {error}".rstrip(": ")
        hint = "--debug shows its traceback; `archspec plugins` checks every plugin"
        raise PluginError("broken-plugin", message, hint) from error
    if reason := refusal(point.name, found):
        message = f"{what}, where `{point.value}` {reason}"
        raise PluginError("broken-plugin", message, f"a mistake of {owner.name}: tell its authors")
    return found


def went_wrong(what: str, error: BaseException) -> PluginError:
    """What to say when code of a plugin raises what it should not."""
    message = f"{what} went wrong: {type(error).__name__}: {error}".rstrip(": ")
    return PluginError("broken-plugin", message, "a mistake in its code; --debug shows the traceback")


def folder(point: EntryPoint) -> Path | None:
    """The folder that an entry point names, as package.folder; its package is not imported. None if there is none."""
    package, *inside = point.value.split(".")
    from importlib.util import find_spec

    try:
        found = find_spec(package)
    except (ImportError, ValueError):
        return None
    places = [Path(place).joinpath(*inside) for place in (found.submodule_search_locations or ())] if found else []
    return next((place for place in places if place.is_dir()), None)


@cache
def known() -> Mapping[str, Mapping[str, list[str]]]:
    """What well-known plugins bring, installed or not: distribution -> kind -> names. No network is asked."""
    import json

    found: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_name("known_plugins.json").read_bytes())
    return found


def known_home(noun: str, name: str) -> str:
    """A hint that names the well-known plugin which has something of this name; or nothing."""
    home = _homes(noun).get(name)
    return f"`{name}` comes with the plugin {_install(home)}" if home else ""


def known_near(noun: str, name: str) -> str:
    """A hint that names something of a well-known plugin whose name is nearly this; or nothing."""
    homes = _homes(noun)
    near = nearest(name, homes)
    return f"did you mean `{near}` of the plugin {_install(homes[near])}" if near else ""


def _homes(noun: str) -> dict[str, str]:
    """Name -> well-known plugin, for one kind."""
    return {name: distribution for distribution, kinds in known().items() for name in kinds.get(noun, ())}


def _install(distribution: str) -> str:
    """How to get a well-known plugin."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{distribution}, newer than the installed {version(distribution)}: pip install -U {distribution}"
    except PackageNotFoundError:
        return f"{distribution}: pip install {distribution}, or in a clone of archspec ./plugins/{distribution}"


class Registry(Mapping[str, Kind], Generic[Kind]):
    """The names of one kind. Iterating gives the built-in names, then those of plugins; nothing is imported by it."""

    def __init__(self, noun: str, builtin: Mapping[str, str], refusal: Callable[[str, object], str]) -> None:
        self.noun, self.group, self.refusal = noun, GROUPS[noun], refusal
        self.builtin = dict(builtin)
        """name -> module:object."""
        self._added: ContextVar[Mapping[str, tuple[Kind, Provider]]] = ContextVar(
            self.group, default=MappingProxyType({})
        )
        self._loaded: dict[str, Kind] = {}

    def __iter__(self) -> Iterator[str]:
        names = [*self.builtin, *(point.name for point in self.points()), *self._added.get()]
        return iter(dict.fromkeys(names))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self.builtin or name in self._added.get() or any(point.name == name for point in self.points())

    def __getitem__(self, name: str) -> Kind:
        """What a name stands for. Errors: KeyError if nothing has it, PluginError if it cannot be had"""
        if name in self._added.get():
            return self._added.get()[name][0]
        if name not in self._loaded:
            providers = self.providers(name)
            if not providers:
                raise KeyError(name)
            if len(providers) > 1:
                message = f"{self.noun} `{name}` is provided by both {' and '.join(map(str, providers))}"
                plugins = [owner.name for owner in providers if owner != built_in()]
                raise PluginError("name-clash", message, f"pip uninstall {' or '.join(plugins)}")
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def points(self) -> tuple[EntryPoint, ...]:
        """The entry points of this kind."""
        return installed().get(self.group, ())

    def providers(self, name: str) -> tuple[Provider, ...]:
        """Who brings a name; more than one is a clash."""
        found = [built_in()] if name in self.builtin else []
        found += [provider(point) for point in self.points() if point.name == name]
        return tuple([*found, self._added.get()[name][1]] if name in self._added.get() else found)

    def working(self) -> tuple[dict[str, Kind], list[PluginError]]:
        """Everything that can be had, by name, and why the rest cannot."""
        found, errors = {}, []
        for name in self:
            try:
                found[name] = self[name]
            except PluginError as error:
                errors.append(error)
        return found, errors

    def add(self, objects: Mapping[str, Kind], owner: Provider) -> None:
        """Add names for as long as the present context lives. Errors: PluginError if a name is taken"""
        added = dict(self._added.get())
        for name, found in objects.items():
            if taken := self.providers(name):
                if name in added and added[name][0] is found:
                    continue
                message = f"{self.noun} `{name}` is provided by both {taken[0]} and {owner}"
                raise PluginError("name-clash", message, f"rename it in {owner.name}")
            added[name] = (found, owner)
        self._added.set(added)

    @contextmanager
    def extended(self, objects: Mapping[str, Kind], owner: Provider) -> Iterator[None]:
        """More names while the context lasts. Errors: PluginError if a name is taken"""
        before = self._added.get()
        self.add(objects, owner)
        try:
            yield
        finally:
            self._added.set(before)

    def forget(self) -> None:
        """Look at what is installed again: for tests, and for notebooks after a `pip install`."""
        installed.cache_clear()
        self._loaded.clear()

    def _load(self, name: str) -> Kind:
        if name in self.builtin:
            module, _, attribute = self.builtin[name].partition(":")
            found: Kind = getattr(import_module(module), attribute)
            return found
        (point,) = (point for point in self.points() if point.name == name)
        return load(self.noun, point, self.refusal)  # type: ignore[return-value]
