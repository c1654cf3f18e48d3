"""Plugins: what installed distributions bring, found by entry points and imported only when it is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import archspec
from archspec.cli.app import cli
from archspec.errors import PluginError, SpecError
from archspec.graph.canonical import spec_hash
from archspec.graph.passes import PASSES
from archspec.initializers import INITIALIZERS
from archspec.lowering.standalone import standalone_source
from archspec.lowering.verify import verify
from archspec.plugins import GROUPS, installed
from archspec.registry import BLOCKS, RECIPE_PARTS
from archspec.spec.writer import write
from archspec.tensor import SHAPES
from archspec.views import VIEWS
from archspec.views.expanded import expanded
from archspec.views.schema import schema
from tests.distributions import double, install, spec

REGISTRIES = (BLOCKS, SHAPES, INITIALIZERS, PASSES, VIEWS, *RECIPE_PARTS.values())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of distributions; what is installed besides is not seen."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr("archspec.plugins.distributions", lambda: _distributions(folder))
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    _forget()
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    _forget()


def _distributions(folder: Path):
    from importlib.metadata import distributions

    return distributions(path=[str(folder)])


def _forget() -> None:
    for registry in REGISTRIES:
        registry.forget()


def compiled(layers: str, **more: str) -> archspec.Graph:
    return archspec.compile(archspec.load(text=spec(layers, **more)))


def problem(layers: str, **more: str) -> archspec.Problem:
    """The only problem of a spec."""
    with pytest.raises(SpecError) as caught:
        compiled(layers, **more)
    (found,) = caught.value.problems
    return found


def run(*arguments: str):
    return CliRunner().invoke(cli, list(arguments))


def test_every_kind_has_its_registry():
    assert {registry.noun for registry in REGISTRIES} | {"folder of specs"} == set(GROUPS)


def test_a_block_of_a_plugin_is_built(site):
    install(site, "archspec-x", {"blocks": {"twice": "xblocks.twice:Double"}}, {"xblocks/twice.py": double("twice")})
    graph = compiled("conv: {op: conv2d, out_channels: 4, kernel_size: 3}\nlast: twice")
    assert str(graph["last"].shape) == "4x6x6"
    x = torch.randn(2, 3, 8, 8)
    module = archspec.build(graph)
    assert torch.equal(module(x), 2 * module.conv(x))
    assert verify(module, graph, standalone_source(graph), torch.device("cpu"))


def test_a_plugin_is_imported_only_when_it_is_named(site):
    install(site, "archspec-x", {"blocks": {"twice": "xlazy:Double"}}, {"xlazy.py": double("twice")})
    compiled("last: relu")
    archspec.compile("alexnet")
    with pytest.raises(SpecError):
        compiled("last: twicee")  # names near ones, and imports none
    assert "xlazy" not in sys.modules
    compiled("last: twice")
    assert "xlazy" in sys.modules


def test_near_names_of_plugins_are_offered(site):
    install(site, "archspec-x", {"blocks": {"twice": "xlazy:Double"}}, {"xlazy.py": double("twice")})
    assert problem("last: twic").hint == "did you mean `twice`?"


def test_a_clash_names_both_distributions(site):
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {"xb.py": double("twice")})
    install(site, "archspec-y", {"blocks": {"twice": "yb:Double"}}, {"yb.py": double("twice")}, "2.1")
    found = problem("last: twice")
    assert found.slug == "name-clash"
    assert found.message == "op `twice` is provided by both archspec-x 1.0 and archspec-y 2.1"
    assert found.hint == "pip uninstall archspec-x or archspec-y"
    assert (found.position.line, found.layer) == (6, "last")
    compiled("last: relu")


def test_a_clash_with_a_built_in_op_breaks_only_what_names_it(site):
    install(site, "archspec-x", {"blocks": {"relu": "xb:Double", "twice": "xb:Twice"}}, {"xb.py": double("relu")})
    found = problem("last: relu")
    assert found.message == f"op `relu` is provided by both archspec-nn {archspec.__version__} and archspec-x 1.0"
    assert found.hint == "pip uninstall archspec-x"
    compiled("last: tanh")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_library_that_is_missing", "ModuleNotFoundError: No module named 'a_library_that_is_missing'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x = 1", "AttributeError: module 'xbroken' has no attribute 'Double'"),
    ],
)
def test_a_broken_plugin_breaks_only_what_needs_it(site, source, reason):
    groups = {"blocks": {"twice": "xbroken:Double", "other": "xgood:Other"}}
    install(site, "archspec-x", groups, {"xbroken.py": source, "xgood.py": double("other", "Other")})
    found = problem("last: twice")
    assert found.slug == "broken-plugin"
    assert found.message == f"op `twice` is of archspec-x 1.0, which cannot be imported: {reason}"
    assert compiled("last: other")["last"].op == "other"
    assert "other" in json.dumps(schema())


def test_debug_shows_the_plugins_own_traceback(site, tmp_path):
    install(
        site, "archspec-x", {"blocks": {"twice": "xbroken:Double"}}, {"xbroken.py": "def deep():\n    1 / 0\n\ndeep()"}
    )
    with pytest.raises(SpecError) as caught:
        compiled("last: twice")
    plugin_error = caught.value.__cause__
    assert isinstance(plugin_error, PluginError)
    assert isinstance(plugin_error.__cause__, ZeroDivisionError)
    names = []
    trace = plugin_error.__cause__.__traceback__
    while trace:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names[-1] == "deep"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("xodd:NUMBER", "is no subclass of archspec.block.Block: 3"),
        ("xodd:Double", "has the op `twice`: its class and the entry point must agree"),
    ],
)
def test_an_entry_point_must_name_the_block_of_its_op(site, target, reason):
    source = double("twice") + "\n        NUMBER = 3\n"
    install(site, "archspec-x", {"blocks": {"thrice": target}}, {"xodd.py": source})
    found = problem("last: thrice")
    assert found.slug == "broken-plugin"
    assert found.message == f"op `thrice` is of archspec-x 1.0, where `{target}` {reason}"


def test_a_plugin_for_another_version_says_so(site):
    groups = {"plugin": {"api-2": "xb"}, "blocks": {"twice": "xb:Double"}}
    install(site, "archspec-x", groups, {"xb.py": "raise AssertionError('not to be imported')"})
    found = problem("last: twice")
    assert found.slug == "incompatible-plugin"
    assert "archspec-x 1.0, which is written for version 2 of the plugin API" in found.message
    assert found.hint == "pip install -U archspec-nn"


def test_a_plugin_for_this_version_works(site):
    groups = {"plugin": {"api-1": "xb"}, "blocks": {"twice": "xb:Double"}}
    install(site, "archspec-x", groups, {"xb.py": double("twice")})
    assert compiled("last: twice")


INITIALIZER = '''
    from archspec.initializers import Initializer


    class Ramp(Initializer, name="ramp"):
        """0, step, 2 step, ..."""

        step: float

        def fill(self, tensor, generator):
            import torch

            tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) * self.step)
'''


def test_an_initializer_of_a_plugin(site):
    install(site, "archspec-x", {"initializers": {"ramp": "xinit:Ramp"}}, {"xinit.py": INITIALIZER})
    rule = "init: [{op: linear, weight: {ramp: {step: 0.5}}, bias: 0}]"
    module = archspec.build(compiled("last: {op: linear, out_features: 2}", inputs="{x: [2]}", more=rule))
    assert module.last.weight.tolist() == [[0.0, 0.5], [1.0, 1.5]]
    found = problem(
        "last: {op: linear, out_features: 2}", inputs="{x: [2]}", more="init: [{weight: {rmap: {step: 1}}}]"
    )
    assert found.hint == "did you mean `ramp`?"
    assert "ramp" in json.dumps(schema())


PASS = """
    from dataclasses import replace


    def renamed(graph):
        return replace(graph, name="renamed")


    def nothing(graph):
        return None
