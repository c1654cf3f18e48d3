"""The report of runs: its numbers, and the page that shows them."""

from __future__ import annotations

import itertools
import json
import math
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.drawing.chart import COLOURS, LINE, Chart, Curve, draw, linear_ticks, log_ticks, spread, thinned
from archspec.drawing.report import charts_of, report_page
from archspec.errors import RunError
from archspec.views.report import report_data, report_of, setting_text
from tests.drawing.test_picture import EYES, contrast, seen
from tests.views.test_runs import RECIPE, SPEC, make_run, records, run_command

PAPER = "reported:\n  - {spec: tiny, data: %s, protocol: single%s, top1_error: 75.5}\n"


class Reader(HTMLParser):
    """Elements of a page with their attributes, its texts, and whether every element is closed."""

    VOID = {"meta", "link", "input", "wbr"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))

    def rows(self, page: str, heading: str) -> list[list[str]]:
        """The cells of the first table below a heading."""
        part = page.split(f">{heading}</h2>")[1].split("</table>")[0]
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in part.split("<tr")[1:]]
        return [[" ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for cell in row] for row in cells]


def two(folder: Path) -> list[Path]:
    one = make_run(folder / "one", records(100, 0.2, 0.1, 0.8), finished=True)
    recipe = RECIPE.replace("lr: 0.1", "lr: 0.2") + "seed: 3\n"
    other = make_run(folder / "other", records(60, 1.0, 0.3, 0.75), recipe=recipe)
    return [one, other]


def test_the_table_has_the_numbers(tmp_path: Path) -> None:
    page = report_page(report_of(two(tmp_path)))
    rows = Reader(page).rows(page, "Runs")
    assert rows[0][:7] == ["run", "spec", "params", "MACs", "recipe", "seed", "steps"]
    graph = archspec.compile(archspec.load(text=SPEC.format(name="tiny")))
    assert (graph.params, graph.macs) == (162, 3928)
    assert rows[1][:6] == ["one", "tiny", "162", "3.93k", "small", "0"]
    assert rows[1][6].startswith("100 of 100 finished 2023-11-1")
    assert rows[1][7:] == ["0.2", "10.00 %", "80.00 %"]
    assert rows[2][5] == "3" and rows[2][6].startswith("60 of 100 unfinished")
    assert rows[2][7:] == ["1", "30.00 %", "75.00 %"]


def test_settings_that_differ_are_marked(tmp_path: Path) -> None:
    report = report_of(two(tmp_path))
    assert [row.path for row in report.settings if row.differs] == ["optimizer.lr", "seed"]
    page = report_page(report)
    rows = Reader(page).rows(page, "Settings")
    assert ["≠ optimizer. lr", "0.1", "0.2"] in rows
    assert ["batch. last", "keep assumed", "keep assumed"] in rows
    assert page.count('<tr class="differs"') + page.count("<tr class=differs") == 2
    assert "2 of " in page and "nobody said so" in page


@pytest.mark.parametrize(
    ("data", "op", "note"),
    [
        ("cifar10 test", "cifar10", ()),
        ("CIFAR-10 test", "cifar10", ()),
        ("cifar10 test", "{op: synthetic, train: 50, test: 20}", ("made-up images; theirs is on cifar10 test",)),
        ("ILSVRC-2012 val", "imagenet", ("on the test images of the folder; theirs is on ILSVRC-2012 val",)),
        ("cifar10 test", "cifar100", ("on cifar100; theirs is on cifar10 test",)),
    ],
)
def test_a_paper_is_beside_ours(data: str, op: str, note: tuple[str, ...], tmp_path: Path) -> None:
    recipe = RECIPE.replace("{op: synthetic, train: 50, test: 20}", op) + PAPER % (data, "")
    (tmp_path / "tiny.yaml").write_text(SPEC.format(name="tiny"))
    folder = make_run(tmp_path / "a", records(100, test=0.775), recipe=recipe, finished=True)
    report = report_of([folder])
    # The zoo has no `tiny`, so that which network the paper means cannot be known.
    assert [one.ours for one in report.beside] == [()]
    recipe = recipe.replace("spec: tiny", "spec: lenet5")
    lenet = archspec.compile("lenet5")
    other = make_run(
        tmp_path / "b", records(100, test=0.775), name="lenet5", spec=zoo("lenet5"), recipe=recipe, finished=True
    )
    assert lenet.name == "lenet5"
    ((mine,),) = [one.ours for one in report_of([other]).beside]
    assert mine.value == pytest.approx(77.5) and mine.difference == pytest.approx(2.0)
    assert mine.notes == note
    page = report_page(report_of([other]))
    row = Reader(page).rows(page, "Beside the papers")[1]
    assert row[:8] == ["lenet5", data, "single", "Top-1 error", "75.5", "b", "77.50", "+2.00"]


def zoo(name: str, **settings: Any) -> str:
    """A spec of the zoo, as a run has it: expanded."""
    from archspec.spec.writer import write
    from archspec.views.expanded import expanded

    return write(expanded(archspec.compile(name, set=settings)))


def test_params_protocol_and_models_decide_what_is_beside_a_paper(tmp_path: Path) -> None:
    more = [(8, ""), (14, ""), (8, ", models: 5")]
    quoted = "reported:\n" + "".join(
        f"  - {{spec: resnet-cifar, set: {{depth: {depth}}}, data: cifar10 test, protocol: single{models}, "
        "top1_error: 9}\n"
        for depth, models in more
    )
    spec = zoo("resnet-cifar", depth=8)
    one = make_run(tmp_path / "a", records(50), name="resnet-cifar", spec=spec, recipe=RECIPE + quoted)
    other = RECIPE.replace("{single:", "{other:")
    two = make_run(tmp_path / "b", records(50), name="resnet-cifar", spec=spec, recipe=other)
    report = report_of([one, two])
    assert [[mine.run for mine in found.ours] for found in report.beside] == [["a"], [], ["a"]]
    assert report.beside[0].ours[0].notes[1] == "not finished: step 50 of 100"
    assert report.beside[2].ours[0].value is None
    assert "5 networks together" in report.beside[2].ours[0].notes[0]
    assert "no run here tests this network so" in report_page(report)


def test_what_was_changed_of_a_recipe_of_the_zoo_is_told(tmp_path: Path) -> None:
    from archspec.recipe.files import load_recipe
    from archspec.spec.reader import plain
    from archspec.spec.writer import write

    data = plain(load_recipe("quick", {"batch.size": "32"}).written)
    assert isinstance(data, dict)
    folder = make_run(tmp_path / "a", records(20), recipe=write(data))
    found = report_of([folder])
    assert found.runs[0].changed == ("batch.size",)
    assert "changed: batch<" in report_page(found)


def test_moments_are_those_of_the_schedule_and_of_the_records(tmp_path: Path) -> None:
    one, _ = two(tmp_path)
    assert [(m.step, m.text) for m in report_of([one]).runs[0].moments] == [(50, "lr × 0.1"), (80, "lr × 0.1")]
    schedule = """schedule:
  - {op: constant, factor: 0.1, until: {metric: train.top1_error, below: 0.8, over: 5 steps}}
  - {op: step, every: 4 epochs, factor: 0.5, clock: phase, lasts: 50 steps}
  - {op: plateau, metric: single.top1_error, factor: 0.2, patience: 1, drops: 3}
"""
    recipe = re.sub(r"schedule: .*\n", schedule, RECIPE)
    more = [{"kind": "phase", "step": 15, "phase": 1}, {"kind": "drop", "step": 90, "drops": 1}]
    lines = sorted([*records(100), *more], key=lambda line: line["step"])
    folder = make_run(tmp_path / "a", lines, recipe=recipe)
    assert [(m.step, m.text) for m in report_of([folder]).runs[0].moments] == [
        (15, "phase 2"),
        (35, "lr × 0.5"),
        (55, "lr × 0.5"),
        (65, "phase 3"),
        (90, "lr × 0.2"),
    ]


def test_charts_hold_all_runs(tmp_path: Path) -> None:
    error, loss, rate = charts_of(report_of(two(tmp_path)))
    assert [(c.name, c.is_dashed, len(c.points)) for c in error.curves] == [
        ("one", False, 10),
        ("one", True, 10),
        ("other", False, 6),
        ("other", True, 6),
    ]
    assert error.curves[0].points[-1] == (100, pytest.approx(80.0)) and error.unit == "%"
    assert error.steps_per_epoch == 5 and not error.is_log
    assert not loss.is_log and rate.is_log
    assert [(mark.step, mark.runs) for mark in rate.marks] == [(50, (0, 1)), (80, (0,))]


def test_a_loss_over_a_decade_is_logarithmic(tmp_path: Path) -> None:
    lines = [{"kind": "train", "step": k, "epoch": k / 5, "lr": 0.1, "train.loss": 2.0 / k} for k in (1, 10, 20)]
    loss, _ = charts_of(report_of([make_run(tmp_path / "a", lines)]))
    assert loss.is_log
    lines[-1]["train.loss"] = 0.0
    loss, _ = charts_of(report_of([make_run(tmp_path / "b", lines)]))
    assert not loss.is_log


@pytest.mark.parametrize("rates", [[0.1, 0.05, 0.02, 0.001], [0.1 / (k + 1) for k in range(20)]])
def test_a_smooth_rate_is_not_logarithmic(rates: list[float], tmp_path: Path) -> None:
    lines = [{"kind": "train", "step": k, "epoch": k / 5, "lr": rate} for k, rate in enumerate(rates, 1)]
    (rate,) = charts_of(report_of([make_run(tmp_path / "a", lines)]))
    assert not rate.is_log


def test_early_errors_are_cut_as_in_papers(tmp_path: Path) -> None:
    def chart(last: float) -> Chart:
        points = tuple((float(k), 90.0 if k < 5 else last) for k in range(100))
        return Chart("e", (Curve("a", 0, points),), unit="%")

    assert chart(20.0).top == 20.0 and chart(70.0).top is None
    lines = [
        {"kind": "train", "step": k, "epoch": k / 5, "train.top1_error": 0.9 if k < 5 else 0.2} for k in range(100)
    ]
    assert "The first errors, up to 90 %, are above the plot." in report_page(
        report_of([make_run(tmp_path / "a", lines)])
    )


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    page = report_page(report_of(two(tmp_path)))
    found = Reader(page)
    (policy,) = [a["content"] for tag, a in found.elements if tag == "meta" and "http-equiv" in a]
    assert policy is not None and policy.startswith("default-src 'none';")
    for tag, attributes in found.elements:
        for name in ("src", "href", "srcset", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "data:,") == "data:,", (tag, attributes)
    assert "http://" not in page and "https://" not in page and "@import" not in page and "url(" not in page
    assert "NaN" not in page and "Infinity" not in page and ">nan" not in page


def test_the_page_is_the_same_each_time(tmp_path: Path) -> None:
    folders = two(tmp_path)
    assert report_page(report_of(folders)) == report_page(report_of(folders))


HOSTILE = "<script>alert(1)</script><!--data-->\"'&"


def test_texts_of_files_are_escaped(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    told = json.dumps(HOSTILE)
    recipe = RECIPE.replace("why: nobody said so", f"why: {told}") + (
        f"reported:\n  - {{spec: {told}, data: {told}, protocol: single, note: {told}, "
        f"set: {{{told}: {told}}}, {told}: 1}}\n"
    )
    lines = [*records(20), {"kind": "test", "step": 20, "epoch": 4.0, f"{HOSTILE}.top1_error": 0.5}]
    folders = [make_run(tmp_path / name, lines, recipe=recipe), make_run(tmp_path / "b", lines, recipe=recipe)]
    (folders[0] / "environment.json").write_text(json.dumps({HOSTILE: [HOSTILE]}))
    (folders[1] / "execution.json").write_text(HOSTILE)
    page = report_page(report_of(folders))
    found = Reader(page)
    assert [tag for tag, _ in found.elements].count("script") == 2
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert HOSTILE not in page and "alert(1)" in found.text
    data = page.split('id="data">')[1].split("</script>")[0]
    assert not {*"<>&"} & {*data}
    assert json.loads(data)[0]["curves"][0]["name"] == name


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_names_do_not_overlap(count: int, tmp_path: Path) -> None:
    folders = [make_run(tmp_path / f"{'long-' * (k % 12)}{k}", records(100 - 10 * (k % 3))) for k in range(count)]
    for chart in charts_of(report_of(folders)):
        text = draw(chart, 1104, 420, names=True, kind="wide")
        placed = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="start" class="name">', text)
        assert len(placed) == (count if 1 < count < 25 else 0)
        for (x, y), (a, b) in itertools.combinations([(float(x), float(y)) for x, y in placed], 2):
            assert abs(y - b) >= LINE - 0.2 or abs(x - a) > 20
        assert all(10 < float(y) < 420 for _, y in placed)


def test_places_are_spread() -> None:
    assert spread([50, 50, 50], 10, 0, 100) == [40, 50, 60]
    assert spread([99, 98, 0], 10, 0, 100) == [100, 90, 0]
    assert spread([0, 0, 30], 10, 0, 100) == [0, 10, 30]


def test_ticks_are_round() -> None:
    assert linear_ticks(0, 64000, 6) == [0, 20000, 40000, 60000]
    assert linear_ticks(0, 3, 10, whole=True) == [0, 1, 2, 3]
    assert log_ticks(0.004, 2.5) == pytest.approx([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2])
    assert log_ticks(1e-5, 2) == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1])


@pytest.mark.parametrize("is_log", [False, True])
def test_points_stand_where_their_values_are(is_log: bool) -> None:
    points = ((0.0, 0.01), (50.0, 0.1), (100.0, 1.0))
    text = draw(Chart("a", (Curve("a", 0, points),), is_log=is_log), 500, 300, names=False, kind="wide")
    found = re.search(r'<polyline points="([^"]+)" class="curve', text)
    assert found is not None
    (left, low), (middle, half), (right, high) = [tuple(map(float, pair.split(","))) for pair in found[1].split()]
    assert middle - left == pytest.approx(right - middle, abs=0.2)
    assert (low - half) / (low - high) == pytest.approx(0.5 if is_log else 0.0909, abs=0.003)


def test_many_points_are_thinned_without_losing_extremes() -> None:
    points = [(float(k), 100.0 if k == 31_415 else math.sin(k)) for k in range(64_000)]
    found = thinned(points, 200)
    assert len(found) <= 800 and (31_415.0, 100.0) in found
    assert found[0] == points[0] and found[-1] == points[-1] and found == sorted(found)


@pytest.mark.parametrize("points", [((5.0, 0.0),), ((0.0, 3.0), (0.0, 3.0)), ((1.0, 1e-9), (2.0, 1e9))])
@pytest.mark.parametrize("is_log", [False, True])
def test_odd_curves_can_be_drawn(points: tuple[tuple[float, float], ...], is_log: bool) -> None:
    if is_log and not all(y > 0 for _, y in points):
        return
    for width, height in ((1104, 420), (352, 280)):
        text = draw(Chart("odd", (Curve("a", 0, points),), is_log=is_log), width, height, names=True, kind="wide")
        assert "nan" not in text and "inf" not in text


@pytest.mark.parametrize("eyes", EYES.values(), ids=EYES)
@pytest.mark.parametrize(("theme", "back"), [(0, "#ffffff"), (1, "#14171c")])
def test_colours_are_told_apart_by_all_eyes(eyes: Any, theme: int, back: str) -> None:
    colours = [pair[theme] for pair in COLOURS]
    assert all(contrast(colour, back) >= 3 for colour in colours)
    assert all(math.dist(seen(a, eyes), seen(b, eyes)) >= 30 for a, b in itertools.combinations(colours, 2))


def test_json_has_everything(tmp_path: Path) -> None:
    folders = two(tmp_path)
    done = run_command("report", *folders, "--json")
    assert done.exit_code == 0 and not (tmp_path / "report.html").exists()
    data = json.loads(done.stdout)
    assert list(data) == ["runs", "reported", "settings", "machine", "environment", "assumed"]
    first = data["runs"][0]
    assert (first["params"], first["macs"], first["step"], first["steps"]) == (162, 3928, 100, 100)
    assert first["curves"]["lr"][0] == [10, 0.1] and first["curves"]["single.top1_error"][-1] == [100, 0.8]
    assert first["moments"] == [{"step": 50, "text": "lr × 0.1"}, {"step": 80, "text": "lr × 0.1"}]
    assert {"path": "optimizer.lr", "values": ["0.1", "0.2"], "assumed": [False, False], "differs": True} in data[
        "settings"
    ]
    assert data["assumed"][0]["values"] == [{"path": "batch.last", "value": "keep", "why": "nobody said so"}]
    assert data == json.loads(json.dumps(report_data(report_of(folders))))


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "a", records(20))
    assert run_command("report", "a").output == "wrote report.html\n"
    done = run_command("report", "a", "--json", "--out", "to/here.html")
    assert done.stderr == "wrote to/here.html\n" and json.loads(done.stdout)
    assert (tmp_path / "to/here.html").read_bytes() == (tmp_path / "report.html").read_bytes()


