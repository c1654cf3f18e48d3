"""archspec view"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from archspec.cli.options import Chosen, WeightsOptions, spec_options, weights_options

if TYPE_CHECKING:
    from torch import nn

    from archspec.graph.graph import Graph
    from archspec.view import Report, View


@dataclass(frozen=True)
class _Subject:
    """The network of a command line, built when its module is asked for."""

    graph: Graph
    seed: int
    weights: WeightsOptions

    def module(self) -> nn.Module:
        from archspec.lowering.build import lower
        from archspec.lowering.weights import put, read_weights

        loaded = read_weights(self.graph, self.weights.file, *self.weights.about()) if self.weights.file else None
        module = lower(self.graph, self.seed)
        if loaded:
            put(module, loaded)
        return module


@click.command()
@click.argument("view", metavar="[VIEW]", required=False)
@click.argument("spec", required=False)
@spec_options(passes=True, outputs=True)
@click.option("--option", "-o", "options", multiple=True, metavar="NAME=VALUE", help="An option of the view.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first parameter values.")
@weights_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="File for the picture, SVG.")
def view(
    view: str | None,
    spec: str | None,
    chosen: Chosen,
    options: tuple[str, ...],
    seed: int,
    weights: WeightsOptions,
    as_json: bool,
    out: str | None,
) -> None:
    """Show a network by a VIEW: `memory`, or one that a plugin brings.

    Without SPEC, the options of the view; without VIEW too, the views that are installed.
    """
    import json
    import shutil
    import sys
    from pathlib import Path

    if view is None or spec is None:
        from archspec.views.listing import fitted
        from archspec.views.vocabulary import view_page, views_table

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in (views_table() if view is None else view_page(view, _class(view))).splitlines():
            click.echo(fitted(line, width))
        return
    made = _view(view, options)
    report = _shown(made, _Subject(chosen.compile(spec), seed, weights))
    if out is not None:
        if not report.svg:
            raise click.UsageError(f"the view `{view}` has no picture for --out")
        from archspec.file import write_file

        write_file(Path(out), report.svg.encode())
    click.echo(json.dumps(report.data, indent=1) if as_json else report.text)
    if out is not None:
        click.echo(f"wrote {out}", err=as_json)


def _shown(view: View, subject: _Subject) -> Report:
    """What a view says. Errors: PluginError if its code goes wrong"""
    from archspec.errors import ArchspecError, PluginError
    from archspec.plugins import went_wrong
    from archspec.view import Report
    from archspec.views import VIEWS

    owner = VIEWS.providers(view.name)[0]
    try:
        found = view.show(subject)
    except ArchspecError:
        raise
    except Exception as error:
        raise went_wrong(f"the view `{view.name}` of {owner}", error) from error
    if not isinstance(found, Report):
        message = f"the view `{view.name}` of {owner} gives {found!r}, expected a Report"
        raise PluginError("broken-plugin", message, "return archspec.view.Report(text, data, svg)")
    return found


def _class(name: str) -> type[View]:
    """The class of a view. Errors: SpecError"""
    from archspec.errors import PluginError, Problem, SpecError, did_you_mean
    from archspec.plugins import known_home
    from archspec.views import VIEWS

    try:
        return VIEWS[name]
    except KeyError:
        hint = known_home("view", name) or did_you_mean(name, VIEWS, "views")
        raise SpecError([Problem("unknown-view", f"there is no view `{name}`", hint=hint)]) from None
    except PluginError as error:
        raise SpecError([error.problem()]) from error


def _view(name: str, options: tuple[str, ...]) -> View:
    """The view with its options. Errors: SpecError"""
    from archspec.errors import Position, Problem, Source, SpecError
    from archspec.spec.validation import validated

    given: dict[str, Any] = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"write --option NAME=VALUE, found {text!r}", param_hint="--option")
        given[key] = _value(value)
    problems: list[Problem] = []
    at = Position(Source("--option", ""), 1, 1)
    made = validated(_class(name), given, None, at, name, problems)
    if made is None:
        hint = f"`archspec view {name}` lists its options"
        raise SpecError([Problem(p.slug, f"--option: {p.message}", hint=hint) for p in problems])
    return made


def _value(text: str) -> Any:
    """A value as typed: YAML, or a text where it is none, such as a glob that begins with `*`."""
    from archspec.errors import Source, SpecError
    from archspec.spec.reader import plain, read

    try:
        return plain(read(Source("--option", text))) if text.strip() else None
    except SpecError:
        return text
