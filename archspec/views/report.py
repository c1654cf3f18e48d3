"""What a report says of runs: their numbers beside those of the papers, their settings side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from archspec.api_free import compile_named
from archspec.errors import ArchspecError, RunError, SpecError
from archspec.graph.canonical import spec_hash
from archspec.graph.graph import Graph
from archspec.length import Length
from archspec.part import Schedule
from archspec.recipe.document import Loaded, Recipe, Reported, data_of
from archspec.recipe.files import load_recipe, recipe_names
from archspec.recipe.tree import Assumption
from archspec.spec.reader import shown
from archspec.views.runs import RunRead, is_run, read_run, run_data