"""


def test_a_pass_of_a_plugin(site):
    install(site, "archspec-x", {"passes": {"rename": "xp:renamed", "lose": "xp:nothing"}}, {"xp.py": PASS})
    assert archspec.compile("alexnet", passes=["rename"]).name == "renamed"
    with pytest.raises(SpecError, match="pass `lose` must give a graph, found None"):
        archspec.compile("alexnet", passes="lose")
    with pytest.raises(SpecError, match="did you mean `rename`"):
        archspec.compile("alexnet", passes="renam")


VIEW = '''
    from archspec.view import Report, View


    class Count(View, name="count"):
        """Counts layers."""

        times: int = 1
        """Factor."""

        def show(self, subject):
            number = len(subject.graph.layers) * self.times
            parameters = sum(1 for _ in subject.module().parameters())
            return Report(f"{number} layers", {"layers": number, "tensors": parameters}, "<svg/>")
'''


def test_a_view_of_a_plugin(site, tmp_path):
    install(site, "archspec-x", {"views": {"count": "xv:Count"}}, {"xv.py": VIEW})
    layers = len(archspec.compile("resnet18").layers)
    assert run("view", "count", "resnet18", "-o", "times=2").output == f"{2 * layers} layers\n"
    picture = tmp_path / "a.svg"
    done = run("view", "count", "resnet18", "--json", "--out", str(picture))
    assert json.loads(done.stdout) == {"layers": layers, "tensors": 53}
    assert picture.read_text() == "<svg/>"
    wrong = run("view", "count", "resnet18", "-o", "tmes=2", "-o", "times=x")
    assert isinstance(wrong.exception, SpecError) and len(wrong.exception.problems) == 2


TOKENS = '''
    from dataclasses import dataclass
    from typing import ClassVar

    from archspec.block import Primitive
    from archspec.tensor import CHW, Features, Vector


    @dataclass(frozen=True, slots=True)
    class Rows(Features):
        name: ClassVar[str] = "rows"
        kind: ClassVar[str] = "rows (rows x features)"
        rows: int
        features: int


    class FirstRow(Primitive, op="first_row"):
        """The first row.

        Shape:  rows x F -> F
        """

        def infer(self, x: Rows) -> Vector:
            return Vector(x.features)

        def lower(self, fx, x):
            import torch

            return fx.function(torch.select, x, 1, 0)


    class Either(Primitive, op="either"):
        """The same.

        Shape:  unchanged
        """

        def infer(self, x: CHW | Rows) -> CHW | Rows:
            return x

        def lower(self, fx, x):
            import torch

            return fx.function(torch.neg, x)
'''


@pytest.fixture
def rows(site):
    groups = {"shapes": {"rows": "xr:Rows"}, "blocks": {"first_row": "xr:FirstRow", "either": "xr:Either"}}
    install(site, "archspec-x", groups, {"xr.py": TOKENS})


ROWS = "{x: {rows: [4, 6]}}"
BODY = """
fc:   {op: linear, out_features: =2 * x.features}
act:  gelu
s:    {op: scale, bias: true}
soft: softmax
both: {op: concat, from: [s, soft]}
drop: {op: drop_path, p: 0.5}
last: first_row
"""


def test_a_shape_of_a_plugin_goes_in_and_through(rows):
    graph = compiled(BODY, inputs=ROWS)
    assert [str(node.shape) for node in graph] == ["4x6", "4x12", "4x12", "4x12", "4x12", "4x24", "4x24", "24"]
    assert graph["fc"].macs == 4 * 6 * 12
    module = archspec.build(graph).eval()
    x = torch.randn(3, 4, 6)
    s = module.s(torch.nn.functional.gelu(module.fc(x)))
    expected = torch.cat([s, s.softmax(2)], 2)[:, 0]
    torch.testing.assert_close(module(x), expected)
    assert verify(module, graph, standalone_source(graph), torch.device("cpu"))


def test_a_shape_of_a_plugin_is_written_and_resized(rows):
    graph = compiled(BODY, inputs=ROWS)
    again = archspec.compile(archspec.load(text=write(expanded(graph))))
    assert spec_hash(again) == spec_hash(graph)
    bigger = archspec.compile(archspec.load(text=spec(BODY, ROWS), inputs={"x": [9, 6]}))
    assert str(bigger["fc"].shape) == "9x12"
    assert run("summary", "alexnet", "--json").exit_code == 0
    assert "rows" in json.dumps(schema())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("{x: {rows: [4]}}", "input `x` must be [rows, features], each from 1, found [4]"),
        ("{x: {rows: [4, 0]}}", "input `x` must be [rows, features], each from 1, found [4, 0]"),
        ("{x: {row: [4, 6]}}", "input `x`: there is no kind of shape `row`"),
        ("{x: {rows: [4, 6], vector: [6]}}", "input `x` must be a list of sizes or {KIND: sizes}"),
        ("{x: [4, 6]}", "input `x` has 2 axes, found [4, 6]; it must have 1 or 3"),
    ],
)
def test_wrong_shapes_of_a_plugin(rows, inputs, message):
    assert problem("last: relu", inputs=inputs).message.startswith(message)


def test_a_block_says_which_kinds_it_takes(rows):
    found = problem("last: either", inputs="{x: [3]}")
    kinds = "a feature map (channels x height x width) or rows (rows x features)"
    assert found.message == f"either takes {kinds}, found 3, a vector (features)"
    assert compiled("last: either", inputs=ROWS) and compiled("last: either")
    slopes = problem("last: {op: prelu, per_channel: true}", inputs=ROWS)
    assert (
        slopes.message
        == "`per_channel` takes channels or features as the first axis, found 4x6, rows (rows x features)"
    )


def test_receptive_fields_are_not_claimed_where_there_is_no_grid(rows):
    from archspec.graph.receptive_field import receptive_fields

    assert set(receptive_fields(compiled(BODY, inputs=ROWS)).values()) == {None}


def test_a_classifier_of_rows_is_not_made_fully_convolutional(rows):
    with pytest.raises(SpecError, match=r"first_row reads 4x24, rows .* no feature map to slide over"):
        archspec.compile(archspec.load(text=spec(BODY, ROWS)), passes=["fully-convolutional"])


CRASHES = """
    import typing

    from archspec.block import Composite, Primitive
    from archspec.tensor import Shape

    if typing.TYPE_CHECKING:
        from archspec.tensor import CHW


    class Block(Primitive, op="crash"):
        METHODS
