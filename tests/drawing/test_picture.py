"""Pictures as documents: well formed, escaped, the same everywhere."""

import itertools
import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import archspec
from archspec.drawing.colours import Colours
from archspec.drawing.flat import closed_items, edges
from archspec.drawing.item import COLUMNS, Costs
from archspec.drawing.paint import closed
from archspec.drawing.svg import escaped, number
from archspec.drawing.text import font_file, shortened, width_of
from archspec.drawing.theme import THEMES
from archspec.errors import ArchspecError
from tests.drawing.geometry import overlap

GOLDEN = Path(__file__).parents[1] / "golden" / "drawings"
SVG = "{http://www.w3.org/2000/svg}"
PICTURES = {
    "lenet5": (("lenet5",), {}),
    "lenet5-right": (("lenet5",), {"direction": "right", "theme": "dark", "columns": ("params", "macs")}),
    "resnet-cifar": (("resnet-cifar",), {"depth": 3}),
    "resnet-cifar-heat": (("resnet-cifar",), {"depth": 2, "heat": "params", "bare": True}),
    "googlenet-focus": (("googlenet",), {"focus": "inception3a", "edge_shapes": True}),
    "lenet5-paper": (("lenet5",), {"style": "paper"}),
    "plain18-resnet18-blocks": (("plain18", "resnet18"), {"style": "blocks"}),
    "plain18-resnet18-diff": (("plain18", "resnet18"), {"diff": True, "depth": 2}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_golden(name, regenerate):
    specs, look = PICTURES[name]
    made = archspec.render(*specs, **look).svg
    file = GOLDEN / f"{name}.svg"
    if regenerate:
        file.parent.mkdir(exist_ok=True)
        file.write_text(made, encoding="utf-8")
    assert made == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_well_formed_and_shows_every_text_inside_the_picture(name):
    specs, look = PICTURES[name]
    root = ET.fromstring(archspec.render(*specs, **look).svg)
    width, height = float(root.get("width")), float(root.get("height"))
    for text in root.iter(f"{SVG}text"):
        x, long = float(text.get("x")), float(text.get("textLength", 0))
        left = x if text.get("text-anchor") is None else x - long / 2
        assert left >= -0.5
        assert left + long <= width + 0.5
        assert 0 < float(text.get("y")) < height
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "g", "rect", "text", "path", "polygon", "circle",
    }  # fmt: skip


def test_the_bytes_do_not_depend_on_the_hash_seed():
    code = "import archspec, sys; sys.stdout.write(archspec.render('googlenet', depth=3).svg)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].startswith(b"<svg")


def test_no_folder_of_this_machine_is_in_a_picture():
    assert str(Path(archspec.__file__).parents[1]) not in archspec.render("googlenet").svg
    assert "googlenet.yaml:" in archspec.render("googlenet").svg


HOSTILE = "\"><script>alert(1)</script>&'\x00\x1b]]>\u2028<svg onload=alert(2)>"


def hostile_spec(tmp_path):
    file = tmp_path / "a<b>&'.yaml"
    data = {
        "archspec": 1,
        "name": "hostile",
        "description": HOSTILE.replace("\x00", "").replace("\x1b", ""),
        "params": {"mode": {"default": HOSTILE.replace("\x00", "").replace("\x1b", "")}},
        "inputs": {"image": [4, 8, 8]},
        "blocks": {"unit": {"params": {"mode": "str"}, "layers": {"relu": "relu"}}},
        "layers": {"unit": {"op": "unit", "mode": "=mode"}},
        "outputs": {"y": "unit"},
    }
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


@pytest.mark.parametrize("look", [{}, {"style": "paper"}, {"style": "blocks"}], ids=["default", "paper", "blocks"])
def test_hostile_texts_stay_texts(tmp_path, look):
    graph = archspec.compile(hostile_spec(tmp_path), set={"mode": HOSTILE.replace("\x00", "")})
    made = archspec.render(graph, **look).svg
    root = ET.fromstring(made)
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    assert "<script" not in made
    if not look:
        assert any("<script>alert(1)</script>" in (title.text or "") for title in root.iter(f"{SVG}title"))


def test_hostile_texts_stay_texts_in_dot_and_mermaid(tmp_path):
    graph = archspec.compile(hostile_spec(tmp_path), set={"mode": HOSTILE.replace("\x00", "")})
    picture = archspec.render(graph, depth=1, columns="fields")
    assert "alert(1)" in picture.dot
    assert "#40;1#41;" in picture.mermaid or "alert(1)" in picture.mermaid
    assert "<script" not in picture.mermaid
    pygraphviz = pytest.importorskip("pygraphviz")
    read = pygraphviz.AGraph(string=picture.dot)
    assert len(read.nodes()) == 3


def test_wires_of_json_name_the_boxes_they_join():
    data = json.loads(archspec.render("googlenet", depth=1).json)
    paths = [box["path"] for box in data["boxes"]]
    assert len(set(paths)) == len(paths)
    assert {wire[end] for wire in data["wires"] for end in ("from", "to")} <= {*paths}


def test_a_heat_map_colours_every_format():
    picture = archspec.render("alexnet", heat="params", bare=True)
    hottest = picture.svg.count("#0b1f5c")
    assert hottest == 1, "fc6 has the most params"
    assert (picture.dot.count("#0b1f5c"), picture.mermaid.count("fill:#0b1f5c")) == (1, 1)


def test_a_stack_is_as_hot_as_all_its_copies():
    picture = archspec.render("resnet18", depth=1, heat="memory", bare=True)
    hot = Colours.of_picture(THEMES["light"], "memory", False, []).most
    assert hot == 0
    boxes = {item.box.label: item.box for item in picture.items[0].items}
    costs = Costs(archspec.compile("resnet18"))
    assert costs.memory(boxes["layer1"]) > costs.memory(boxes["layer2"]) > costs.memory(boxes["layer3"])


@pytest.mark.parametrize("direction", ["down", "right"])
def test_graphviz_lays_out_the_same_boxes(direction):
    pytest.importorskip("pygraphviz")
    ours = archspec.render("googlenet", depth=2, direction=direction)
    theirs = archspec.render("googlenet", depth=2, direction=direction, engine="graphviz")
    boxes = [{item.item.box.path: item for item in closed(picture.placed[0])} for picture in (ours, theirs)]
    assert boxes[0].keys() == boxes[1].keys()
    assert all(one.width == pytest.approx(boxes[1][path].width, abs=0.1) for path, one in boxes[0].items())
    values = list(boxes[1].values())
    assert not [1 for n, one in enumerate(values) for two in values[n + 1 :] if overlap(one, two)]
    assert len(theirs.placed[0].routes) == len(edges(theirs.items[0]))
    ET.fromstring(theirs.svg)


def test_labels_of_wires_do_not_lie_on_each_other():
    for look in ({"depth": 2}, {"depth": 1, "direction": "right"}):
        root = ET.fromstring(archspec.render("lenet5", edge_shapes=True, bare=True, **look).svg)
        labels = [
            (float(text.get("x")), float(text.get("y")), float(text.get("textLength")))
            for text in root.iter(f"{SVG}text")
            if text.get("paint-order") == "stroke"
        ]
        assert len(labels) > 10
        for n, (x, y, width) in enumerate(labels):
            assert not [1 for a, b, w in labels[n + 1 :] if abs(y - b) < 8 and x < a + w and a < x + width]


def test_placement_and_sharing_are_said():
    assert "place 1" in archspec.render("alexnet-two-tower", depth=1).svg
    layers = {"conv": {"op": "conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1}, "again": {"shares": "conv"}}
    data = {"archspec": 1, "name": "n", "inputs": {"x": [4, 8, 8]}, "layers": layers, "outputs": {"y": "again"}}
    assert "shares conv" in archspec.render(archspec.load(text=json.dumps(data))).svg


def test_columns_say_what_they_are_asked_for():
    texts = [
        text.text
        for text in ET.fromstring(archspec.render("alexnet", columns=COLUMNS, bare=True).svg).iter(f"{SVG}text")
    ]
    assert texts[texts.index("11×11 conv, 96, /4") :][:10] == [
        "11×11 conv, 96, /4", "96×55×55", "34.9k params", "105M MACs", "1.1 MiB", "603.9 KiB saved", "sees 11",
        "reads 3×224×224", "weight 96×3×11×11", "bias 96",
    ]  # fmt: skip


def test_too_many_long_wires_are_refused():
    names = [f"r{n}" for n in range(700)]
    layers = {**dict.fromkeys(names, "relu"), "sum": {"op": "add", "from": names}}
    data = {"archspec": 1, "name": "long", "inputs": {"x": [4, 8, 8]}, "layers": layers, "outputs": {"y": "sum"}}
    with pytest.raises(ArchspecError, match="long: too large to draw: too many long wires"):
        _ = archspec.render(archspec.load(text=json.dumps(data))).svg


def test_settings_are_given_to_every_spec():
    assert "resnet-cifar (depth=56)" in archspec.render("resnet-cifar", set={"depth": 56}, depth=1).svg
    with pytest.raises(TypeError, match="a compiled graph has its params"):
        archspec.render(archspec.compile("lenet5"), set={"classes": 3})


def test_escaping():
    assert escaped("<a b='c' d=\"e\">&\x00\x08") == "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;��"


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.26, "0.3"), (-0.04, "0"), (-1.25, "-1.2"), (1e5, "100000")])
def test_numbers(value, text):
    assert number(value) == text


