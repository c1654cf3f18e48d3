"""`archspec bench`, and what it is made of; that a figure is plausible is as much as can be asserted of times."""

import json
from functools import partial
from xml.etree import ElementTree

import pytest
import torch
from click.testing import CliRunner

import archspec
from archspec.cli.app import cli
from archspec.drawing.roofline import roofline
from archspec.lowering.build import lower
from archspec.lowering.optimize import optimized
from archspec.measure.layers import layer_times
from archspec.measure.subject import subject
from archspec.measure.times import measured
from archspec.spec.writer import write
from archspec.views.expanded import expanded
from archspec.views.measured import (
    RUNS,
    VARIANTS,
    LayerTime,
    Machine,
    Step,
    Times,
    layers_table,
    names_apart,
    steps_table,
    times_table,
)

CPU = torch.device("cpu")
MACHINE = Machine("cpu", 2, "float32", 100e9, 10e9)
QUICK = ("--rounds", "3", "--threads", "1")


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(*arguments, status=0):
    found = CliRunner().invoke(cli, ["bench", *map(str, arguments)])
    assert found.exit_code == status, found.output
    return found.output


def test_the_choices_are_what_can_be_measured():
    choices = {
        option.name: option.type.choices
        for option in cli.get_command(None, "bench").params
        if option.name in ("run", "variants")
    }
    assert list(choices["run"]) == list(RUNS)
    assert list(choices["variants"]) == list(VARIANTS)


def test_the_tables():
    said = run("lenet5", "resnet-cifar", "--batch", "1,3", "--layers", *QUICK)
    assert said.startswith("cpu, 1 thread, float32: ")
    assert said.count("forward in evaluation, batch 1, 3 rounds") == said.count("batch 3, 3 rounds") == 1
    lines = said.splitlines()
    assert sum(line.startswith("resnet-cifar optimized  ") for line in lines) == 2
    assert "lenet5 eager, batch 3, forward in evaluation" in lines
    assert sum(line.startswith("stage1.0.conv1 ") for line in lines) == 4


def test_json_and_a_picture(tmp_path):
    path = tmp_path / "roof.svg"
    found = CliRunner().invoke(cli, ["bench", "lenet5", "--json", "--layers", "--out", str(path), *QUICK])
    data = json.loads(found.stdout)
    assert [one["variant"] for one in data["networks"]] == ["eager", "optimized"]
    first = data["networks"][0]
    assert first["flop"] == 2 * archspec.compile("lenet5").macs and len(first["seconds"]) == 3
    assert first["times_faster_than_first"] == 1.0 and first["images_per_s"] == pytest.approx(1 / first["median_s"])
    assert [layer["op"] for layer in data["layers"][0]["layers"]].count("conv2d") >= 2
    assert "lenet5 optimized" in path.read_text() and "wrote" in found.stderr


@pytest.mark.parametrize(
    ("name", "mode", "arguments", "expected"),
    [
        ("resnet-cifar", "inference", (), ["fold-norms", "packed-convolutions", "channels-last"]),
        ("resnet18", "training", ("--run", "step", "-i", "image=3x64x64"), ["pool-first", "in-place"]),
        ("googlenet-torchvision", "inference", ("-i", "image=3x64x64"), ["evaluation-only", "merge-siblings"]),
    ],
)
def test_without_each_step(name, mode, arguments, expected, monkeypatch):
    """Every step that did something is left out once, and no other."""
    skipped = []

    def recorded(network, graph, mode, skip, **more):
        skipped.append((mode, *skip))
        return optimized(network, graph, mode, skip=skip, **more)

    monkeypatch.setattr("archspec.measure.subject.optimized", recorded)
    found = CliRunner().invoke(cli, ["bench", name, "--steps", "--json", "--batch", "2", *QUICK, *arguments])
    assert not found.exit_code, found.output
    data = json.loads(found.stdout)
    assert [one["variant"] for one in data["networks"]] == ["eager", "optimized"]
    (one,) = data["steps"]
    assert (one["name"], one["variant"], one["batch"]) == (name, "optimized", 2)
    graph = archspec.compile(name)
    did = optimized(archspec.build(graph), graph, mode).did
    assert {step["name"]: step["did"] for step in one["steps"]} == did and set(expected) <= set(did)
    assert skipped == [(mode,), *((mode, step) for step in did)]
    assert all(step["gain_quarters"][0] <= step["gain"] <= step["gain_quarters"][1] for step in one["steps"])
    assert all(len(step["seconds_without"]) == 3 for step in one["steps"])


