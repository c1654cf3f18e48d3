"""Code that model.py carries along: functions and classes that a network calls and torch does not have.

Of their file only what they need is taken: the top-level definitions that they use, in the order of the file, and the
imports of these, which must be of torch or of Python's own library.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import CodeType

from archspec.errors import BuildError

PROVIDED = {"import torch", "from torch import nn", "from torch.nn import functional as F", "import torch.nn as nn"}
PROVIDED |= {"import torch.nn.functional as F"}
"""What model.py imports for itself."""


@cache
def _tree(module: str) -> tuple[str, ast.Module]:
    source = inspect.getsource(sys.modules[module])
    return source, ast.parse(source)


def needed(module: str, roots: Iterable[str]) -> list[str]:
    """The names that a file must give for some of its definitions to work: these and what they use."""
    definitions = {name: node for node in _tree(module)[1].body for name in _defines(node)}
    found: set[str] = set()
    open_names = [name for name in roots if name in definitions]
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names += [used for used in _uses(definitions[name]) if used in definitions]
    return [name for name in definitions if name in found]


def carried_source(module: str, called: Mapping[str, str]) -> str:
    """The source of these definitions under other names, after the imports that they need.

    Errors: BuildError if one of them uses something that is neither torch's, Python's own nor defined in its file
    """
    wanted = set(called)
    source, tree = _tree(module)
    lines = _renamed(source, tree, called)
    nodes = [node for node in tree.body if wanted & set(_defines(node))]
    used = {name for node in nodes for name in _uses(node)}
    pieces = [*dict.fromkeys(_import(module, name, statement) for name, statement in _imports(tree) if name in used)]
    pieces = [piece for piece in pieces if piece not in PROVIDED]
    head = "\n".join(pieces)
    texts = [head] if head else []
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                _refuse_foreign(module, inner)
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        kept = [*range(first, (node.end_lineno or first) + 1)]
        for provided in _provided_inside(node, lines):
            kept = [number for number in kept if not provided.lineno <= number <= (provided.end_lineno or 0)]
        texts.append("\n".join(lines[number - 1] for number in kept))
    _refuse_lost(module, "\n\n\n".join(texts))
    return "\n\n\n".join(texts)


def _provided_inside(node: ast.stmt, lines: list[str]) -> Iterator[ast.stmt]:
    """Imports inside a definition of what model.py imports at its top, where they stand on lines of their own."""
    for inner in ast.walk(node):
        body = inner.body if isinstance(inner, ast.FunctionDef) else []
        for statement in body if len(body) > 1 else ():
            text = lines[statement.lineno - 1].strip()
            if isinstance(statement, ast.Import | ast.ImportFrom) and text == ast.unparse(statement) in PROVIDED:
                yield statement


def _defines(node: ast.stmt) -> list[str]:
    """The names that a statement of a file defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return []


def needs_future(module: str) -> bool:
    """Whether a file's annotations are not to be worked out."""
    return any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in _tree(module)[1].body)


def _renamed(source: str, tree: ast.Module, called: Mapping[str, str]) -> list[str]:
    """The lines of a file in which some top-level names are others; attributes, keywords and texts stay."""
    lines = source.split("\n")
    places: set[tuple[int, int, str]] = set()
    for node in _at_top_level(tree, frozenset()):
        if isinstance(node, ast.Name) and called.get(node.id, node.id) != node.id:
            places.add((node.lineno, node.col_offset, node.id))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and called.get(node.name, node.name) != node.name:
            keyword = "def " if isinstance(node, ast.FunctionDef) else "class "
            column = lines[node.lineno - 1].encode().find(node.name.encode(), node.col_offset + len(keyword))
            places.add((node.lineno, column, node.name))
    for number, column, name in sorted(places, reverse=True):
        line = lines[number - 1].encode()  # columns count bytes
        lines[number - 1] = (line[:column] + called[name].encode() + line[column + len(name) :]).decode()
    return lines


def _at_top_level(node: ast.AST, hidden: frozenset[str]) -> Iterator[ast.AST]:
    """The nodes below one, without the names that mean something of a function's own there."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.Name) and child.id in hidden):
            yield child
        own = hidden
        if isinstance(child, ast.FunctionDef | ast.Lambda):
            arguments = {one.arg for one in ast.walk(child.args) if isinstance(one, ast.arg)}
            stored = {one.id for one in ast.walk(child) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
            own = hidden | arguments | stored
        yield from _at_top_level(child, own)


def _refuse_lost(module: str, text: str) -> None:
    """Refuse code that reads a name which is neither carried, nor imported, nor Python's own."""
    future = "from __future__ import annotations\n" if needs_future(module) else ""
    code = compile(future + text, module, "exec", dont_inherit=True)
    known = {"torch", "nn", "F", "__name__", "__qualname__", "__module__", *dir(builtins)}
    known |= {step.argval for step in dis.get_instructions(code) if step.opname.startswith("STORE_")}
    for part in _code(code):
        for step in dis.get_instructions(part):
            name = step.argval
            own = part.co_names if step.opname == "LOAD_NAME" and part is not code else ()  # a class body's own
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name not in known and name not in own:
                message = f"{module}: model.py cannot carry `{name}` along"
                raise BuildError(f"{message}\n  hint: define it at the top of the file, by `{name} = ...` or `def`")


def _code(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)


def _uses(node: ast.AST) -> Iterator[str]:
    return (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))


def _imports(tree: ast.Module) -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
    """The names that the imports of a file give, those for type checkers too."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.If) else [node]
        for statement in inside:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for alias in statement.names:
                    yield alias.asname or alias.name.split(".")[0], statement


def imported_names(source: str) -> list[tuple[str, str]]:
    """The names that the imports at the top of a source give, each with its import."""
    return [(name, ast.unparse(statement)) for name, statement in _imports(ast.parse(source))]


def _import(module: str, name: str, statement: ast.Import | ast.ImportFrom) -> str:
    """The import of one name."""
    _refuse_foreign(module, statement)
    alias = next(alias for alias in statement.names if name in (alias.asname, alias.name.split(".")[0]))
    if alias.name == "*":
        raise BuildError(f"{module} imports * from {getattr(statement, 'module', '')}: name what model.py is to carry")
    only = ast.Import([alias]) if isinstance(statement, ast.Import) else ast.ImportFrom(statement.module, [alias], 0)
    return ast.unparse(only)


def _refuse_foreign(module: str, statement: ast.Import | ast.ImportFrom) -> None:
    names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else [statement.module or ""]
    for name in names:
        if (isinstance(statement, ast.ImportFrom) and statement.level) or not _is_allowed(name.partition(".")[0]):
            message = f"{module} imports {name or '.'}: code that model.py carries imports only torch"
            raise BuildError(f"{message}, or what comes with Python")


def _is_allowed(package: str) -> bool:
    return package in ("torch", "typing_extensions") or package in sys.stdlib_module_names
