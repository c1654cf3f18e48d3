"""Pictures: well-formed, escaped, to scale."""

from xml.etree import ElementTree

import pytest

from archspec_insight.chart import PERCENT, Bar, Chart, Dot, LogAxis, Panel

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(\"1\" & '2')</script>\x00\x1b\ud800]]>"


def chart(**changes):
    rows = [[Bar("a", 0, 0.5), Bar("c", 0, 0.25, slim=True)], [Dot("a", 1.0), Dot("c", 0.0, ring=True)]]
    given = {
        "title": "Title",
        "subtitle": "Subtitle",
        "names": ["one", "two"],
        "panels": [Panel("Axis", PERCENT, rows)],
        "legend": [(Bar("a", 0, 1), "bars")],
        "remarks": ["", "remark"],
    }
    return Chart(**(given | changes))


def test_hostile_texts_are_escaped():
    panels = [Panel(HOSTILE, [(0.0, HOSTILE)], [[], []])]
    legend = [(Dot("a", 0.5), HOSTILE)]
    texts = {"title": HOSTILE, "subtitle": HOSTILE, "names": [HOSTILE, HOSTILE * 3], "remarks": [HOSTILE] * 2}
    hostile = chart(**texts, panels=panels, legend=legend)
    picture = ElementTree.fromstring(hostile.svg().encode())
    tags = {element.tag.removeprefix(SVG) for element in picture.iter()}
    assert tags == {"svg", "title", "style", "rect", "text", "line", "circle"}
    shown = HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
    assert sum(element.text == shown for element in picture.iter(f"{SVG}text")) >= 7


def test_it_says_what_it_shows():
    picture = ElementTree.fromstring(chart().svg())
    words = [element.text for element in picture.iter(f"{SVG}text")]
    assert {"Title", "Subtitle", "Axis", "one", "two", "bars", "remark", "0%", "100%"} <= set(words)
    assert picture.find(f"{SVG}title").text == "Title"
    assert picture.get("role") == "img"
    assert "prefers-color-scheme: dark" in picture.find(f"{SVG}style").text


def test_marks_are_to_scale():
    picture = ElementTree.fromstring(chart().svg())
    _, _, whole, half = picture.findall(f"{SVG}rect")[:4]
    grid = [float(line.get("x1")) for line in picture.iter(f"{SVG}line")]
    assert float(whole.get("width")) == pytest.approx((grid[-1] - grid[0]) / 2, abs=0.1)
    assert float(half.get("width")) == pytest.approx((grid[-1] - grid[0]) / 4, abs=0.1)
    assert float(half.get("height")) < float(whole.get("height"))
    ends = sorted(float(dot.get("cx")) for dot in picture.iter(f"{SVG}circle"))
    assert ends == [grid[0], grid[-1]]


def test_nothing_leaves_the_picture():
    names = ["a" * 80, "b"]
    picture = ElementTree.fromstring(chart(names=names, title="T" * 90, remarks=["r" * 30] * 2).svg())
    width, height = float(picture.get("width")), float(picture.get("height"))
    for element in picture.iter(f"{SVG}text"):
        x, y, length = float(element.get("x")), float(element.get("y")), 6 * len(element.text or "")
        start = {"end": x - length, "middle": x - length / 2}.get(element.get("text-anchor"), x)
        assert start >= 0 and start + length <= width and 0 < y < height
    long = next(element for element in picture.iter(f"{SVG}text") if element.find(f"{SVG}title") is not None)
    assert long.find(f"{SVG}title").text == names[0]


def test_a_chart_without_rows_is_a_chart():
    ElementTree.fromstring(chart(names=[], panels=[Panel("Axis", [], [])], remarks=[]).svg())


def test_a_log_axis():
    axis = LogAxis.around([0.02, 5.0, 0.0])
    assert (axis.low, axis.high) == (-2, 1)
    assert axis.at(0.01) == 0 and axis.at(10) == 1 and axis.at(0) == 0
    assert axis.at(0.1) == pytest.approx(1 / 3)
    assert [label for _, label in axis.ticks] == ["0.01", "0.1", "1", "10"]
    assert LogAxis.around([]).ticks == [(0.0, "1"), (1.0, "10")]
    assert LogAxis.around([1.0, 1.0]).at(1.0) == 0
    assert len(LogAxis.around([1e-30, 1e30]).ticks) < 9
    assert [label for _, label in LogAxis.around([1e-5, 1e-4]).ticks] == ["1e-5", "1e-4"]