def test_parts_that_are_computed_again():
    found = json.loads(
        run("resnet-cifar", "--run", "step", "--recompute", "stage*.*", "--steps", "--batch", 8, "--json", *QUICK)
    )
    told = [(one["name"], one["variant"], one["recomputed"]) for one in found["networks"]]
    assert told == [("resnet-cifar", one, again) for one in ("eager", "optimized") for again in (False, True)]
    assert [one["variant"] for one in found["steps"]] == ["optimized"] and len(found["steps"][0]["steps"]) == 2
    assert all(one["median_s"] > 0 for one in found["networks"])
    assert "add --run step" in run("lenet5", "--recompute", "conv*", status=2)
    said = CliRunner().invoke(cli, ["bench", "lenet5", "--run", "step", "--recompute", "conf*"])
    assert "`conf*` matches no layer of lenet5" in str(said.exception) and not said.output


def test_steps_are_tables_of_their_own():
    said = run("lenet5", "resnet-cifar", "--steps", "--layers", "--batch", "1,2", *QUICK)
    lines = said.splitlines()
    for batch in (1, 2):
        at = lines.index(f"resnet-cifar optimized, batch {batch}, without each of its steps")
        assert [line.split()[0] for line in lines[at + 2 : at + 4]] == ["nothing", "fold-norms"]
        assert lines[at + 3].endswith("into the layers before them")
    assert said.count("resnet-cifar optimized  ") == 2 and said.count("forward in evaluation") == 2 + 8


def test_networks_called_alike_are_told_apart(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(write(expanded(archspec.compile("lenet5"))))
    found = CliRunner().invoke(cli, ["bench", "lenet5", str(path), "--json", "--layers", "--steps", *QUICK])
    data = json.loads(found.stdout)
    names = ["lenet5 (lenet5)", f"lenet5 ({path})"]
    assert [one["name"] for one in data["networks"]] == [names[0]] * 2 + [names[1]] * 2
    assert [one["name"] for one in data["layers"]] == [names[0]] * 2 + [names[1]] * 2
    assert [one["name"] for one in data["steps"]] == names and all(one["steps"] for one in data["steps"])
    assert names_apart(["a", "b", "a", "c"], ["a", "b", "a", "c"]) == ["a (1)", "b", "a (2)", "c"]


def test_a_network_with_nothing_to_do(tmp_path):
    path = tmp_path / "fc.yaml"
    path.write_text(
        "archspec: 1\nname: fc\ninputs: {x: [4]}\nlayers: {fc: {op: linear, out_features: 2}}\noutputs: {y: fc}\n"
    )
    assert "fc optimized, batch 1, without each of its steps: none found anything to do" in run(path, "--steps", *QUICK)


def test_compiled_for_each_batch_size_alone(monkeypatch):
    """Once for each, and for sizes that are numbers: a network whose batch may vary would be another one."""
    seen = []

    def backend(module, values):
        seen.append([size for value in values if isinstance(value, torch.Tensor) for size in value.shape[:1]])
        seen[-1] += [value for value in values if isinstance(value, torch.SymInt)]
        return module

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    said = run("lenet5", "--as", "compiled", "--as", "optimized-compiled", "--batch", "5,7,9", *QUICK)
    assert said.count("lenet5 compiled  ") == said.count("lenet5 optimized-compiled  ") == 3
    assert all(type(size) is int for sizes in seen for size in sizes)
    assert [[n for n in (5, 7, 9) if n in sizes] for sizes in seen] == [[5], [5], [7], [7], [9], [9]]


def test_built_once_for_all_batch_sizes(monkeypatch):
    built = []
    monkeypatch.setattr(
        "archspec.measure.subject.lower", lambda *given, **said: built.append(1) or lower(*given, **said)
    )
    assert run("lenet5", "--batch", "1,2,3", *QUICK).count("3 rounds") == 3
    assert len(built) == 2


def test_a_step():
    said = run("lenet5", "--run", "step", "--as", "optimized", "--batch", "4", *QUICK)
    assert "training step: forward and backward, batch 4, 3 rounds" in said


WRONG_SECONDS = ("nan", "inf", "-inf", "-1", "0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "0"], "whole numbers from 1"),
        (["--batch", "1,x"], "whole numbers from 1"),
        (["--out", "roof.txt"], "--out is a picture, .svg or .png"),
        (["--as", "compiled", "--out", "roof.svg", "--batch", "1"], "add --as eager"),
        (["--run", "backward"], "is not one of"),
        *((["--seconds", bad], f"'--seconds': a number of seconds above 0, found {bad}") for bad in WRONG_SECONDS),
        (["-", "-"], "standard input can be read once"),
        (["--steps", "--as", "eager", "--as", "compiled"], "add --as optimized, found --as eager --as compiled"),
    ],
)
def test_wrong_options(arguments, message, monkeypatch):
    monkeypatch.setattr("archspec.api.compile", lambda *_, **__: pytest.fail("compiled before it was refused"))
    assert message in run("lenet5", *arguments, status=2)