"""


@pytest.mark.parametrize(
    ("methods", "slug", "message"),
    [
        (
            "def infer(self, x: Shape): return 1 / 0",
            "broken-plugin",
            "`infer` of archspec-x 1.0 went wrong: ZeroDivisionError: division by zero",
        ),
        ("def infer(self, x: Shape): pass", "bad-block-class", "`infer` gives None, which is no shape"),
        (
            "def infer(self, x): return x",
            "bad-block-class",
            "the annotations of `infer` cannot be read: KeyError: 'x'",
        ),
        (
            "def infer(self, x: 'CHW'): return x",
            "bad-block-class",
            "the annotations of `infer` cannot be read: NameError: name 'CHW' is not defined",
        ),
        ("def infer(self): pass", "bad-block-class", "`infer` has no inputs"),
        (
            "def infer(self, x: Shape): return x\n        def macs(self, x): return x.wdth",
            "broken-plugin",
            "`macs` of archspec-x 1.0 went wrong: AttributeError: 'CHW' object has no attribute 'wdth'",
        ),
        (
            "def infer(self, x: Shape): return x\n        def macs(self, x): return 1.5",
            "bad-block-class",
            "`macs` gives 1.5, expected a whole number",
        ),
        (
            "def infer(self, x: Shape): return x\n        def parameters(self, x): return {'w': (3, 3)}",
            "bad-block-class",
            "`parameters` gives {'w': (3, 3)}, expected {name: Weight(shape, initializer)}, "
            "shapes as tuples of whole numbers",
        ),
        (
            "def infer(self, x: Shape): return x\n        def window(self, x): return 3",
            "bad-block-class",
            "`window` gives 3, expected None or Window((height, width), ...): pairs for all but padding, "
            "which is Sides(...)",
        ),
        (
            "def infer(self, x: Shape): return x\n        def saves(self, x): return None",
            "bad-block-class",
            "`saves` gives None, expected Saves(...)",
        ),
    ],
)
def test_a_crash_in_a_plugins_block_is_told_where_it_is_used(site, methods, slug, message):
    install(site, "archspec-x", {"blocks": {"crash": "xc:Block"}}, {"xc.py": CRASHES.replace("METHODS", methods)})
    found = problem("last: crash")
    assert (found.slug, found.message, found.position.line) == (slug, message, 6)
    if slug == "broken-plugin":
        with pytest.raises(SpecError) as caught:
            compiled("last: crash")
        assert isinstance(caught.value.__cause__, ZeroDivisionError | AttributeError)


def test_a_crash_in_lower_names_the_layer(site):
    methods = "def infer(self, x: Shape): return x\n        def lower(self, fx, x): return RESULT"
    for result, message in ("1 / 0", "`lower` went wrong: ZeroDivisionError"), ("None", "`lower` gives None"):
        source = CRASHES.replace("METHODS", methods).replace("RESULT", result)
        name = "one" if result == "None" else "two"
        install(
            site,
            f"archspec-{name}",
            {"blocks": {f"crash_{name}": f"x{name}:Block"}},
            {f"x{name}.py": source.replace('"crash"', f'"crash_{name}"')},
        )
        BLOCKS.forget()
        with pytest.raises(archspec.BuildError, match=rf"last \(crash_{name}\): {message}"):
            archspec.build(compiled(f"last: crash_{name}"))


def test_an_expanded_spec_and_a_manifest_say_which_plugins_they_need(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(spec(BODY, ROWS))
    assert run("build", "./net.yaml").exit_code == 0
    assert 'requires: ["archspec-x>=1.0"]' in Path("build/net/spec.yaml").read_text()
    assert json.loads(Path("build/net/manifest.json").read_text())["versions"]["archspec-x"] == "1.0"
    assert "requires" not in expanded(archspec.compile("resnet18"))


LIBRARY = """
archspec: 1
blocks:
  unit: {layers: {conv: {op: conv2d, out_channels: 2, kernel_size: 1}, act: relu}}
