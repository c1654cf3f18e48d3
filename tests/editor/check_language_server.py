"""Whether yaml-language-server completes, explains and checks specs with our schema. Run by hand; needs npm, network.

    python tests/editor/check_language_server.py [--server COMMAND]

Without --server, yaml-language-server is installed from npm into a temporary folder. Exits 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from queue import Queue
from typing import Any

SPEC = """\
archspec: 1
name: edited
params: {width: 8}
inputs: {image: [3, 32, 32]}
blocks:
  unit:
    description: A convolution of our own.
    params: {width: {type: int, doc: how wide it is}, kind: {default: a, choices: [a, b]}}
    layers:
      inner: {op: conv2d, out_channels: =width, kernel_size: 3}
layers:
  conv: {op: conv2d, out_channels: 8, kernel_size: 3}
  act: relu
  unit: {op: unit, width: 8}
  pool: global_avg_pool2d
outputs: {features: pool}
"""
TIMEOUT = 30
ROOT = Path(__file__).parents[2]


class Server:
    """yaml-language-server on stdio."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
        self.folder = folder
        self.answers: dict[int, Queue[Any]] = {}
        self.diagnostics: dict[str, Queue[Any]] = {}
        self.last = 0
        threading.Thread(target=self._listen, daemon=True).start()
        capabilities = {
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown"], "snippetSupport": True}},
                "hover": {"contentFormat": ["markdown"]},
            },
            "workspace": {"configuration": True},
        }
        root = {"rootUri": folder.as_uri(), "workspaceFolders": [{"uri": folder.as_uri(), "name": "specs"}]}
        self.ask("initialize", {"processId": None, "capabilities": capabilities, **root})
        self.send("initialized", {})

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _listen(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        while header := stdout.readline():
            length = int(header.split(b":")[1])
            while stdout.readline().strip():
                pass
            self._receive(json.loads(stdout.read(length)))

    def _receive(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            self._write({"id": message["id"], "result": self._reply(message)})
        elif message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]].put(message["params"]["diagnostics"])
        elif "id" in message:
            self.answers[message["id"]].put(message)

    def _reply(self, message: dict[str, Any]) -> object:
        if message["method"] != "workspace/configuration":
            return None
        schemas = {".archspec.schema.json": ["specs/**/*.yaml"]}
        yaml = {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}
        settings = {"yaml": {**yaml, "schemas": schemas}}
        return [settings.get(item["section"]) for item in message["params"]["items"]]

    def send(self, method: str, params: object) -> None:
        self._write({"method": method, "params": params})

    def ask(self, method: str, params: object) -> Any:
        self.last += 1
        self.answers[self.last] = Queue()
        self._write({"id": self.last, "method": method, "params": params})
        answer = self.answers[self.last].get(timeout=TIMEOUT)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open(self, name: str, text: str) -> Document:
        uri = (self.folder / name).as_uri()
        self.diagnostics[uri] = Queue()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": document})
        return Document(self, uri, text)


class Document:
    """An open spec; places are given by the text that stands before them."""

    def __init__(self, server: Server, uri: str, text: str) -> None:
        self.server, self.uri, self.text = server, uri, text

    def _at(self, before: str) -> dict[str, Any]:
        assert self.text.count(before) == 1, before
        lines = self.text[: self.text.index(before) + len(before)].split("\n")
        return {"textDocument": {"uri": self.uri}, "position": {"line": len(lines) - 1, "character": len(lines[-1])}}

    def completions(self, before: str) -> dict[str, str]:
        """Label -> documentation of what the editor offers."""
        found = self.server.ask("textDocument/completion", self._at(before))
        return {item["label"]: _text(item.get("documentation")) for item in (found or {"items": []})["items"]}

    def hover(self, before: str) -> str:
        found = self.server.ask("textDocument/hover", self._at(before))
        return _text(found["contents"]) if found else ""

    def problems(self) -> list[str]:
        found = self.server.diagnostics[self.uri].get(timeout=TIMEOUT)
        return [f"{item['range']['start']['line'] + 1}: {item['message']}" for item in found]