@pytest.mark.parametrize(
    ("place", "message"), [("file/roof.svg", "not a directory"), ("/proc/x.svg", "cannot be written")]
)
def test_where_nothing_can_be_written(place, message, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("archspec.api.compile", lambda *_, **__: pytest.fail("compiled before it was refused"))
    found = CliRunner().invoke(cli, ["bench", "lenet5", "--out", str(tmp_path / place)])
    assert found.exit_code == 1 and message in str(found.exception) and "--out" in str(found.exception)


def test_a_folder_that_is_not_there_is_made(tmp_path):
    run("lenet5", "--out", tmp_path / "new" / "folder" / "roof.SVG", *QUICK)
    assert (tmp_path / "new" / "folder" / "roof.SVG").read_text().startswith("<svg")


def test_what_is_counted():
    graph = archspec.compile("googlenet-torchvision", inputs={"image": (3, 64, 64)})
    one = subject(graph, "eager", "step", 2, CPU, torch.float32)
    assert one.flops == 2 * 3 * 2 * graph.macs
    one = subject(graph, "optimized", "forward", 2, CPU, torch.float32)
    assert one.flops == 2 * 2 * graph.inference().macs
    layers = {layer.name: layer for layer in layer_times(one)}
    assert sum(layer.flops for layer in layers.values()) == one.flops
    # 64 x 64 images, 7 x 7 kernels of 3 channels and biases, 32 x 32 maps of 64 channels; two images of float32
    assert layers["conv1.conv"].bytes == 4 * (2 * 3 * 64 * 64 + 64 * (3 * 49 + 1) + 2 * 64 * 32 * 32)
    assert layers["inception3a.branch2.0.relu"].bytes == 0  # channels of another value: nothing is moved


def test_memory_of_a_run_is_near_what_it_holds():
    graph = archspec.compile("vgg11", inputs={"image": (3, 224, 224)})
    one = subject(graph, "eager", "step", 2, CPU, torch.float32)
    (times,) = measured([one], 1, 0.0)
    least = 2 * sum(node.shape.size for node in graph if node.op == "conv2d") * 4 + graph.params * 4
    assert times.memory is None or least * 0.9 < times.memory < 4 * least


def test_rounds_are_taken_in_turn():
    order = []

    class Fake:
        batch, flops, device, name, variant, left_out = 1, 1.0, CPU, "x", "eager", None
        recomputed = False
        module = torch.nn.Identity()

        def __init__(self, number):
            self.number = number

        def __call__(self):
            order.append(self.number)

    found = measured([Fake(0), Fake(1), Fake(2)], 4, 0.0)
    assert order[6:18] == [0, 1, 2, 1, 2, 0, 2, 0, 1, 0, 1, 2]  # after two runs of each to warm up
    assert [len(one.seconds) for one in found] == [4, 4, 4]


def test_figures_of_the_tables():
    one = Times("a", "eager", (0.2, 0.4, 0.3), 8, 6e9, 2**20)
    other = Times("b", "eager", (0.1, 0.1, 0.1), 8, 6e9, None)
    assert one.median == 0.3 and one.spread == pytest.approx((0.25, 0.35)) and other.gain_on(one) == pytest.approx(3)
    rows = times_table([one, other], MACHINE, "forward").splitlines()
    assert rows[2].split() == ["a", "eager", "300.00", "250.00", "to", "350.00", "26.7", "20", "20%", "1.0"]
    assert rows[3].split()[-4:] == ["3.00", "x", "60", "60%"]
    small = Times("c", "eager", (4.5e-6,), 1, 5e3, 0)
    assert times_table([small], MACHINE, "step").splitlines()[2].split()[2:5] == ["0.00450", "0.00450", "to"]
    without = Times("a", "eager", (0.3, 0.4, 0.6), 8, 6e9, 2**21, Step("fold-norms", "folded 2 norms"))
    rows = steps_table(one, [without]).splitlines()
    assert rows[2].split() == ["nothing", "300.00", "250.00", "to", "350.00", "1.0"]
    assert rows[3].split()[:5] == ["fold-norms", "400.00", "350.00", "to", "500.00"]
    assert rows[3].split()[5:] == ["1.50", "x", "1.25", "to", "1.75", "2.0", "folded", "2", "norms"]
    assert "fold-norms" not in times_table([one, without], MACHINE, "forward")
    layers = [LayerTime("conv", "conv2d", 0.02, 1e9, 1e7), LayerTime("relu", "relu", 0.02, 0.0, 1e8)]
    rows = layers_table(layers, MACHINE, "title").splitlines()
    assert rows[2].split() == ["conv", "conv2d", "20.00", "50.0%", "1.00", "50", "0.5", "10.00", "2.0", "arithmetic"]
    assert rows[3].split() == ["relu", "relu", "20.00", "50.0%", "5.0", "10.00", "2.0", "memory"]
    assert rows[4] == "layer by layer 40.00 ms, at the machine's limits 20.00 ms"


def test_the_names_of_many_networks_stand_apart():
    layers = [LayerTime("slow", "conv2d", 0.04, 1e9, 1e7)]
    root = ElementTree.fromstring(roofline(MACHINE, [(f"network {k} optimized, batch 8", layers) for k in range(9)]))
    texts = [t for t in root.iter("{http://www.w3.org/2000/svg}text") if t.text.endswith("shown")]
    places = {(float(t.get("x")), float(t.get("y"))) for t in texts}
    assert len(places) == 9
    for x, y in places:
        assert not any(b == y and 0 < a - x < 200 for a, b in places) and x < 860 - 200
    roof = root.find("{http://www.w3.org/2000/svg}polyline").get("points").split()
    assert max(y for _, y in places) < min(float(point.split(",")[1]) for point in roof)


def test_the_picture_puts_layers_where_they_belong():
    layers = [LayerTime("slow", "conv2d", 0.04, 1e9, 1e7), LayerTime("fast", "conv2d", 0.01, 1e9, 1e7)]
    root = ElementTree.fromstring(roofline(MACHINE, [("net", layers), ("other", layers[:1])]))
    svg = "{http://www.w3.org/2000/svg}"
    discs = [disc for disc in root.iter(f"{svg}circle") if disc.find(f"{svg}title") is not None]
    place = {disc.find(f"{svg}title").text.split(":")[0]: disc for disc in reversed(discs)}
    assert len(discs) == 3 and float(place["slow"].get("cx")) == float(place["fast"].get("cx"))
    assert float(place["slow"].get("cy")) > float(place["fast"].get("cy"))  # lower: a smaller rate
    assert float(place["slow"].get("r")) == pytest.approx(2 * float(place["fast"].get("r")), rel=0.05)
    roof = root.find(f"{svg}polyline").get("points").split()
    assert float(place["fast"].get("cy")) == pytest.approx(float(roof[-1].split(",")[1]), abs=0.2)  # at the peak
    assert "slow" in {text.text for text in root.iter(f"{svg}text")}
