"""What may import what, what is imported at start, and what the package exports."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import archspec
from archspec.cli.app import COMMANDS
from archspec.spec.document import MODULE_NAMES

ROOT = Path(archspec.__file__).parent
SPEC = ROOT.parent / "specs" / "alexnet.yaml"
MODULES = sorted(path for path in ROOT.rglob("*.py") if not {"specs", "starter_plugin"} & {*path.parts})

LAYERS = [
    ["errors"],
    ["file"],
    ["plugins"],
    ["tensor", "length", "draw", "image"],
    ["initializers"],
    ["block", "view", "part"],
    ["ops"],
    ["blocks", "parts"],
    ["registry"],
    ["spec"],
    ["recipe"],
    ["graph"],
    ["views"],
    ["drawing"],
    ["lowering"],
    ["notebook"],
    ["api"],
    ["testing"],
    ["data"],
    ["train"],
    ["measure"],
    ["cli"],
]
"""Bottom up: an import may only go down, or stay within its own package."""

LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}
FACADE = {"__init__", "__main__"}
"""The package's own doors, which belong to no layer."""

HOMES = {"torch": {"lowering", "ops", "testing", "data", "train", "measure"}, "networkx": {"graph"}, "yaml": {"spec"}}
"""Where a library may be imported at module level."""


def part(path):
    """The layer of a file: its name in `LAYERS`."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def statements(node, inside=False):
    """Import statements below a node, each with whether it is inside a function; TYPE_CHECKING blocks are left out."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, inside
        yield from statements(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def imported(path):
    """Modules a file imports, each with whether that happens inside a function."""
    for statement, inside in statements(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            yield from ((alias.name, inside) for alias in statement.names)
        else:
            assert statement.level == 0, f"{path}: imports are absolute"
            yield from ((f"{statement.module}.{alias.name}", inside) for alias in statement.names)


def named(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_file_belongs_to_a_layer(path):
    assert part(path) in LEVELS.keys() | FACADE


@pytest.mark.parametrize("path", [path for path in MODULES if part(path) not in FACADE], ids=named)
def test_imports_go_down(path):
    own = part(path)
    for name, _ in imported(path):
        package, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if package == "archspec" and other in LEVELS and other != own:
            assert LEVELS[other] < LEVELS[own], f"{named(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_libraries_are_imported_at_home(path):
    for name, inside in imported(path):
        library = name.partition(".")[0]
        if library in HOMES and not inside:
            assert part(path) in HOMES[library], f"{named(path)} imports {name}"


@pytest.mark.parametrize("path", [path for path in MODULES if part(path) != "graph"], ids=named)
def test_networkx_is_imported_in_graph_alone(path):
    assert not [name for name, _ in imported(path) if name.partition(".")[0] == "networkx"]


@pytest.mark.parametrize("path", [path for path in MODULES if part(path) != "spec"], ids=named)
def test_yaml_is_imported_in_spec_alone(path):
    assert not [name for name, _ in imported(path) if name.partition(".")[0] == "yaml"]


@pytest.mark.parametrize("path", [path for path in MODULES if part(path) == "blocks"], ids=named)
def test_a_block_imports_torch_in_lower_alone(path):
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef) and function.name != "lower":
            names = [ast.unparse(statement) for statement, _ in statements(function)]
            assert not [name for name in names if "torch" in name], function.name


def test_the_law_sees_the_imports_it_is_about():
    found = {name for path in MODULES for name, _ in imported(path)}
    assert {"networkx", "torch", "yaml", "archspec.errors.ShapeError"} <= found


def loaded_after(code):
    """Which of the heavy libraries a fresh interpreter has loaded after running code."""
    heavy = ("torch", "networkx", "pydantic", "yaml", "numpy", "click")
    report = f"import sys, json; print('LOADED', json.dumps([name for name in {heavy} if name in sys.modules]))"
    program = f"try:\n    {code}\nexcept SystemExit as end:\n    assert not end.code, end.code\n{report}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.rpartition("LOADED")[2]))


def command(*arguments):
    return f"import sys; sys.argv = {['archspec', *arguments]!r}; from archspec.cli.app import main; main()"


def test_import_archspec_is_light():
    assert loaded_after("import archspec") == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_is_light(option):
    assert loaded_after(command(option)) == {"click"}


@pytest.mark.parametrize(
    "arguments",
    [["validate"], ["summary"], ["expand"], ["diff", str(SPEC)], ["explain", "fc6"]],
    ids=lambda arguments: arguments[0],
)
def test_commands_on_specs_never_import_torch(arguments):
    name, *more = arguments
    loaded = loaded_after(command(name, str(SPEC), *more))
    assert "networkx" in loaded
    assert not loaded & {"torch", "numpy"}


def test_commands_without_a_spec_never_import_torch(tmp_path):
    assert not loaded_after(command("list")) & {"torch", "numpy"}
    assert not loaded_after(command("new", "net", "--out", str(tmp_path))) & {"torch", "numpy", "networkx"}


@pytest.mark.parametrize("arguments", [["schema"], ["schema", str(SPEC)]])
def test_the_schema_never_imports_torch(arguments):
    assert not loaded_after(command(*arguments)) & {"torch", "numpy"}


def test_formatting_needs_only_yaml():
    assert loaded_after(command("fmt", "--check", str(SPEC))) == {"click", "yaml"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_is_light(name):
    assert loaded_after(command(name, "--help")) == {"click"}


def test_compile_never_imports_torch():
    assert "torch" not in loaded_after(f"import archspec; archspec.compile({str(SPEC)!r})")


def test_the_export_list_is_frozen():
    assert archspec.__all__ == [
        "ArchspecError",
        "BuildError",
        "Graph",
        "Node",
        "Picture",
        "Position",
        "Problem",
        "ShapeError",
        "Spec",
        "SpecError",
        "build",
        "compile",
        "load",
        "render",
    ]


@pytest.mark.parametrize("name", archspec.__all__)
def test_what_is_exported_can_be_imported(name):
    assert getattr(archspec, name).__name__ == name


def test_what_is_not_exported_cannot():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = archspec.nothing


def test_the_names_a_layer_cannot_have_cover_those_of_networks():
    from archspec.lowering.module import Network

    public = {name for name in dir(Network()) if not name.startswith("_")}
    assert public <= MODULE_NAMES