def _text(markup: Any) -> str:
    return markup["value"] if isinstance(markup, dict) else markup or ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", help="command that starts yaml-language-server")
    parser.add_argument("--verbose", action="store_true", help="show what the server says")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = shlex.split(given.server) if given.server else installed(folder)
        server = Server([*command, "--stdio"], folder)
        failed = [
            what for what, holds, shown in checks(server, folder) if not report(what, holds, shown, given.verbose)
        ]
        server.process.kill()
    return 1 if failed else 0


def installed(folder: Path) -> list[str]:
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, "yaml-language-server"], check=True)
    return [str(folder / "node_modules" / ".bin" / "yaml-language-server")]


def report(what: str, holds: bool, shown: object, verbose: bool) -> bool:
    print(f"{'good' if holds else 'BAD '}  {what}")
    if verbose or not holds:
        print(f"      {shown}")
    return holds


def archspec(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "archspec", *arguments], check=True)


def checks(server: Server, folder: Path) -> Any:
    """What must hold: (what, whether it does, what the server said)."""
    (folder / "edited.yaml").write_text(SPEC)
    archspec("schema", "--out", str(folder / ".archspec.schema.json"))
    archspec("schema", str(folder / "edited.yaml"), "--out", str(folder / "edited.schema.json"))
    general = "# yaml-language-server: $schema=.archspec.schema.json\n" + SPEC
    own = "# yaml-language-server: $schema=edited.schema.json\n" + SPEC
    yield from general_checks(server, general)
    yield from own_checks(server, own)
    for path in sorted(p for p in (ROOT / "specs").rglob("*.yaml") if p.parent.name not in ("weights", "recipes")):
        name = path.relative_to(ROOT).as_posix()
        said = server.open(name, path.read_text()).problems()
        yield f"{name} has no problems, with the schema of the settings", said == [], said
    said = server.open("specs/wrong.yaml", SPEC.replace("kernel_size", "kernel")).problems()
    yield "a wrong spec has some, with the schema of the settings", len(said) >= 2, said