def test_a_run_whose_other_files_are_damaged_is_still_shown(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", records(20), spec="archspec: 1\nname: tiny\n", recipe="recipe: 1\nname: small\n")
    report = report_of([folder])
    assert report.runs[0].params is None
    page = report_page(report)
    assert "Not all could be read" in page and "recipe.yaml: " in page and "spec.yaml: " in page
    assert len(list(charts_of(report))) == 3


def test_errors_say_what_is_wrong_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "a", records(20))
    make_run(tmp_path / "empty", [])
    make_run(tmp_path / "new")
    (make_run(tmp_path / "broken") / "metrics.jsonl").write_text("nonsense\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("")
    cases = {
        ("gone",): "gone: no such folder",
        ("file",): "file: no folder",
        ("other",): "other: no run: it has no spec.yaml and recipe.yaml",
        ("empty",): "empty: has no metrics yet",
        ("new",): "new: has no metrics yet",
        ("broken",): "broken: has no metrics yet\n  hint: metrics.jsonl: line 1: no record",
        ("a", "a"): "a: is given twice",
        ("a", "./other/../a"): "other/../a: is given twice, as a",
        ("a", "--out", "other"): "other: is a directory",
        ("a", "--out", "file/x.html"): "file: not a directory",
    }
    for arguments, said in cases.items():
        done = run_command("report", *arguments)
        assert done.exit_code == 1 and isinstance(done.exception, RunError), done.output
        assert str(done.exception).startswith(said) and "\n  hint: " in str(done.exception)


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / at / "net-1", records(20)) for at in ("x", "y")]
    assert [run.name for run in report_of(folders).runs] == ["x/net-1", "y/net-1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"op": "pad", "size": 4, "fill": "mean", "other": None}, "pad (size 4, fill mean)"),
        ({"op": "flip"}, "flip"),
        ([0.1, 0.00012345678, 1.0], "[0.1, 0.00012345678, 1]"),
        (True, "yes"),
        (None, "none"),
        ([], "none"),
    ],
)
def test_settings_read_well(value: Any, text: str) -> None:
    assert setting_text(value) == text