"""


def shelf(site: Path, name: str, specs: dict[str, str]) -> None:
    package = name.replace("-", "_")
    files = {f"{package}/specs/{file}": text for file, text in specs.items()}
    install(site, name, {"specs": {name: f"{package}.specs"}}, {f"{package}/__init__.py": "", **files})


def test_specs_and_libraries_of_a_plugin(site, tmp_path, monkeypatch):
    text = spec("last: unit", more="use: [blocks/unit.yaml]").replace("name: net", "name: unit-net")
    shelf(site, "archspec-x", {"unit-net.yaml": text, "blocks/unit.yaml": LIBRARY})
    assert archspec.compile("unit-net").params == 8
    assert compiled("last: unit", more="use: [blocks/unit.yaml]").params == 8
    assert archspec.compile(archspec.load(text="archspec: 1\nname: child\nextends: unit-net\n")).params == 8
    listed = json.loads(run("list", "--json").stdout)
    assert [item["plugin"] for item in listed if item["name"] == "unit-net"] == ["archspec-x 1.0"]
    assert "archspec_x" not in sys.modules, "specs are found without importing their package"
    monkeypatch.chdir(tmp_path)
    assert run("build", "unit-net").exit_code == 0


def test_the_hint_names_the_library_that_has_a_block(site):
    shelf(site, "archspec-x", {"blocks/unit.yaml": LIBRARY})
    assert problem("last: unit").hint == "block `unit` is in a library: add use: [blocks/unit.yaml]"
    assert problem("last: bottleneck").hint == "block `bottleneck` is in a library: add use: [blocks/residual.yaml]"


def test_specs_of_one_name_are_a_clash(site):
    shelf(site, "archspec-x", {"alexnet.yaml": spec("last: relu"), "same.yaml": spec("last: relu")})
    shelf(site, "archspec-y", {"same.yaml": spec("last: relu")})
    with pytest.raises(SpecError, match=r"same.yaml is provided by both archspec-x 1.0 and archspec-y 1.0"):
        archspec.compile("same")
    with pytest.raises(SpecError, match=r"alexnet.yaml is provided by both archspec-nn \S+ and archspec-x 1.0"):
        archspec.compile("alexnet")
    assert archspec.compile("resnet18")


def test_a_spec_of_a_plugin_cannot_read_outside(site):
    shelf(site, "archspec-x", {"net.yaml": spec("last: unit", more="use: [../../secret.yaml]")})
    (site / "secret.yaml").write_text(LIBRARY)
    with pytest.raises(SpecError, match="outside the spec's folder"):
        archspec.compile("net")


def test_one_broken_spec_of_a_plugin_does_not_break_the_list(site):
    shelf(site, "archspec-x", {"broken.yaml": "archspec: 1\nname: broken\n"})
    done = run("list")
    assert done.exit_code == 0 and "alexnet" in done.stdout
    assert "left out: broken of archspec-x 1.0" in done.stderr


def test_known_plugins_are_named(site, monkeypatch):
    monkeypatch.setattr(
        "archspec.plugins.known",
        lambda: {"archspec-x": {"about": "", "op": ["quadruple"], "spec": ["quad-net"], "library": ["blocks/q.yaml"]}},
    )
    assert problem("last: quadruple").hint == (
        "`quadruple` comes with the plugin archspec-x: pip install archspec-x, or in a clone of archspec "
        "./plugins/archspec-x"
    )
    assert problem("last: quadrupl").hint.startswith("did you mean `quadruple` of the plugin archspec-x")
    with pytest.raises(SpecError, match="`quad-net` comes with the plugin archspec-x"):
        archspec.compile("quad-net")
    found = problem("last: relu", more="use: [blocks/q.yaml]")
    assert "comes with the plugin archspec-x" in found.hint


def test_two_copies_of_one_distribution_are_no_clash(site):
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {"xb.py": double("twice")})
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {}, "0.9")
    assert compiled("last: twice")


def test_a_local_block_of_the_name_of_a_plugins_op(site):
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {"xb.py": double("twice")})
    graph = compiled("last: twice", more="blocks: {twice: {layers: {act: relu}}}")
    assert graph["last.act"].op == "relu", "what a spec says itself wins: a new plugin changes no spec"


def test_a_composite_of_a_plugin(site):
    source = '''
        from archspec.block import Composite, Count
        from archspec.errors import ShapeError


        class Tower(Composite, op="tower"):
            """Convolutions one after another, then a plugin's own block."""

            depth: Count

            def expand(self, b, x):
                """Add the layers."""
                if x.shape.height < self.depth:
                    raise ShapeError("the tower is too high", "make it lower")
                for number in range(self.depth):
                    x = b.layer(f"conv{number}", "conv2d", x, out_channels=2, kernel_size=1)
                return b.layer("twice", "twice", x)
    '''
    groups = {"blocks": {"tower": "xt:Tower", "twice": "xb:Double"}}
    install(site, "archspec-x", groups, {"xt.py": source, "xb.py": double("twice")})
    layers = "a: {op: tower, depth: 2}\nmid: {op: add, from: [a, a.conv1]}\nb: {shares: a}\n"
    graph = compiled(layers, inputs="{image: [2, 8, 8]}", out="b")
    assert "a.conv1.weight" in graph.state_shapes() and graph["a.twice"].op == "twice"
    module = archspec.build(graph)
    assert verify(module, graph, standalone_source(graph), torch.device("cpu"))
    wrong = problem("a: {op: tower, from: [image, image], depth: 1}", out="a")
    assert (wrong.slug, wrong.message) == ("wrong-arity", "tower takes one input, found 2")
    found = problem("last: {op: tower, depth: 9}")
    assert (found.message, found.hint, found.position.line) == ("the tower is too high", "make it lower", 6)


def test_plugins_are_listed_with_their_health(site):
    short = "recipe: 1\nname: short\nextends: quick\nlength: 3 steps\n"
    files = {"unit-net.yaml": spec("last: relu"), "blocks/unit.yaml": LIBRARY, "recipes/short.yaml": short}
    shelf(site, "archspec-good", files)
    groups = {"blocks": {"twice": "xbroken:Double", "elu": "xb:Elu"}, "dances": {"tango": "xb:Tango"}}
    install(site, "archspec-bad", groups, {"xbroken.py": "1 / 0", "xb.py": ""})
    done = run("plugins")
    assert done.exit_code == 1
    assert "archspec-good 1.0: healthy" in done.output
    assert "recipes: short" in done.output and "short" in run("recipe", "list").output
    assert "specs: unit-net" in done.output and "libraries: blocks/unit.yaml (unit)" in done.output
    assert "archspec-bad 1.0: 2 problems" in done.output
    bad, good = json.loads(run("plugins", "--json").output)
    assert (good["name"], good["problems"], bad["provides"]["ops"]) == ("archspec-good", [], ["elu", "twice"])
    assert any("ZeroDivisionError" in text for text in bad["problems"])
    assert any("provided by both" in text for text in bad["problems"])
    assert bad["provides"]["archspec.dances (not of this version)"] == ["tango"]


def test_without_plugins_all_is_well(site):
    done = run("plugins")
    assert done.exit_code == 0 and done.output.startswith("no plugins are installed")


def test_blocks_are_documented_whoever_brings_them(site):
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {"xb.py": double("twice")})
    shelf(site, "archspec-y", {"blocks/unit.yaml": LIBRARY})
    page = run("blocks", "twice").output
    assert page.startswith("twice   (archspec-x 1.0)\n") and "Shape:  any, unchanged" in page and "no fields" in page
    assert "needs   use: [blocks/unit.yaml]" in run("blocks", "unit").output
    table = run("blocks").output
    assert "archspec-x 1.0" in next(line for line in table.splitlines() if line.startswith("twice "))
    data = json.loads(run("blocks", "conv2d", "--json").output)
    assert data["fields"][0] == {
        "name": "out_channels",
        "type": "whole number from 1",
        "required": True,
        "default": None,
        "doc": "Channels of the output: the number of kernels.",
    }
    missing = run("blocks", "conv")
    assert isinstance(missing.exception, SpecError) and "did you mean" in str(missing.exception)


@pytest.mark.parametrize("op", BLOCKS.builtin)
def test_every_block_has_a_page(op):
    page = run("blocks", op)
    assert page.exit_code == 0
    assert all(f"  {name}: " in page.output for name in BLOCKS[op].model_fields)
    assert "Shape:" in page.output
    assert "anything" not in {field["type"] for field in json.loads(run("blocks", op, "--json").output)["fields"]}


def test_what_is_installed_is_seen_anew(site):
    with pytest.raises(SpecError):
        compiled("last: twice")
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {"xb.py": double("twice")})
    assert not installed()
    BLOCKS.forget()
    assert compiled("last: twice")


@pytest.mark.parametrize("size", ["x.width / 2", "0", "-3", "True"])
def test_sizes_that_are_no_whole_numbers_are_refused(site, size):
    methods = (
        f"def infer(self, x: Shape):\n            from archspec.tensor import CHW\n            return CHW(3, 4, {size})"
    )
    install(site, "archspec-x", {"blocks": {"crash": "xc:Block"}}, {"xc.py": CRASHES.replace("METHODS", methods)})
    found = problem("last: crash")
    assert found.slug == "bad-block-class" and "whose sizes are not all whole numbers from 1" in found.message


ODD = '''
    from __future__ import annotations

    from typing import Callable

    from archspec.block import Primitive
    from archspec.tensor import Shape


    class Odd(Primitive, op="odd"):
        """A block.

        Shape:  any, unchanged
        """

        how: Callable[[int], int] = abs

        def infer(self, x: Shape) -> Shape:
            return x