def general_checks(server: Server, text: str) -> Any:
    spec = server.open("good.yaml", text)
    said = spec.problems()
    yield "a good spec has no problems", said == [], said
    shown = spec.hover("conv: {op: conv2d, out_channels: 8, ker")
    yield "hover on a field shows its docstring", "Height and width of the kernels." in shown, shown
    shown = spec.hover("act: re")
    yield "hover on a bare op shows what it is", "positive part" in shown, shown
    shown = spec.hover("  conv: {op: con")
    yield "hover on an op shows what it is", "2-D convolution" in shown, shown
    shown = spec.hover("inp")
    yield "hover on a section shows what it is", "What the network reads" in shown, shown

    for what, form in ("flow", "  next: {op: }"), ("block", "  next:\n    op: "):
        spec = server.open(f"op-{what}.yaml", text.replace("  act: relu", form))
        found = spec.completions(form.rstrip("}"))
        yield f"`op: ` offers ops, in {what} form", {"conv2d", "max_pool2d", "linear"} <= set(found), sorted(found)
        yield f"with what they are, in {what} form", "2-D convolution" in found.get("conv2d", ""), found.get("conv2d")
    spec = server.open("bare.yaml", text.replace("  act: relu", "  next: "))
    found = spec.completions("  next: ")
    yield "a layer offers ops without fields", "relu" in found and "linear" not in found, sorted(found)

    # Inside braces the server offers keys once a letter is typed.
    for what, form in (
        ("flow", "  next: {op: conv2d, out_channels: 8, p}"),
        ("block", "  next:\n    op: conv2d\n    out_channels: 8\n    "),
    ):
        spec = server.open(f"fields-{what}.yaml", text.replace("  act: relu", form))
        found = spec.completions(form.rstrip("}"))
        wanted = {"kernel_size", "stride", "padding", "from", "when", "repeat"}
        yield f"conv2d offers its fields and keys, in {what} form", wanted <= set(found), sorted(found)
        others = {"out_features", "ceil_mode", "layers", "shares"} & set(found)
        yield f"and no others, in {what} form", not others, sorted(found)
        told = found.get("stride", "")
        yield f"with what they are, in {what} form", "Pixels between neighbouring windows." in told, told
    form = "  next: {op: batch_norm2d, affine: }"
    found = server.open("value.yaml", text.replace("  act: relu", form)).completions(form.rstrip("}"))
    yield "a field of true or false offers them", {"true", "false"} <= set(found), sorted(found)
    form = "  next: {op: option_a, zeros: }"
    found = server.open("choice.yaml", text.replace("  act: relu", form)).completions(form.rstrip("}"))
    yield "a field of choices offers them", {"after", "before", "around"} <= set(found), sorted(found)

    for what, wrong, line, word in (
        ("misspelt field", "{op: conv2d, out_chanels: 8, kernel_size: 3}", 14, "out_chanels"),
        ("missing field", "{op: conv2d, out_channels: 8}", 14, "kernel_size"),
        ("text for a number", "{op: conv2d, out_channels: eight, kernel_size: 3}", 14, "out_channels|number|integer|="),
        ("unknown choice", "{op: option_a, out_channels: 8, zeros: never}", 14, "after"),
        ("else without when", "{op: tanh, else: conv}", 14, "when"),
        (
            "number for text",
            "{op: lrn, size: 5, alpha: 1e-4, beta: no, k: 1, divide_by_size: true, groups: 1}",
            14,
            "num",
        ),
    ):
        said = server.open(f"{what}.yaml", text.replace("relu", wrong)).problems()
        placed = [message for message in said if message.startswith(f"{line}: ")]
        named = any(part in " ".join(placed) for part in word.split("|"))
        yield f"{what} is told at its line", named and len(said) == len(placed), said
    said = server.open("section.yaml", text.replace("outputs:", "outptus:")).problems()
    yield "an unknown section is told", any("outptus" in message for message in said), said
    said = server.open("number.yaml", text.replace("relu", "{op: batch_norm2d, eps: 1e-4}")).problems()
    yield "1e-4 is a number", said == [], said
    said = server.open("name.yaml", text.replace("act:", "train:")).problems()
    yield "a name that torch's modules have is told", len(said) == 1, said


def own_checks(server: Server, text: str) -> Any:
    spec = server.open("own.yaml", text)
    said = spec.problems()
    yield "a good spec has no problems under its own schema", said == [], said
    shown = spec.hover("unit: {op: unit, wid")
    yield "hover on a param of a block shows its doc", "how wide it is" in shown, shown
    form = "  next: {op: unit, w}"
    found = server.open("own-fields.yaml", text.replace("  act: relu", form)).completions(form.rstrip("}"))
    yield "a block offers its params", {"width", "kind"} <= set(found), sorted(found)
    form = "  next: {op: }"
    found = server.open("own-op.yaml", text.replace("  act: relu", form)).completions(form.rstrip("}"))
    told = found.get("unit", "")
    yield "`op: ` offers the spec's blocks", "A convolution of our own." in told, sorted(found)
    said = server.open("own-wrong.yaml", text.replace("relu", "{op: conv2, out_channels: 8}")).problems()
    yield "a misspelt op is told", bool(said) and all(message.startswith("14: ") for message in said), said
    said = server.open("own-bare.yaml", text.replace("act: relu", "act: rellu")).problems()
    yield "a misspelt bare op is told", bool(said) and all(message.startswith("14: ") for message in said), said


if __name__ == "__main__":
    sys.exit(main())
