"""Runs as a page to read: one HTML file that holds all it needs, asks for nothing, and needs no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from importlib.resources import files
from typing import Any

from archspec import __version__
from archspec.drawing.chart import COLOURS, Chart, Curve, Mark, draw, symbol, thinned
from archspec.drawing.svg import escaped, printable
from archspec.views.listing import short
from archspec.views.report import Beside, Ours, Report, Row, RunShown, setting_text
from archspec.views.runs import state_text, steps_text, value_text, written_text

MOST_RATES = 8
"""So many learning rates are steps, which a logarithmic axis shows best; more are a smooth curve."""
SIZES = {"wide": (1104.0, 420.0), "middle": (540.0, 340.0), "narrow": (352.0, 280.0)}
"""At which widths a chart is drawn, and how high."""


def report_page(report: Report) -> str:
    """The page of a report."""
    charts = list(charts_of(report))
    text = _asset("report.html")
    parts = {
        "title": escaped(f"{report.title} - archspec report"),
        "style": _asset("report.css") + _colours(),
        "body": "".join(_body(report, charts)),
        "data": _json([_chart_data(chart) for chart in charts]),
        "script": _asset("report.js"),
    }
    for name, part in parts.items():
        before, after = text.split(f"<!--{name}-->")
        text = before + part + after
    return text


def _asset(name: str) -> str:
    return (files("archspec.drawing") / "web" / name).read_text("utf-8")


def _json(data: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever texts are in it."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _colours() -> str:
    """The colours of runs on light and on dark; print is on light."""
    light = "".join(f".c{k}{{--c:{pair[0]}}}" for k, pair in enumerate(COLOURS))
    dark = "".join(f".c{k}{{--c:{pair[1]}}}" for k, pair in enumerate(COLOURS))
    return f"{light}\n@media screen and (prefers-color-scheme: dark){{{dark}}}\n"


# Charts.


def charts_of(report: Report) -> Iterator[Chart]:
    """Errors first, those of training beside those of each protocol that is repeated; then loss and learning rate."""
    measured = [name.removeprefix("train.") for name in report.metrics if name.startswith("train.")]
    for metric in measured:
        if metric == "loss":
            continue
        tests = [name for name in report.metrics if name.endswith(f".{metric}") and not name.startswith("train.")]
        repeated = [name for name in tests if any(len(run.read.curve(name)) > 1 for run in report.runs)]
        for name in repeated:
            shown = tuple(run for run in report.runs if run.read.curve(name))
            title = f"{metric_text(metric)}: {name.partition('.')[0]} (solid) and training (dashed)"
            yield from _chart(report, title, name, shown, beside=f"train.{metric}")
        rest = tuple(run for run in report.runs if not any(run.read.curve(name) for name in repeated))
        if rest:
            yield from _chart(report, f"{metric_text(metric)}: training", f"train.{metric}", rest)
    yield from _chart(report, "Training loss", "train.loss", report.runs)
    yield from _chart(report, "Learning rate", "lr", report.runs)


def metric_text(name: str) -> str:
    """`top1_error` as people write it."""
    text = re.sub(r"^top([0-9]+)_", r"top-\1 ", name).replace("_", " ")
    return text[:1].upper() + text[1:]


def _chart(report: Report, title: str, name: str, runs: Sequence[RunShown], beside: str = "") -> Iterator[Chart]:
    """The chart of a metric, with that of training dashed beside it, unless no run has it."""
    factor = 100.0 if name.endswith("_error") else 1.0
    curves, marks = [], []
    for run in runs:
        number = report.runs.index(run)
        for metric, dashed in ((name, False), (beside, True)):
            points = tuple((float(step), factor * value) for step, value in run.read.curve(metric)) if metric else ()
            if points:
                curves.append(Curve(run.name, number, points, dashed, is_named=len(report.runs) > 1 and not dashed))
    if not curves:
        return
    last = max(x for curve in curves for x, _ in curve.points)
    for moment in sorted({moment for run in runs for moment in run.moments}, key=lambda m: (m.step, m.text)):
        if moment.step <= last:
            marks.append(
                Mark(moment.step, moment.text, tuple(report.runs.index(r) for r in runs if moment in r.moments))
            )
    yield Chart(
        title, tuple(curves), tuple(marks), "%" if factor == 100.0 else "", _is_log(name, curves), _epoch(runs)
    )  # fmt: skip


def _is_log(name: str, curves: Sequence[Curve]) -> bool:
    """Whether values span a decade, where these are a loss or a rate that falls in steps."""
    values = [y for curve in curves for _, y in curve.points]
    for curve in curves if name == "lr" else ():
        rates = {y for _, y in curve.points}
        if len(rates) > min(MOST_RATES, max(1, len(curve.points) // 2)):
            return False
    return name in ("lr", "train.loss") and min(values) > 0 and max(values) >= 10 * min(values)


def _epoch(runs: Sequence[RunShown]) -> Fraction | None:
    """Steps of an epoch, where the runs agree."""
    found = {run.read.steps_per_epoch for run in runs}
    return found.pop() if len(found) == 1 else None


def _chart_data(chart: Chart) -> dict[str, Any]:
    """What the script reads values from."""
    epoch = float(chart.steps_per_epoch) if chart.steps_per_epoch else 0
    curves = [
        {
            "name": printable(curve.name) + (" (training)" if curve.is_dashed else ""),
            "run": curve.run % len(COLOURS),
            "points": [[round(x), float(f"{y:.5g}")] for x, y in thinned(curve.points, 400)],
        }
        for curve in chart.curves
    ]
    return {"unit": chart.unit, "epoch": epoch, "curves": curves}


# The page.


def _body(report: Report, charts: Sequence[Chart]) -> Iterator[str]:
    yield from _heading(report)
    yield from _damage(report)
    yield from _section("Curves", _curves(report, charts))
    yield from _section("Runs", _runs(report))
    if report.beside:
        yield from _section("Beside the papers", _papers(report))
    yield from _section("Settings", _settings(report))
    if report.assumed:
        yield from _section("What the recipes assume", _assumptions(report))
    yield from _section("Environment", _side_by_side(report, report.environment))
    yield f"<footer>archspec-nn {escaped(__version__)}</footer>\n"


def _section(title: str, parts: Iterable[str]) -> Iterator[str]:
    key = title.split()[-1].lower()
    yield f'<section aria-labelledby="{key}">\n<h2 id="{key}">{escaped(title)}</h2>\n'
    yield from parts
    yield "</section>\n"


def _heading(report: Report) -> Iterator[str]:
    specs = ", ".join(dict.fromkeys(run.read.spec or "?" for run in report.runs))
    recipes = ", ".join(dict.fromkeys(run.read.recipe_name or "?" for run in report.runs))
    yield f'<header><p class="eyebrow">Training report</p><h1>{escaped(report.title)}</h1>'
    yield f"<p>{escaped(specs)}, trained by {escaped(recipes)}</p></header>\n"


def _damage(report: Report) -> Iterator[str]:
    told = [(run, text) for run in report.runs for text in (*run.read.damaged, *run.damaged)]
    if told:
        yield '<aside role="note"><strong>Not all could be read</strong><ul>'
        yield from (f"<li>{escaped(run.name)}: {escaped(text)}</li>" for run, text in told)
        yield "</ul></aside>\n"


def _badge(number: int) -> str:
    return f'<svg class="badge" viewBox="0 0 12 12" aria-hidden="true">{symbol(number, 6, 6, 4)}</svg>'


def _named(report: Report, run: str) -> str:
    number = next(k for k, one in enumerate(report.runs) if one.name == run)
    return (f"{_badge(number)} " if len(report.runs) > 1 else "") + escaped(run)


def _curves(report: Report, charts: Sequence[Chart]) -> Iterator[str]:
    if len(report.runs) > 1:
        yield '<ul class="legend">'
        yield from (f"<li>{_named(report, run.name)}</li>" for run in report.runs)
        yield "</ul>\n"
    yield '<div class="charts">\n'
    for place, chart in enumerate(charts):
        is_hero = place == 0
        log = ", logarithmic" if chart.is_log else ""
        yield f'<figure class="chart{" hero" if is_hero else ""}" data-chart="{place}">'
        yield f"<figcaption>{escaped(chart.title + log)}</figcaption>\n"
        for kind, (width, height) in SIZES.items():
            if kind != "wide" or is_hero:
                yield draw(chart, width, height, names=kind != "narrow", kind=kind)
        yield '<div class="told" hidden></div>'
        if chart.top is not None:
            most = max(y for curve in chart.curves for _, y in curve.points)
            yield f'<p class="aside">The first errors, up to {most:.0f} %, are above the plot.</p>'
        yield from _epochs(report, chart)
        yield "</figure>\n"
    yield "</div>\n"


def _epochs(report: Report, chart: Chart) -> Iterator[str]:
    """How long an epoch is, where the runs of a chart do not agree."""
    runs = [report.runs[number] for number in dict.fromkeys(curve.run for curve in chart.curves)]
    if chart.steps_per_epoch is None and any(run.read.steps_per_epoch for run in runs):
        told = [f"{run.name} {float(e):.6g}" for run in runs if (e := run.read.steps_per_epoch)]
        yield f'<p class="aside">Steps in an epoch: {escaped(", ".join(told))}.</p>'


def _cell(label: str, text: str, kind: str = "") -> str:
    held = f' class="{kind}"' if kind else ""
    return f'<td{held} data-label="{escaped(label)}"><div>{text}</div></td>'


def _breakable(name: str) -> str:
    """A name that may go on in the next line behind a dot or an underscore."""
    return escaped(name).replace(".", ".<wbr>").replace("_", "_<wbr>")


def _table(heads: Sequence[str], numbers: set[int], kind: str, rows: Iterable[str]) -> Iterator[str]:
    yield f'<div class="scroll" tabindex="0"><table class="{kind}"><thead><tr>'
    for k, head in enumerate(heads):
        yield f'<th scope="col"{" class=number" if k in numbers else ""}>{_breakable(head)}</th>'
    yield "</tr></thead><tbody>\n"
    yield from rows
    yield "</tbody></table></div>\n"


def _runs(report: Report) -> Iterator[str]:
    heads = ["run", "spec", "params", "MACs", "recipe", "seed", "steps", *report.metrics]
    numbers = {2, 3, 5, 6, *range(7, 7 + len(report.metrics))}

    def row(run: RunShown) -> str:
        read = run.read
        changed = f"<small>changed: {escaped(', '.join(run.changed_sections))}</small>" if run.changed else ""
        state = f"<small>{state_text(read)}</small><small>{written_text(read)}</small>"
        cells = [
            f'<th scope="row">{_named(report, run.name)}</th>',
            _cell("spec", escaped(read.spec or "?"), "whole"),
            _cell("params", _count(run.params), "number"),
            _cell("MACs", _count(run.macs), "number"),
            _cell("recipe", escaped(read.recipe_name or "?") + changed),
            _cell("seed", str(read.recipe.seed) if read.recipe else "?", "number"),
            _cell("steps", escaped(steps_text(read)) + state, "number"),
        ]
        for name in report.metrics:
            value = read.last(name)
            cells.append(_cell(name, "–" if value is None else escaped(value_text(name, value)), "number"))
        return f"<tr>{''.join(cells)}</tr>\n"

    yield from _table(heads, numbers, "cards", map(row, report.runs))


def _count(value: int | None) -> str:
    return "?" if value is None else f'<span title="{value:,}">{short(value)}</span>'


def _papers(report: Report) -> Iterator[str]:
    heads = ["network", "tested on", "protocol", "metric", "paper", "run", "ours", "difference", "notes"]
    rows = (row for one in report.beside for row in _paper_rows(report, one))
    yield from _table(heads, {4, 6, 7}, "cards papers", rows)
    yield '<p class="aside">Errors in per cent, differences in points: ours less the paper’s.</p>\n'


def _paper_rows(report: Report, one: Beside) -> Iterator[str]:
    params = ", ".join(f"{key} {setting_text(value)}" for key, value in one.set.items())
    models = f", {one.models} networks together" if one.models != 1 else ""
    network = escaped(one.spec + (f" ({params})" if params else "") + models)
    theirs = [
        f'<th scope="row">{network}</th>',
        _cell("tested on", escaped(one.data)),
        _cell("protocol", escaped(one.protocol)),
        _cell("metric", escaped(metric_text(one.metric))),
        _cell("paper", f"{one.value:g}" + (f"<small>{escaped(one.note)}</small>" if one.note else ""), "number"),
    ]
    if not one.ours:
        yield f'<tr>{"".join(theirs)}<td colspan="4" class="none">no run here tests this network so</td></tr>\n'
    for place, mine in enumerate(one.ours):
        held = "".join(theirs) if not place else '<td class="again"></td>' * len(theirs)
        yield f"<tr{' class=more' if place else ''}>{held}{_ours(report, mine)}</tr>\n"


def _ours(report: Report, mine: Ours) -> str:
    notes = "".join(f"<li>{escaped(note)}</li>" for note in mine.notes)
    apart = "–" if mine.difference is None else f"{mine.difference:+.2f}".replace("-", "−")
    return "".join(
        [
            _cell("run", _named(report, mine.run)),
            _cell("ours", "–" if mine.value is None else f"{mine.value:.2f}", "number"),
            _cell("difference", apart, "number"),
            _cell("notes", f"<ul>{notes}</ul>" if notes else "", "notes"),
        ]
    )


def _settings(report: Report) -> Iterator[str]:
    yield from _side_by_side(report, report.settings, "Recipe", [("Machine", report.machine)])


def _side_by_side(
    report: Report, rows: Sequence[Row], head: str = "", more: Sequence[tuple[str, Sequence[Row]]] = ()
) -> Iterator[str]:
    """Settings with a column for each run; rows that differ are marked, and may be shown alone."""
    everything = [*rows, *(row for _, others in more for row in others)]
    count, several = sum(row.differs for row in everything), len(report.runs) > 1
    yield '<div class="sides">'
    if several:
        told = f"{count} of {len(everything)} rows differ, marked ≠" if count else "the same in all runs"
        only = '<label><input type="checkbox"> only these</label>' if count else ""
        yield f'<p class="aside">{told[0].upper()}{told[1:]}. {only}</p>'
    yield '<div class="scroll" tabindex="0"><table class="side"><thead><tr><th scope="col">'
    yield f"{escaped(head.lower())}</th>"
    yield from (f'<th scope="col">{_named(report, run.name)}</th>' for run in report.runs)
    yield "</tr></thead>"
    for title, held in [("", rows), *more]:
        yield "<tbody>\n"
        if title:
            yield f'<tr class="title"><th colspan="{len(report.runs) + 1}" scope="rowgroup">{title.lower()}</th></tr>\n'
        yield from map(_side, held)
        yield "</tbody>"
    yield "</table></div></div>\n"


def _side(row: Row) -> str:
    cells = []
    for value, assumed in zip(row.values, row.assumed, strict=True):
        pill = ' <span class="pill">assumed</span>' if assumed else ""
        cells.append(f"<td>{escaped(_abbreviated(row.path, value)) or '–'}{pill}</td>")
    mark = '<span class="mark" title="differs">≠</span>&nbsp;' if row.differs else ""
    head = f'<th scope="row">{mark}{_breakable(row.path)}</th>'
    return f"<tr{' class=differs' if row.differs else ''}>{head}{''.join(cells)}</tr>\n"


def _abbreviated(path: str, value: str) -> str:
    """A value as it is shown: of a hash its beginning."""
    return value[:12] if path.endswith("_hash") else value


def _assumptions(report: Report) -> Iterator[str]:
    for one in report.assumed:
        runs = f" ({', '.join(_named(report, run) for run in one.runs)})" if len(report.runs) > 1 else ""
        yield f"<h3>{escaped(one.recipe)}{runs}</h3>\n"
        if not one.values:
            yield "<p>Every value is stated by its source.</p>\n"
            continue
        yield '<dl class="assumed">'
        for value in one.values:
            yield f"<dt>{escaped(value.path)}: <b>{escaped(setting_text(value.value))}</b></dt>"
            yield f"<dd>{escaped(value.why)}</dd>\n"
        yield "</dl>\n"