def test_widths_are_those_of_the_font():
    image_font = pytest.importorskip("PIL.ImageFont")
    import io

    font = image_font.truetype(io.BytesIO(font_file()), 2048, layout_engine=image_font.Layout.BASIC)
    for text in ("3×3 conv, 256, /2", "inception4a.pool_proj", "αβγ … → − é ß Ж", "iiiiWWWW@"):
        assert width_of(text, 2048) == pytest.approx(sum(font.getlength(c) for c in text), abs=len(text))


def test_a_character_that_the_font_lacks_is_a_square():
    assert width_of("層", 10) == 10


@pytest.mark.parametrize("text", ["short", "a_very_long_name_of_a_layer_that_someone_wrote" * 3, "W" * 5000])
def test_a_long_text_is_shortened_in_the_middle(text):
    found = shortened(text, 12, 230)
    assert width_of(found, 12) <= 230
    assert found == text if len(text) < 10 else found.startswith(text[:5]) and found.endswith(text[-5:])


def contrast(one: str, two: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_texts_can_be_read_on_every_colour(theme):
    """WCAG 2.1 AA: 4.5 to 1 for text, 3 to 1 for outlines."""
    fills = [pair[0] for pair in (*theme.families.values(), *theme.changes.values())]
    for fill in [*fills, theme.background, theme.header, *theme.group]:
        assert contrast(theme.text, fill) >= 7
        assert contrast(theme.muted, fill) >= 4.5
    for fill, line in theme.families.values():
        assert contrast(line, fill) >= 3
    for part in range(101):
        fill = theme.heat_of(part / 100)
        assert contrast(theme.on(fill), fill) >= 4.5


EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""What eyes make of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1)."""


def seen(colour: str, eyes) -> tuple[float, float, float]:
    """A colour in CIELAB, as eyes see it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    red, green, blue = (min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in eyes)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("eyes", EYES.values(), ids=EYES)
