"""A spec is data: whatever a text says, reading and compiling it runs nothing and ends soon."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from archspec import api
from archspec.errors import ExpressionError, SpecError
from archspec.spec.expression import evaluate

SECONDS = 5.0

SPEC = """\
archspec: 1
name: canary
{head}
params: {{width: 8, kind: A}}
inputs: {{image: [3, 8, 8]}}
layers:
  conv: {{op: conv2d, kernel_size: 3, out_channels: {value} }}
outputs: {{features: conv}}
"""


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that comes to exist if any of the texts below is ever run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "canary"


def refuse(text: str, **options: object) -> SpecError:
    start = time.perf_counter()
    with pytest.raises(SpecError) as caught:
        api.validate(api.load(text=text), **options)
    assert time.perf_counter() - start < SECONDS
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value)) < 20_000
    return caught.value


def slugs(error: SpecError) -> set[str]:
    return {problem.slug for problem in error.problems}


TAGGED = [
    "!!python/object/apply:os.system ['touch canary']",
    "!!python/object/apply:subprocess.check_output [['touch', 'canary']]",
    '!!python/object/apply:builtins.exec [\'open("canary", "w")\']',
    '!!python/object/apply:builtins.eval [\'open("canary", "w")\']',
    "!!python/object/apply:pathlib.Path.touch [canary]",
    "!!python/object/apply {args: ['touch canary'], kwds: {}}",
    "!!python/object/new:os.system ['touch canary']",
    "!!python/object/new:type {args: [z, [], {}], state: {x: 1}}",
    '!!python/object/new:tuple [!!python/object/new:map [!!python/name:eval , [\'open("canary","w")\']]]',
    "!!python/object:os.system {}",
    "!!python/object:pathlib.PosixPath {}",
    "!!python/name:os.system",
    "!!python/name:builtins.open x",
    "!!python/module:os",
    "!!python/module:antigravity ''",
    "!!python/tuple [1, 2]",
    "!!python/list [1, 2]",
    "!!python/dict {a: 1}",
    "!!python/set {a}",
    "!!python/str a",
    "!!python/unicode a",
    "!!python/int 1",
    "!!python/long 1",
    "!!python/float 1.5",
    "!!python/complex 1j",
    "!!python/bool true",
    "!!python/bytes YQ==",
    "!!python/none ''",
    "!!python/generator []",
    "!!binary YQ==",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!pairs [a: 1]",
    "!!timestamp 2001-01-01",
    "!!merge <<",
    "!!value =",
    "!!yaml x",
    "!!str 8",
    "!!int '8'",
    "!!float 8",
    "!!bool true",
    "!!null null",
    "!!map {a: 1}",
    "!!seq [1]",
    "!canary {touch: canary}",
    "!include canary.yaml",
    "!ENV HOME",
    "!env ${HOME}",
    "!join [a, b]",
    "!ruby/object:Gem::Requirement {}",
    "!!javax.script.ScriptEngineManager [a]",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch canary']",
    "!<!python/object/apply:os.system> ['touch canary']",
    "!<tag:example.com,2000:canary> x",
    "! 8",
    "&anchor !!python/name:os.system",
    "!!python/name:os.system &anchor x",
]


@pytest.mark.parametrize("value", TAGGED)
@pytest.mark.parametrize("place", ["value", "section", "root", "key"])
def test_tags(canary: Path, value: str, place: str) -> None:
    if place == "value":
        error = refuse(SPEC.format(head="", value=value))
    elif place == "section":
        error = refuse(SPEC.format(head=f"description: {value}", value=8))
    elif place == "root":
        error = refuse(f"{value}\n")
    else:
        error = refuse(SPEC.format(head=f"? {value}\n: x", value=8))
    assert "yaml-tag" in slugs(error)
    assert not canary.exists()
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("directives", "value"),
    [
        ("%TAG ! tag:yaml.org,2002:python/", "!name:os.system x"),
        ("%TAG !! tag:yaml.org,2002:python/", "!!object/apply:os.system ['touch canary']"),
        ("%TAG !p! tag:yaml.org,2002:python/object/apply:", "!p!os.system ['touch canary']"),
        ("%YAML 1.1\n%TAG !e! tag:example.com,2000:", "!e!canary x"),
    ],
)
def test_tag_directives(canary: Path, directives: str, value: str) -> None:
    error = refuse(f"{directives}\n---\n{SPEC.format(head='', value=value)}")
    assert slugs(error) == {"yaml-tag"}
    assert not canary.exists()


@pytest.mark.parametrize("directives", ["%TAG", "%TAG ! !\n%TAG ! !", "%YAML 9.9", "%YAML 1.1\n%YAML 1.1"])
def test_broken_directives(directives: str) -> None:
    assert slugs(refuse(f"{directives}\n---\n{SPEC.format(head='', value=8)}")) == {"yaml"}


@pytest.mark.parametrize(
    "name",
    ["os.system('touch canary')", "$(touch canary)", "`touch canary`", "{{ 7*7 }}", "${7*7}", "%(a)s", "{0.__class__}"],
)
def test_text_is_inert(canary: Path, name: str) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    graph = api.validate(api.load(text=SPEC.format(head=f"description: {quoted}", value=8)))
    assert graph.description == name
    assert not canary.exists()


@pytest.mark.parametrize(
    "op",
    [
        "os.system",
        "torch.nn.Conv2d",
        "archspec.blocks.conv2d:Conv2d",
        "__import__",
        "eval",
        "../conv2d",
        "Conv2d",
        "input",
    ],
)
def test_ops_are_looked_up_in_the_vocabulary_only(op: str) -> None:
    assert slugs(refuse(SPEC.format(head="", value=8).replace("op: conv2d", f"op: '{op}'"))) == {"unknown-op"}


ESCAPES = [
    # walks along attributes
    "().__class__",
    "().__class__.__bases__[0].__subclasses__()",
    "[].__class__.__mro__[1].__subclasses__()[0]",
    "''.__class__.__mro__",
    "'{0.__class__}'.format(1)",
    "'%s' % width",
    "width.__class__",
    "width.real",
    "width.bit_length()",
    "kind.upper()",
    "kind.__len__()",
    "kind.format(width)",
    "image.__class__",
    "image.__init__.__globals__",
    "image.channels.__class__",
    "image.shape",
    "true.__class__",
    "(1).__class__",
    "1 .__class__",
    "[1].append(2)",
    "min.__self__",
    "min.__self__.open('canary', 'w')",
    "max.__module__",
    "(min)(1, 2).real",
    "[min][0](1, 2)",
    "(min if true else max)(1, 2)",
    "min(1, 2)(3)",
    # names
    "__import__('os').system('touch canary')",
    "__builtins__",
    "__builtins__['open']('canary', 'w')",
    "__name__",
    "__file__",
    "__loader__",
    "open('canary', 'w')",
    'exec(\'open("canary", "w")\')',
    'eval(\'open("canary", "w")\')',
    "compile('1', '', 'eval')",
    "getattr(width, 'real')",
    "setattr(width, 'x', 1)",
    "vars()",
    "globals()",
    "locals()",
    "dir()",
    "type(width)",
    "object()",
    "print('x')",
    "input()",
    "breakpoint()",
    "help()",
    "exit()",
    "quit",
    "os.system('touch canary')",
    "sys.exit()",
    "sum([1, 2])",
    "sorted([1, 2])",
    "range(10)",
    "list('ab')",
    "str(width)",
    "float(width)",
    "bytes(10)",
    "bytearray(10)",
    "pow(2, 3)",
    "map(abs, [1])",
    "any([true])",
    "chr(65)",
    "self",
    "names",
    "visit",
    "_walk",
    # forms of Python
    "lambda: 8",
    "(lambda: 8)()",
    "[x for x in [8]][0]",
    "{x for x in [8]}",
    "{x: x for x in [8]}",
    "(x for x in [8])",
    "min(x for x in [8, 9])",
    "(x := 8)",
    "x = 8",
    "width += 1",
    "f'{width}'",
    "f\"{open('canary', 'w')}\"",
    "rb'a'",
    "b'a'",
    "8j",
    "...",
    "Ellipsis",
    "NotImplemented",
    "None",
    "True",
    "await width",
    "async",
    "yield",
    "(yield)",
    "yield 8",
    "*[8]",
    "[*[8]][0]",
    "min(*[8, 9])",
    "min(8, 9, key=abs)",
    "min(**{})",
    "{**{}}",
    "{}",
    "{1: 8}[1]",
    "{8}",
    "(8,)",
    "8,",
    "[8, 9][0:1]",
    "[8, 9][...]",
    "[8, 9][:]",
    "[8, 9][0, 1]",
    "[[8]][[0]]",
    "8 is 8",
    "8 is not 9",
    "8 @ 8",
    "8 | 1",
    "8 & 1",
    "8 ^ 1",
    "~8",
    "1 << 3",
    "64 >> 3",
    "import os",
    "from os import system",
    "del width",
    "assert true",
    "raise 8",
    "pass",
    "return 8",
    "global width",
    "8; 8",
    "8\n8",
    "if true: 8",
    "while true: 8",
    "for x in [8]: x",
    "def f(): 8",
    "class A: 8",
    "with open('canary', 'w'): 8",
    "@min",
    "`8`",
    "8 if width",
    "8 <> 9",
    "not",
    "()",
    "8)",
    "(8",
    "'8",
    "\\",
    "8 \\",
    "#",
    "8 +",
    "$width",
    "?",
    "!",
    # numbers and sizes
    "2 ** 3",
    "9 ** 9 ** 9 ** 9",
    "-2 ** 63",
    "99999999 * 99999999 * 99999999",
    "9007199254740993",
    "9007199254740992 + 1",
    "1e308 * 10",
    "1e400",
    "-1e400",
    "1e308 - -1e308",
    "0x" + "f" * 900,
    "9" * 900,
    "1e999999999",
    "8 // 0",
    "8 / 0.0",
    "8 % 0",
    "0 / 0",
    "int(1e400)",
    "round(1e400 - 1e400)",
    "'a' * 8",
    "8 * 'a'",
    "'a' * 9999999999",
    "'a' + 'b'",
    "[8] * 8",
    "[0] * 9999999999",
    "[8] + [9]",
    "-'a'",
    "-[8]",
    "not 8",
    "true + true",
    "-true",
    "len('a')",
    "len(8)",
    "len([[8]], 1)",
    "int('8')",
    "int('9' , 10)",
    "int(null)",
    "abs('a')",
    "abs([8])",
    "abs(true)",
    "min('a', 'b')",
    "max([])",
    "max()",
    "round(8.5, 1)",
    "8 in 'a'",
    "'a' in 'abc'",
    "8 in 8",
    "[8] in [[8]]",
    "8 < 'a'",
    "[8] < [9]",
    "null < 8",
    "true < false",
    "8 and 9",
    "8 or 9",
    "8 if 8 else 9",
    "[8][1]",
    "[8][-2]",
    "[8][true]",
    "[8][0.0]",
    "[8]['0']",
    "'abc'[0]",
    "8[0]",
    "width[0]",
    # depth and length
    "(" * 300 + "8" + ")" * 300,
    "[" * 300 + "8" + "]" * 300,
    "-" * 900 + "8",
    "+".join(["1"] * 400),
    "not " * 200 + "true",
    "1 if false else " * 60 + "1",
    "min(" * 100 + "8, 9" + ", 9)" * 100,
    "abs(" * 150 + "8" + ")" * 150,
    "8" + " " * 1000 + "+ 1",
    "(" * 50_000,
    "8+" * 50_000 + "8",
    "9" * 100_000,
    "a" * 100_000,
    "'" + "a" * 100_000 + "'",
    "." * 100_000,
    "image" + ".channels" * 10_000,
    # look-alikes and odd characters
    "__ｉmport__('os')",
    "＿＿import＿＿('os')",
    "ｅval('8')",
    "𝐞𝐱𝐞𝐜('8')",
    "wіdth",
    "width\u200b",
    "8\u2028+ 8",
    "8\u00a0+ 8",
    "８ ＋ ８",
    "٨",
    "²",
    "½",
    "８",
    "×",
    "8 − 1",
    "‘a’",
    "\ud7ff",
    "\ufdd0",
    "\U0001f642",
    "\u202e8",
    "8\x00",
    "\x00",
    "'\x00' == 8 < 9",
    "8\x1a",
    "\\N{DIGIT EIGHT}",
]


def quoted(text: str) -> str:
    """A YAML text in double quotes, every character outside ASCII escaped."""
    escaped = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


def short(text: str) -> str:
    return ascii(text)[1:-1][:40]


@pytest.mark.parametrize("body", ESCAPES, ids=short)
def test_expressions_that_are_refused(canary: Path, body: str) -> None:
    error = refuse(SPEC.format(head="", value=quoted("=" + body)))
    assert slugs(error) <= {"bad-expression", "bad-field"}
    assert not canary.exists()


@pytest.mark.parametrize("body", ["__import__('os').system('touch canary')", "open('canary', 'w')", "().__class__"])
@pytest.mark.parametrize(
    "line",
    [
        "let: {{x: {value}}}",
        "let: {{x: [{{y: {value}}}]}}",
        "check: [{{that: {value}, say: no}}]",
        "init: [{{op: conv2d, weight: {value}}}]",
        "init: [{{op: {value}, weight: 0}}]",
        "init: [{{match: {value}, weight: 0}}]",
    ],
)
def test_expressions_in_every_section(canary: Path, body: str, line: str) -> None:
    error = refuse(SPEC.format(head=line.format(value=quoted("=" + body)), value=8))
    assert slugs(error) == {"bad-expression"}
    assert not canary.exists()


@pytest.mark.parametrize("key", ["op", "when", "repeat", "from", "else"])
def test_expressions_in_every_key_of_a_layer(canary: Path, key: str) -> None:
    layer = {"op": "conv2d", "kernel_size": "1", "out_channels": "3"}
    layer |= {"when": "=false"} if key == "else" else {}
    layer[key] = quoted("=open('canary', 'w')")
    fields = ", ".join(f"{name}: {value}" for name, value in layer.items())
    text = SPEC.format(head="", value=3).replace("outputs:", f"  next: {{{fields}}}\noutputs:")
    assert slugs(refuse(text.replace("features: conv", "features: next"))) <= {"bad-expression", "bad-reference"}
    assert not canary.exists()


class Nothing:
    """A scope without names, which also must not be reached by attribute walks."""

    def value(self, name: str) -> object:
        raise ExpressionError(f"no `{name}`")

    def axis(self, path: str, axis: str) -> int:
        raise ExpressionError(f"no `{path}.{axis}`")


@pytest.mark.parametrize("body", ["".join(["["] * 45 + ["8"] + ["]"] * 45), "1" + "+1" * 40, "--" * 20 + "8"])
def test_modest_depth_is_allowed(body: str) -> None:
    assert evaluate(f"={body}", Nothing()) is not None


@pytest.mark.parametrize(
    "setting",
    ["!!python/object/apply:os.system ['touch canary']", "=open('canary', 'w')", "[" * 5000, "&a [*a]", "{<<: {a: 1}}"],
)
def test_settings_are_data(canary: Path, setting: str) -> None:
    from archspec.spec.params import Setting

    text = SPEC.format(head="", value="=width")
    refuse(text, set={"width": Setting(setting)})
    assert not canary.exists()


def test_a_text_reads_no_file_but_the_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "units.yaml").write_text("archspec: 1\nblocks: {unit: {layers: {relu: relu}}}\n")
    assert "missing-file" in slugs(refuse(SPEC.format(head="use: units.yaml", value=8)))
    assert slugs(refuse(SPEC.format(head=f"use: {tmp_path}/units.yaml", value=8))) & {"missing-file", "outside-folder"}
    api.validate(api.load(text=SPEC.format(head="use: blocks/residual.yaml", value=8)))


BOMBS = {
    "repeat": "{relu: {op: relu, repeat: 1000000000}}",
    "repeat by expression": "{relu: {op: relu, repeat: '=9007199254740992'}}",
    "flat repeat": "{relu: {op: relu, repeat: {count: 1000000000, flat: true}}}",
    "nested": "{a: {op: a, repeat: 1000}}",
    "deep": "{l0: {op: l0}}",
    "exponential by when": "{w0: {op: w0}}",
}
BLOCKS = "\n".join(
    [
        "  a: {layers: {b: {op: b, repeat: 1000}}}",
        "  b: {layers: {c: {op: c, repeat: 1000}}}",
        "  c: {layers: {relu: {op: relu, repeat: 1000}}}",
        *(f"  l{n}: {{layers: {{x: l{n + 1}, y: l{n + 1}}}}}" for n in range(40)),
        "  l40: {layers: {relu: relu}}",
        *(f"  w{n}: {{layers: {{x: {{op: w{n + 1}, when: =true}}, y: w{n + 1}}}}}" for n in range(40)),
        "  w40: {layers: {relu: {op: relu, when: =true}}}",
    ]
)


@pytest.mark.parametrize("name", BOMBS)
def test_networks_too_large_end_soon(name: str) -> None:
    text = f"archspec: 1\nname: bomb\ninputs: {{image: [3, 8, 8]}}\nblocks:\n{BLOCKS}\nlayers: {BOMBS[name]}\n"
    last = BOMBS[name][1:].split(":")[0]
    error = refuse(f"{text}outputs: {{features: {last}}}\n", max_nodes=2000)
    assert slugs(error) == {"too-many-nodes"}


EMPTY = "{layers: {relu: {op: relu, when: =false}}}"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("blocks", "layer"),
    [
        (
            "\n".join([*(f"  e{n}: {{layers: {{x: e{n + 1}, y: e{n + 1}}}}}" for n in range(40)), f"  e40: {EMPTY}"]),
            "e0",
        ),
        (f"  e: {EMPTY}", "{op: e, repeat: 1000000000}"),
    ],
)
def test_blocks_without_layers_do_not_multiply(blocks: str, layer: str) -> None:
    """They make no nodes, and yet must not take forever."""
    text = f"archspec: 1\nname: bomb\ninputs: {{image: [3, 8, 8]}}\nblocks:\n{blocks}\n"
    refuse(f"{text}layers: {{e: {layer}, relu: relu}}\noutputs: {{features: relu}}\n", max_nodes=2000)
