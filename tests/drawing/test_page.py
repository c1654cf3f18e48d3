"""Pages in a browser: they lay out as Python does, and everything that can be done in them does what it says."""

from __future__ import annotations

import itertools
import json
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, assume, given, settings

import archspec
from archspec.block import Primitive
from archspec.drawing.look import Look
from archspec.drawing.picture import Picture
from archspec.drawing.theme import DARK, LIGHT
from archspec.tensor import Shape
from tests.drawing.browser import CHROMIUM, Opened, browser, opened
from tests.networks import Data, loaded, networks

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright.sync_api", reason="the tests of pages need playwright")
if CHROMIUM is None:
    pytest.skip("the tests of pages need a Chromium: none is on PATH", allow_module_level=True)

Open = Callable[..., Opened]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def program() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def show(program: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens pages; whatever a page complains of fails the test."""
    with ExitStack() as stack:
        pages: list[Opened] = []

        def show(html: str, **options: Any) -> Opened:
            options = {"reduced_motion": "reduce", **options}
            pages.append(stack.enter_context(opened(program, html, tmp_path, **options)))
            return pages[-1]

        yield show
        assert [complaint for page in pages for complaint in page.complaints] == []


@pytest.fixture(scope="module")
def googlenet() -> str:
    return archspec.render("googlenet").html


@pytest.fixture
def page(show: Open, googlenet: str) -> Opened:
    return show(googlenet)


# The layout is Python's.


@pytest.mark.parametrize(
    ("name", "depths"),
    [("googlenet", (1, 2, 3)), ("resnet34", (1, 2, 4)), ("alexnet-two-tower", (1, 2)), ("resnet-cifar", (2, 3, 4))],
)
def test_page_lays_out_as_python_does(show: Open, name: str, depths: tuple[int, ...]) -> None:
    graph = archspec.compile(name)
    page = show(archspec.render(graph, depth=depths[0]).html)
    for depth, down, unfold in itertools.product(depths, (True, False), (False, True)):
        page.page.evaluate(
            "([depth, down, unfold]) => { archspec.setDepth(depth); archspec.unfoldAll(unfold);"
            " archspec.setDirection(down); }",
            [depth, down, unfold],
        )
        look = Look(depth=depth, direction="down" if down else "right", unfold=unfold)
        _assert_same(page, Picture([graph], look))


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=networks())
def test_page_lays_out_random_networks_as_python_does(
    program: Browser, tmp_path_factory: pytest.TempPathFactory, data: Data
) -> None:
    try:
        graph = archspec.compile(loaded(data))
    except archspec.SpecError:
        assume(False)  # some windows are larger than what reaches them
    folder = tmp_path_factory.mktemp("random")
    for look in (Look(depth=9), Look(depth=9, direction="right", unfold=True)):
        picture = Picture([graph], look)
        with opened(program, picture.html, folder) as page:
            _assert_same(page, picture)
            assert not page.complaints


def test_page_starts_with_the_layout_of_its_look(show: Open) -> None:
    for look in (Look(depth=2, direction="right", unfold=True, theme="dark"), Look(depth=1), Look()):
        picture = Picture([archspec.compile("resnet-cifar")], look)
        page = show(picture.html)
        _assert_same(page, picture)
        assert page.state["theme"] == look.theme


def test_page_starts_with_a_focus_and_a_heat_map(show: Open) -> None:
    from archspec.drawing.diagram import diagram_of
    from archspec.drawing.item import Shower
    from archspec.drawing.page import page as page_of

    diagram = diagram_of(archspec.compile("googlenet"))
    shower = Shower(diagram, lambda box: False)
    html = page_of(diagram, shower, "light", "t", "s", 1, True, focus="inception4c.conv5x5", heat="params")
    page = show(html)
    assert page.state["selected"] == "inception4c.conv5x5" and page.state["heat"] == "params"
    assert 0 < page.spot("inception4c.conv5x5")[1] < 800


def test_page_of_a_comparison_lays_out_as_python_does(show: Open) -> None:
    graphs = [archspec.compile(name) for name in ("resnet34", "resnet50")]
    for depth in (1, 3):
        picture = Picture(graphs, Look(depth=depth), diff=True)
        page = show(picture.html)
        _assert_same(page, picture)
        _assert_painted_alike(page, picture)
        assert ("added" in page.text("#legend")) == (depth == 3)
        assert page.page.locator("#heat").is_disabled()


def test_opening_one_by_one_ends_where_opening_all_at_once_does(show: Open) -> None:
    graph = archspec.compile("googlenet")
    page = show(archspec.render(graph, depth=1).html)
    waiting = sorted(graph.groups, key=lambda path: (path.count("."), path))
    for path in waiting:
        page.page.evaluate("path => archspec.toggle(path)", path)
    _assert_same(page, archspec.render(graph, depth=3))
    for path in reversed(waiting):
        page.page.evaluate("path => archspec.toggle(path)", path)
    _assert_same(page, archspec.render(graph, depth=1))


def _assert_same(page: Opened, picture: Picture) -> None:
    """The page shows the boxes and wires of the picture, where the picture has them."""
    boxes, wires = _flat(json.loads(picture.json))
    found = page.call("boxes()")
    assert [(box["path"], box["open"]) for box in found] == [(box["path"], box["open"]) for box in boxes]
    for mine, theirs in zip(found, boxes, strict=True):
        for side in ("x", "y", "width", "height"):
            assert mine[side] == pytest.approx(theirs[side], abs=0.11), (theirs["path"], side)
    for mine, theirs in zip(page.call("wires()"), wires, strict=True):
        assert (mine["value"], mine["from"], mine["to"]) == (theirs["value"], theirs["from"] or "", theirs["to"] or "")
        assert len(mine["points"]) == len(theirs["points"])
        for point, wanted in zip(mine["points"], theirs["points"], strict=True):
            assert point == pytest.approx(wanted, abs=0.11), theirs["value"]


def _flat(data: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    boxes, wires = [], list(data["wires"])
    for box in data["boxes"]:
        inner = _flat(box)
        boxes += [box, *inner[0]]
        wires += inner[1]
    return boxes, wires


def _assert_painted_alike(page: Opened, picture: Picture) -> None:
    """The page's SVG has the texts and colours of the picture's, in the same order."""
    mine, theirs = ElementTree.fromstring(page.call("svg()")), ElementTree.fromstring(picture.svg)
    for tag, names in ("text", ("fill", "font-size", "textLength")), ("rect", ("fill", "stroke", "stroke-dasharray")):
        found, wanted = (
            [(element.text, *map(element.get, names)) for element in tree.iter(SVG + tag)] for tree in (mine, theirs)
        )
        assert found == wanted
    assert (mine.get("width"), mine.get("height")) == (theirs.get("width"), theirs.get("height"))


@pytest.mark.parametrize("name", ["googlenet", "alexnet-two-tower", "preact-resnet-cifar"])
def test_svg_of_the_page_looks_as_that_of_python(show: Open, name: str) -> None:
    graph = archspec.compile(name)
    page = show(archspec.render(graph, depth=2).html)
    for heat in ("", "macs", "memory"):
        page.page.select_option("#heat", heat)
        _assert_painted_alike(page, Picture([graph], Look(depth=2, heat=heat)))
    page.page.click("#theme")
    _assert_painted_alike(page, Picture([graph], Look(depth=2, heat="memory", theme="dark")))


# Opening and closing.


def test_first_view_is_the_readable_top(page: Opened) -> None:
    state = page.state
    assert 0.6 <= state["scale"] <= 1.25
    x, y = page.spot("image")
    assert 0 < x < 1280 and 0 < y < 400
    page.page.click("#fit")
    width, height = page.call("size()")
    page.wait("archspec.state().scale < 0.5")
    assert width * page.state["scale"] < 1280 and height * page.state["scale"] < 800


def test_groups_open_and_close_by_click(page: Opened) -> None:
    page.page.evaluate("archspec.setDepth(1)")
    before = page.spot("conv1", 0, 0)
    page.page.mouse.dblclick(*page.spot("conv1"))
    assert page.boxes["conv1"]["open"] and "conv1.relu" in page.boxes
    assert page.text("#status") == "conv1 opened, 2 boxes"
    assert page.spot("conv1", 0, 0) == pytest.approx(before, abs=0.01), "the box stays where it was"
    page.page.mouse.click(*page.spot("conv1", 0, 0))
    assert not page.boxes["conv1"]["open"]
    assert page.text("#status") == "conv1 closed"
    page.page.mouse.click(*page.spot("conv1"))
    assert page.state["selected"] == "conv1" and not page.boxes["conv1"]["open"], "one click selects"
    page.page.mouse.click(20, 400)
    assert page.state["selected"] is None


def test_groups_open_and_close_by_keyboard(page: Opened) -> None:
    page.page.evaluate("archspec.setDepth(1)")
    page.page.focus("#canvas")
    for key in ("Enter", "ArrowDown", "Enter"):
        page.page.keyboard.press(key)
    assert page.state["selected"] == "conv1" and page.boxes["conv1"]["open"]
    page.page.keyboard.press(" ")
    assert not page.boxes["conv1"]["open"]
    page.page.keyboard.press("Escape")
    assert page.state["selected"] is None


def test_buttons_open_all_and_close_all_and_step(page: Opened) -> None:
    page.page.click("#expand")
    assert all(box["open"] for box in page.boxes.values() if box["kind"] == "group")
    page.page.click("#collapse")
    assert not any(box["open"] for box in page.boxes.values())
    page.page.click("#deeper")
    assert page.text("#depth") == "2 / 3"
    page.page.keyboard.press("]")
    page.page.keyboard.press("[")
    assert page.state["depth"] == 2


def test_fold_unfolds_and_folds(show: Open) -> None:
    page = show(Picture([archspec.compile("resnet-cifar", set={"depth": 110})], Look(depth=2)).html)
    page.page.evaluate("archspec.select('stage1')")
    page.page.get_by_role("button", name="Show all 18").click()
    assert "stage1.17" in page.boxes and page.boxes["stage1"]["open"]
    page.page.keyboard.press("u")
    assert "stage1.17" not in page.boxes
    page.page.click("#copies")
    assert {"stage1.17", "stage2.rest.16"} & set(page.boxes)
    page.page.click("#copies")
    assert "stage1.17" not in page.boxes


# Looking for things.


def test_search_opens_what_a_hit_is_in(page: Opened) -> None:
    page.page.evaluate("archspec.setDepth(1)")
    page.page.keyboard.press("/")
    page.page.keyboard.type("5x5 conv, 32")
    hits = page.state["hits"]
    assert "inception3a.conv5x5.conv" in hits and "inception3a.conv5x5.conv" not in page.boxes
    assert page.text("#status") == f"{len(hits)} boxes found"
    found = []
    for number in range(len(hits)):
        page.page.keyboard.press("Enter")
        assert page.text("#count") == f"{number + 1} of {len(hits)}"
        found.append(page.state["selected"])
        assert found[-1] in page.boxes
    assert found == hits
    assert page.page.locator(".current").count() == 1 and page.page.locator(".hit").count() >= 1
    page.page.keyboard.press("ArrowDown")
    assert page.state["selected"] == hits[0]
    page.page.keyboard.press("Escape")
    assert page.state["hits"] == [] and page.page.locator(".hit").count() == 0


def test_search_knows_names_ops_and_texts(page: Opened) -> None:
    def hits(query: str) -> list[str]:
        page.page.fill("#query", query)
        found: list[str] = page.state["hits"]
        return found

    assert hits("inception3a")[0] == "inception3a"
    assert hits("LRN") == ["norm1", "norm2"]
    assert hits("3x3 max pool") == hits("3×3 MAX pool") != []
    assert hits("inception3a.conv3x3.conv") == ["inception3a.conv3x3.conv"]
    assert hits("nowhere") == []
    assert page.text("#hits") == "No box found"


def test_search_names_copies_once(show: Open) -> None:
    page = show(Picture([archspec.compile("resnet-cifar", set={"depth": 110})], Look(depth=1)).html)
    page.page.fill("#query", "conv2")
    few = page.state["hits"]
    assert 0 < len(few) < 20
    page.page.fill("#query", "stage1.7.conv2")
    assert page.state["hits"] == ["stage1.7.conv2"]
    page.page.press("#query", "Enter")
    assert page.state["selected"] == "stage1.7.conv2"


def test_arrows_follow_the_wires(page: Opened) -> None:
    page.page.evaluate("archspec.select('inception3a.reduce3x3')")
    page.page.focus("#canvas")
    ways = [
        ("ArrowDown", "inception3a.conv3x3"),
        ("ArrowDown", "inception3a.concat"),
        ("ArrowDown", "inception3b.reduce3x3"),
        ("ArrowUp", "inception3a.concat"),
        ("ArrowUp", "inception3a.conv3x3"),
        ("ArrowRight", "inception3a.conv5x5"),
        ("ArrowLeft", "inception3a.conv3x3"),
        ("Shift+ArrowUp", "inception3a"),
        ("Shift+ArrowDown", "inception3a.conv1x1"),
        ("End", "aux2"),
        ("Home", "image"),
    ]
    for key, path in ways:
        page.page.keyboard.press(key)
        assert page.state["selected"].removeprefix("output ") == path, key
        number = page.boxes[page.state["selected"]]["number"]
        assert page.page.get_attribute("#canvas", "aria-activedescendant") == f"box-{number}"
        assert page.page.locator(f"#box-{number}.selected").count() == 1
    page.page.keyboard.press("Escape")
    before = page.state["y"]
    page.page.keyboard.press("ArrowDown")
    assert page.state["y"] < before, "with nothing selected, the picture moves"


def test_tab_reaches_the_diagram_and_keys_are_told(page: Opened) -> None:
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "canvas", "the first link leads there"
    page.page.keyboard.press("?")
    assert "follow the wires" in page.text("#keys")
    page.page.keyboard.press("Escape")
    assert page.page.locator("#keys").is_hidden()
    for _ in range(60):
        page.page.keyboard.press("Shift+Tab")
        page.page.keyboard.press("Tab")
        if page.page.evaluate("document.activeElement.id") == "canvas":
            break
    assert page.page.evaluate("document.activeElement.id") == "canvas"
    assert page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


# What is said of a box.


def test_panel_tells_all_of_a_layer(page: Opened) -> None:
    page.page.evaluate("archspec.select('inception3a.conv3x3.conv')")
    text = " ".join(page.text("#panel").split())
    node = archspec.compile("googlenet")["inception3a.conv3x3.conv"]
    for said in (
        *("inception3a.conv3x3.conv", "conv2d", "3×3 conv, 128", "input 96×28×28", "output 128×28×28"),
        *("out_channels 128", "kernel_size 3", "padding 1", "params 111k", "MACs 86.7M", "outputs 392.0 KiB"),
        *("receptive field 43×43", "weight 128×96×3×3", "bias 128", f"googlenet.yaml:{node.position.line}"),
    ):
        assert said in text, said
    page.page.get_by_role("button", name="inception3a.reduce3x3.relu").click()
    assert page.state["selected"] == "inception3a.reduce3x3.relu"
    page.page.locator("#panel").get_by_role("button", name="inception3a.conv3x3.conv").click()
    assert page.state["selected"] == "inception3a.conv3x3.conv"
    page.page.get_by_label("Close the panel").click()
    assert page.page.locator("#panel").is_hidden()
    page.page.keyboard.press("i")
    assert page.page.locator("#panel").is_visible()


def test_panel_tells_of_groups_training_and_places(page: Opened, show: Open) -> None:
    page.page.evaluate("archspec.select('inception3a')")
    text = " ".join(page.text("#panel").split())
    assert "inception" in text and "PARAMS OF THE BLOCK" in text.upper() and "pool2" in text
    page.page.evaluate("archspec.select('aux1.fc1')")
    assert "in training only" in page.text("#panel")
    other = show(archspec.render("alexnet-two-tower").html)
    other.page.evaluate("archspec.select('tower1_1and2.conv1')")
    assert "place\n1" in other.text("#panel")


def test_only_the_way_through_a_box_is_kept(page: Opened) -> None:
    page.page.evaluate("archspec.select('inception3a.conv3x3')")
    assert page.page.locator(".wire.way").count() > 0 and page.page.locator(".dim").count() == 0
    page.page.keyboard.press("w")
    page.call("fit()")

    def dim(path: str) -> bool:
        return page.page.locator(f"#box-{page.boxes[path]['number']}.dim").count() == 1

    kept = ("image", "inception3a.reduce3x3", "inception3a.conv3x3", "inception3a.concat", "inception5b.conv1x1")
    lost = ("inception3a.conv1x1", "inception3a.pool", "inception3a.conv5x5")
    assert [dim(path) for path in (*kept, *lost)] == [False] * len(kept) + [True] * len(lost)
    page.page.keyboard.press("w")
    assert page.page.locator(".dim").count() == 0


def test_heat_map_colours_by_cost(page: Opened) -> None:
    page.page.evaluate("archspec.setDepth(1)")
    page.page.select_option("#heat", "macs")
    assert "MACs" in page.text("#legend")
    graph = archspec.compile("googlenet")
    costs = {path: sum(node.macs for node in graph if node.name.split(".")[0] == path) for path in page.boxes}
    most = max(costs, key=lambda path: costs[path])
    page.call("fit()")
    page.call("zoomTo(0.4)")
    page.page.evaluate("path => archspec.select(path)", most)
    fill = page.page.locator(f"#box-{page.boxes[most]['number']} > rect").first.get_attribute("fill")
    assert fill == LIGHT.heat[-1]
    page.page.select_option("#heat", "")
    assert "convolution" in page.text("#legend")


def test_theme_and_direction_change(page: Opened) -> None:
    page.page.keyboard.press("t")
    back = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert tuple(json.loads(back.replace("rgb(", "[").replace(")", "]"))) == tuple(bytes.fromhex(DARK.background[1:]))
    page.page.click("#direction")
    assert not page.state["down"]
    width, height = page.call("size()")
    assert width > height


# Moving about.


def test_picture_moves_and_zooms_by_mouse_and_touch(page: Opened) -> None:
    mouse, before = page.page.mouse, page.state
    mouse.move(200, 300)
    mouse.wheel(0, 100)
    page.wait(f"archspec.state().y < {before['y']}")
    middle = page.state
    mouse.down()
    mouse.move(260, 350, steps=4)
    mouse.up()
    after = page.state
    assert (after["x"] - middle["x"], after["y"] - middle["y"]) == pytest.approx((60, 50))
    page.page.keyboard.down("Control")
    mouse.wheel(0, -50)
    page.page.keyboard.up("Control")
    page.wait(f"archspec.state().scale > {after['scale']}")
    scale = page.state["scale"]
    page.page.evaluate(
        """() => {
            const send = (type, pointerId, clientX, clientY) => document.getElementById("canvas").dispatchEvent(
                new PointerEvent(type, {pointerId, clientX, clientY, pointerType: "touch", bubbles: true}));
            send("pointerdown", 11, 300, 300);
            send("pointerdown", 12, 400, 300);
            send("pointermove", 12, 350, 300);
            send("pointerup", 11, 300, 300);
            send("pointerup", 12, 350, 300);
        }"""
    )
    assert page.state["scale"] == pytest.approx(scale / 2)


def test_minimap_leads_elsewhere(page: Opened) -> None:
    bounds = page.page.locator("#map canvas").bounding_box()
    assert bounds is not None
    page.page.mouse.click(bounds["x"] + bounds["width"] / 2, bounds["y"] + bounds["height"] - 2)
    assert 0 < page.spot("output logits")[1] < 800
    page.page.click("#fit")
    page.wait("document.getElementById('map').hidden")


def test_page_fits_a_narrow_window(show: Open, googlenet: str) -> None:
    page = show(googlenet, width=390, height=800, has_touch=True)
    page.page.evaluate("archspec.select('inception3a.conv3x3')")
    panel = page.page.locator("#panel").bounding_box()
    assert panel is not None
    assert panel["x"] == 0 and panel["width"] == 390 and panel["y"] > 300
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.spot("inception3a.conv3x3")[1] < panel["y"], "the selected box is above it"
    page.page.set_viewport_size({"width": 1000, "height": 700})
    panel = page.page.locator("#panel").bounding_box()
    assert panel is not None and panel["x"] > 600


def test_pictures_move_gently_unless_asked_not_to(show: Open, googlenet: str) -> None:
    page = show(googlenet, reduced_motion="no-preference")
    # One call, so that no slow machine can let the movement end between the two.
    moving = "(archspec.toggle('conv1'), document.getAnimations().length)"
    assert page.page.evaluate(moving) > 0
    page.wait("document.getAnimations().length === 0")
    assert show(googlenet).page.evaluate(moving) == 0


def test_large_network_draws_only_what_is_near(show: Open) -> None:
    page = show(Picture([archspec.compile("resnet-cifar", set={"depth": 1202})], Look()).html)
    page.page.evaluate("archspec.unfoldAll(true)")
    page.page.evaluate("archspec.setDepth(9)")
    assert len(page.call("boxes()")) > 4_000
    assert page.state["drawn"] < 400
    page.page.evaluate("archspec.select('stage3.150.conv2')")
    number = page.boxes["stage3.150.conv2"]["number"]
    assert page.page.locator(f"#box-{number}.selected").is_visible()
    page.call("fit()")
    assert page.state["drawn"] < 2_000


# Files.


def test_whole_picture_is_saved_as_svg_and_png(page: Opened, tmp_path: Path) -> None:
    page.page.evaluate("archspec.toggle('inception3a.conv3x3')")
    page.page.click("#theme")
    with page.page.expect_download() as download:
        page.page.click("#svg")
    assert download.value.suggested_filename == "googlenet.svg"
    text = Path(download.value.path()).read_text("utf-8")
    tree = ElementTree.fromstring(text)
    assert tree.tag == SVG + "svg"
    said = {element.text for element in tree.iter(SVG + "text")}
    assert {box["label"] for box in page.boxes.values()} <= said
    names = {element.tag.removeprefix(SVG) for element in tree.iter()}
    assert names == {"svg", "title", "desc", "rect", "g", "path", "text"}
    assert not any(name.startswith("on") or name in ("class", "id") for e in tree.iter() for name in e.attrib)
    assert DARK.background in text
    with page.page.expect_download() as download:
        page.page.click("#png")
    assert download.value.suggested_filename == "googlenet.png"
    data = Path(download.value.path()).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    size = [round(2 * float(tree.attrib[side])) for side in ("width", "height")]
    assert list(struct.unpack(">II", data[16:24])) == size


# Texts of others.

EVIL = "</script><script>window.evil=1</script>\"'><img src=x onerror=window.evil=1>&amp;\u2028\x00\x1b\ud800${evil}`"


class Hostile(Primitive, op="hostile"):
    """A block whose field is a text that would run."""

    note: str = EVIL

    def infer(self, x: Shape) -> Shape:
        return x


def test_hostile_texts_stay_texts(show: Open, tmp_path: Path) -> None:
    folder = tmp_path / "<" / "script><script>window.evil=1<"
    folder.mkdir(parents=True)
    path = folder / 'script>"><img src=x onerror=window.evil=1>.yaml'
    path.write_text(
        "archspec: 1\nname: net\ninputs: {image: [3, 8, 8]}\nlayers:\n  a: hostile\n  b: {layers: [hostile, relu]}\n"
        "outputs: {out: b}\n",
        encoding="utf-8",
    )
    graph = replace(archspec.compile(path, blocks=[Hostile]), name=EVIL)
    page = show(Picture([graph], Look()).html)
    elements = page.page.evaluate("[...new Set([...document.querySelectorAll('*')].map((e) => e.localName))]")
    for box in page.boxes:
        page.page.evaluate("path => archspec.select(path)", box)
        page.page.hover(f"#box-{page.boxes[box]['number']}", position={"x": 20, "y": 20}, force=True)
    page.page.evaluate("archspec.select('a')")
    panel = page.text("#panel")
    assert 'script>"><img src=x onerror=window.evil=1>.yaml:5' in panel
    page.page.fill("#query", EVIL.replace("\x00", ""))
    page.page.fill("#query", "hostile")
    tree = ElementTree.fromstring(page.call("svg()"))
    assert not list(tree.iter(SVG + "script")) and not list(tree.iter(SVG + "img"))
    page.page.wait_for_timeout(50)
    assert page.page.evaluate("window.evil") is None
    after = page.page.evaluate("[...document.querySelectorAll('img, iframe, object, embed')].length")
    assert after == 0 and "img" not in elements
    assert page.page.evaluate("document.querySelectorAll('script').length") == 2


def test_page_is_one_file_that_forbids_requests(googlenet: str) -> None:
    assert "default-src 'none'" in googlenet
    for word in ("innerHTML", "eval(", "new Function", "fetch(", "XMLHttpRequest", "document.write", "import("):
        assert word not in googlenet, word
    assert googlenet.count("<script") == 2 and '<link rel="icon" href="data:,">' in googlenet


def test_page_is_ready_soon(page: Opened) -> None:
    print(f"googlenet is drawn {page.call('ready'):.0f} ms after the page was asked for")
    page.page.mouse.click(*page.spot("image"))
    assert page.state["selected"] == "image"


def test_a_page_with_a_focus_is_of_the_whole_network(show: Open) -> None:
    page = show(archspec.render("googlenet", focus="inception4b").html)
    assert page.text("#title") == "googlenet"
    assert page.text("#subtitle") == "13.4M params, 1.58G MACs"
    assert page.state["selected"] == "inception4b"
    assert page.text("#depth") == "2 / 3"


def test_the_panel_of_a_comparison_tells_costs_before_and_after(show: Open) -> None:
    page = show(archspec.render("plain18", "resnet18", diff=True, depth=9).html)
    page.page.evaluate("archspec.select('layer2.0.shortcut.pad')")
    assert "added" in page.text("#panel")
    other = show(archspec.render("resnet34", "resnet50", diff=True, depth=9).html)
    other.page.evaluate("archspec.select('fc')")
    panel = other.text("#panel")
    assert "513k → 2.05M" in panel
    assert "+1.54M" in panel
    assert "other shape or cost" in panel
    other.page.fill("#query", "removed")
    assert other.state["hits"]
    other.page.fill("#query", "")
    other.page.evaluate("archspec.select(null)")
    other.page.focus("#canvas")
    other.page.keyboard.press("h")
    assert other.text("#status") == "A comparison has its own colours"


def test_the_first_place_is_told_too(show: Open) -> None:
    page = show(archspec.render("alexnet-two-tower").html)
    page.page.evaluate("archspec.select('tower0_1and2.conv1')")
    assert re.search(r"place\s+0", page.text("#panel"))


def test_all_of_a_very_long_network_fits(show: Open) -> None:
    page = show(archspec.render("resnet-cifar", set={"depth": 1202}, depth=9, unfold=True).html)
    page.page.evaluate("archspec.fit()")
    _, height = page.call("size()")
    assert height * page.state["scale"] < 800
    page.page.focus("#canvas")
    page.page.keyboard.press("End")
    page.wait("archspec.state().scale > 0.3")


def test_what_was_opened_by_hand_is_no_depth(page: Opened) -> None:
    assert page.text("#depth") == "2 / 3"
    page.page.evaluate("archspec.toggle('inception3a')")
    assert page.text("#depth") == "– / 3"
    page.page.click("#expand")
    assert page.text("#depth") == "3 / 3"


def test_help_opens_and_closes_by_its_key(page: Opened) -> None:
    page.page.focus("#canvas")
    page.page.keyboard.press("?")
    assert page.page.locator("#keys").is_visible()
    page.page.keyboard.press("?")
    assert not page.page.locator("#keys").is_visible()


def test_only_the_way_is_exported_where_only_it_is_shown(page: Opened) -> None:
    page.page.evaluate("archspec.select('inception3a.conv1x1')")
    assert 'opacity="0.2"' not in page.call("svg()")
    page.page.focus("#canvas")
    page.page.keyboard.press("w")
    assert page.call("svg()").count('opacity="0.2"') > 5


def test_a_chosen_hit_closes_the_list(page: Opened) -> None:
    page.page.fill("#query", "concat")
    page.page.click("#hit-1")
    assert page.page.locator("#hits").is_hidden()
    assert page.state["selected"] == page.state["hits"][1]


def test_wires_say_what_flows_if_they_are_asked_to(show: Open) -> None:
    page = show(archspec.render("resnet18", depth=1, edge_shapes=True).html)
    labels = page.page.locator("#scene .wire text")
    assert "64×112×112" in labels.all_text_contents()
    assert page.call("svg()").count("paint-order") > 8
    page.page.focus("#canvas")
    page.page.keyboard.press("s")
    assert labels.count() == 0