@pytest.mark.parametrize(("what", "least"), [("families", 16), ("changes", 12)])
def test_colours_are_told_apart_by_all_eyes(theme, eyes, what, least):
    """A difference of 2 in CIELAB can be seen side by side, one of 10 at a glance."""
    pairs = {name: pair for name, pair in getattr(theme, what).items() if name not in ("input", "output", "group")}
    for (one, a), (two, b) in itertools.combinations(pairs.items(), 2):
        assert max(math.dist(seen(a[k], eyes), seen(b[k], eyes)) for k in (0, 1)) >= least, (one, two)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_the_heat_map_only_gets_darker_or_lighter(theme):
    steps = [contrast(theme.heat_of(part / 50), "#000000") for part in range(51)]
    assert steps in (sorted(steps), sorted(steps, reverse=True))


def test_png_is_scaled_and_has_text(tmp_path):
    picture = archspec.render("lenet5", scale=3, to=tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    root = ET.fromstring(picture.svg)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    assert width == pytest.approx(float(root.get("width")) * 3, abs=3)
    assert height == pytest.approx(float(root.get("height")) * 3, abs=3)
    bare = archspec.render("lenet5", scale=3, bare=True)
    assert len(data) > len(bare.png) > 5_000


def test_json_has_boxes_and_wires_with_places():
    data = json.loads(archspec.render("googlenet", depth=2).json)
    boxes = {box["path"]: box for box in data["boxes"]}
    inception = boxes["inception3a"]
    assert inception["open"]
    assert (inception["params"], inception["shapes"]) == (163696, [[256, 28, 28]])
    assert [box["path"] for box in inception["boxes"]][:2] == ["inception3a.conv1x1", "inception3a.reduce3x3"]
    assert {wire["value"] for wire in inception["wires"]} >= {"pool2", "inception3a.concat"}
    assert boxes["aux1"]["training_only"]
    assert data["macs"] == 1582671872


def test_dot_is_what_graphviz_reads():
    pygraphviz = pytest.importorskip("pygraphviz")
    picture = archspec.render("googlenet", depth=2)
    read = pygraphviz.AGraph(string=picture.dot)
    assert len(read.nodes()) == len(list(closed_items(picture.items[0])))
    assert len(read.subgraphs()) == 14


def test_dot_has_a_node_per_closed_box_and_a_cluster_per_open_one():
    picture = archspec.render("googlenet", depth=2, edge_shapes=True)
    text = picture.dot
    assert text.count("tooltip=") == len(list(closed_items(picture.items[0])))
    assert text.count("subgraph cluster_") == 9 + 2 + 3
    assert text.count(" -> ") == len(archspec.render("googlenet", depth=2).mermaid.split(" --> ")) - 1 + text.count(
        "style=dashed"
    )
    assert text.count("{") == text.count("}")
    assert 'label="192×28×28"' in text


def test_mermaid_has_subgraphs_and_dotted_edges_for_auxiliary_heads():
    text = archspec.render("googlenet", depth=2, direction="right").mermaid
    assert text.startswith("flowchart LR\n")
    assert text.count("subgraph") == text.count("\n  end") == 14
    assert text.count("-.->") == 16


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({"direction": "up"}, "`direction` is one of down, right, found 'up'"),
        ({"style": "fancy"}, "`style` is one of default, paper, blocks, found 'fancy'"),
        ({"theme": "blue"}, "`theme` is one of light, dark, found 'blue'"),
        (
            {"columns": ["flops"]},
            f"`columns` is one of {', '.join(COLUMNS)}, found 'flops'",
        ),
        ({"heat": "flops"}, "`heat` is one of params, macs, memory, found 'flops'"),
        ({"depth": 2.5}, "`depth` is a whole number, found 2.5"),
        ({"depth": True}, "`depth` is a whole number, found True"),
        ({"scale": "2"}, "`scale` is a number, found '2'"),
        ({"depth": 0}, "`depth` counts names of a path from 1, found 0"),
        ({"style": "paper", "columns": ["params"]}, "columns is for style default, found style paper"),
        ({"style": "blocks", "direction": "right"}, "style blocks reads down, found direction right"),
        ({"style": "paper", "direction": "down"}, "style paper reads right, found direction down"),
        ({"style": "blocks", "engine": "graphviz"}, "engine graphviz is for style default, found style blocks"),
        ({"edge_shapes": True, "engine": "graphviz"}, "edge_shapes is for engine archspec, found engine graphviz"),
        ({"scale": 0}, "`scale` is above 0 and at most 16, found 0"),
    ],
)
def test_an_unknown_look_is_refused(look, said):
    with pytest.raises(ValueError, match=r"is|counts|reads") as error:
        archspec.render("lenet5", **look)
    assert str(error.value) == said


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="found 0"):
        archspec.render()
    with pytest.raises(ValueError, match="found 3"):
        archspec.render("lenet5", "lenet5", "lenet5", diff=True)


def test_what_is_too_large_says_how_to_draw_less():
    from tests.drawing.graphs import chain_graph

    with pytest.raises(
        ArchspecError, match=r"chain: too large to draw: 20,\d+ boxes\n  hint: --focus PATH draws one part"
    ):
        _ = archspec.render(chain_graph(20_000)).svg


def test_formats_of_one_network_refuse_several():
    with pytest.raises(ArchspecError, match=r"\.json holds one network, found 2"):
        _ = archspec.render("lenet5", "alexnet").json
    with pytest.raises(ArchspecError, match=r"style paper is for SVG and PNG, found \.dot"):
        _ = archspec.render("lenet5", style="paper").dot