'''


def test_one_odd_block_costs_no_command_the_others(site):
    install(site, "archspec-odd", {"blocks": {"odd": "xodd2:Odd", "gone": "xodd2:Gone"}}, {"xodd2.py": ODD})
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {"xb.py": double("twice")})
    table = run("blocks")
    assert table.exit_code == 0 and "\ntwice " in table.stdout and "\nrelu " in table.stdout
    assert "left out: op `odd` of archspec-odd 1.0: PydanticInvalidForJsonSchema" in table.stderr
    made = run("schema")
    assert made.exit_code == 0 and "op.twice" in made.stdout and "op.odd" not in made.stdout
    assert isinstance(run("blocks", "odd").exception, PluginError)
    assert "archspec-odd 1.0: 2 problems" in run("plugins").output


def test_a_plugin_that_prints_leaves_output_alone(site):
    source = "        print('LOUD')\n" + double("twice")
    install(site, "archspec-x", {"blocks": {"twice": "xloud:Double"}}, {"xloud.py": source})
    (site / "net.yaml").write_text(spec("last: twice"))
    done = run("summary", str(site / "net.yaml"), "--json")
    assert json.loads(done.stdout)["name"] == "net" and "LOUD" in done.stderr


def test_debug_shows_the_cause_in_validate_too(site):
    install(
        site, "archspec-x", {"blocks": {"twice": "xbroken:Double"}}, {"xbroken.py": "def deep():\n    1 / 0\n\ndeep()"}
    )
    (site / "net.yaml").write_text(spec("last: twice"))
    assert "Traceback" not in run("validate", str(site / "net.yaml")).output
    shown = run("--debug", "validate", str(site / "net.yaml")).output
    assert "ZeroDivisionError: division by zero" in shown and "in deep" in shown


def test_metadata_that_is_none_is_passed_over(site):
    install(site, "archspec-x", {"blocks": {"twice": "xb:Double"}}, {"xb.py": double("twice")})
    bad = site / "archspec_bad-1.0.dist-info"
    bad.mkdir()
    (bad / "METADATA").write_text("Name: archspec-bad\nVersion: 1.0\n")
    (bad / "entry_points.txt").write_text("[archspec.blocks]\nthis is no entry point\n")
    assert compiled("last: twice")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no')", "the view `boom` of archspec-x 1.0 went wrong: ValueError: no"),
        ("return 3", "the view `boom` of archspec-x 1.0 gives 3, expected a Report"),
    ],
)
def test_a_view_that_fails_is_named(site, body, message):
    head = "from archspec.view import View\n\nclass Boom(View, name='boom'):\n    def show(self, subject):\n"
    source = f"{head}        {body}\n"
    install(site, "archspec-x", {"views": {"boom": "xboom:Boom"}}, {"xboom.py": source})
    error = run("view", "boom", "lenet5").exception
    assert isinstance(error, PluginError) and message in str(error)


def test_a_pass_that_fails_is_named(site):
    install(site, "archspec-x", {"passes": {"fail": "xp2:fail"}}, {"xp2.py": "def fail(graph):\n    return 1 / 0\n"})
    with pytest.raises(SpecError, match=r"pass `fail` of archspec-x 1\.0 went wrong: ZeroDivisionError"):
        archspec.compile("lenet5", passes="fail")


def test_names_of_a_composites_layers_are_held_to_the_rules(site):
    source = '''
        from archspec.block import Composite


        class Odd(Composite, op="odd"):
            """A block."""

            name: str

            def expand(self, b, x):
                return b.layer(self.name, "odd" if self.name == "again" else "relu", x, **(
                    {"name": "again"} if self.name == "again" else {}
                ))
    '''
    install(site, "archspec-x", {"blocks": {"odd": "xodd3:Odd"}}, {"xodd3.py": source})
    assert compiled("last: {op: odd, name: fine}")
    for name in ('""', "a b", "training", "class", "_hidden", "input"):
        told = problem(f"last: {{op: odd, name: {name}}}").message
        assert told.startswith("odd: ") and "cannot name a layer" in told
    assert problem("last: {op: odd, name: again}").slug == "too-deep"


def test_inputs_with_defaults_may_be_left_out(site):
    methods = "def infer(self, x: Shape, y: Shape = None): return x"
    install(site, "archspec-x", {"blocks": {"crash": "xopt:Block"}}, {"xopt.py": CRASHES.replace("METHODS", methods)})
    assert compiled("last: crash") and compiled("last: {op: crash, from: [image, image]}")
    assert problem("last: {op: crash, from: [image, image, image]}").message == "crash takes one input, found 3"
