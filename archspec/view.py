"""The contract of a view: something that is shown of a network, by archspec or by a plugin.

A view's fields are its options. It is given a subject, a network that is built only if it asks for the module, and
returns a report: text for people, data for programs and, where it has one, a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from torch import nn

    from archspec.graph.graph import Graph


@dataclass(frozen=True, slots=True)
class Report:
    """What a view has to say."""

    text: str
    """For people: lines of plain text."""
    data: Any
    """The same for programs: what JSON can hold."""
    svg: str = ""
    """A picture, or nothing."""


class Subject(Protocol):
    """The network that is looked at."""

    @property
    def graph(self) -> Graph: ...

    def module(self) -> nn.Module:
        """The network built, in training mode, each time anew; with weights where these were given."""


class View(BaseModel):
    """Shows something of a network."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    name: ClassVar[str] = ""

    def __init_subclass__(cls, name: str = "", **kwargs: object) -> None:
        cls.name = name or cls.name

    def show(self, subject: Subject) -> Report:
        """Errors: ArchspecError if it cannot be shown"""
        raise NotImplementedError
