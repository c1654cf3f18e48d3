"""A network as one readable file of plain PyTorch, with a class per kind of block.

Written from the same record as the module: the training forward's fx graph and how each module is made.
Uses of a block that differ only in literals share a class; what differs becomes an argument of its constructor.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import fx

from archspec.errors import BuildError
from archspec.graph.graph import Graph
from archspec.lowering.carried import carried_source, imported_names, needed, needs_future
from archspec.lowering.emitter import Construction, Emitter, argument_names, emit, plain, public_name
from archspec.lowering.module import STANDALONE, class_name

Value = fx.Node


@dataclass
class Slot:
    """A literal of the code, which may differ between uses of a block."""

    child: str
    argument: str
    value: Any
    usual: Any = inspect.Parameter.empty
    """torch's default: where every use has it, it is left out."""
    stored: bool = False
    """Whether `forward` needs it, so that the constructor must keep it."""


@dataclass
class Part:
    """A node of the tree of names: a group of parts, or one layer with its fx nodes."""

    name: str
    path: str
    parts: dict[str, Part] = field(default_factory=dict)
    code: list[Value] = field(default_factory=list)

    def values(self) -> Iterator[Value]:
        yield from self.code
        for part in self.parts.values():
            yield from part.values()

    @property
    def is_layer(self) -> bool:
        return not self.parts


@dataclass
class Form:
    """A kind of group: all groups whose code is the same up to literals."""

    name: str
    uses: list[Use]
    params: list[str] = field(default_factory=list)
    columns: list[tuple[Any, ...]] = field(default_factory=list)
    """The values of each param, one per use."""
    which: dict[int, str] = field(default_factory=dict)
    """Slot number -> param; the others are the same in every use."""


@dataclass
class Use:
    """One group of the network: what it reads and gives, and its literals."""

    part: Part
    reads: list[Value]
    gives: list[Value]
    skeleton: tuple[Any, ...] = ()
    slots: list[Slot] = field(default_factory=list)


def standalone_source(graph: Graph) -> str:
    """The source of a module that imports only torch, with the network's state-dict keys and outputs."""
    return Standalone(graph).source()


class Standalone:
    """Writes one network."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.inference = graph.inference()
        self.training: Emitter = emit(graph, training=True)
        self.evaluation: Emitter = emit(graph, training=False)
        refuse_two_codes(self.training, self.evaluation)
        self.uses: dict[str, Use] = {}
        self.by_path: dict[str, Form] = {}
        self.forms: list[Form] = []
        self.main = class_name(graph.name)
        self.names: set[str] = {"nn", "torch", *STANDALONE}
        nodes = list(self.training.graph.nodes)
        self.results = list(nodes[-1].all_input_nodes) if len(graph.outputs) == 1 else list(nodes[-1].args[0])
        self.inputs = [node for node in nodes if node.op == "placeholder"]
        self.dissolved = dissolved_groups(graph)
        self.root = self._tree(node for node in nodes if node.op not in ("placeholder", "output"))
        self.carried = self._carry()
        self.reserved = {"nn", "F", "torch", *self.carried.values()}
        self.names |= self.reserved
        self.evaluated = {node.meta["layer"] for node in self.evaluation.graph.nodes if "layer" in node.meta}

    def _tree(self, nodes: Iterator[Value]) -> Part:
        root = Part("", "")
        for node in nodes:
            at, path, name = root, "", ""
            for step in node.meta["layer"].split("."):
                path = f"{path}.{step}" if path else step
                name = f"{name}.{step}" if name else step
                if path not in self.dissolved:
                    at, name = at.parts.setdefault(name, Part(name, path)), ""
            at.code.append(node)
        return root

    def _carry(self) -> dict[tuple[str, str], str]:
        """What model.py calls each name of the files it carries: by file and name.

        That is the name itself, unless the network's class, an input or another file has it too.
        """
        taken = {self.main, *self.names, *(str(node.target) for node in self.inputs)}
        roots: dict[str, list[str]] = {}
        for node in self.training.graph.nodes:
            if node.op == "get_attr":
                continue
            if node.op == "call_module":
                name = public_name(self.training.constructions[str(node.target)].cls)
            else:
                name = public_name(plain(node.target)) if node.op == "call_function" else "torch."
            module, _, short = name.rpartition(".")
            if name.startswith(("torch.", "builtins.")):
                continue
            if module.split(".")[0] in ("operator", "_operator", "math"):
                raise BuildError(f"{name} cannot be written to a standalone file: emit a function of torch")
            roots.setdefault(module, []).append(short)
        return {(module, name): _free(name, taken) for module in roots for name in needed(module, roots[module])}

    def source(self) -> str:
        self._survey(self.root)
        self._unify()
        classes = [ClassWriter(self, form).text() for form in self.forms]
        pieces = [self._header(classes), *self._carried_sources(), *self._output_types(), *classes]
        return "\n\n\n".join(piece.strip("\n") for piece in pieces) + "\n"

    # The survey: what each group reads and gives, bottom up.

    def _survey(self, part: Part) -> None:
        for child in part.parts.values():
            if not child.is_layer:
                self._survey(child)
        inside = set(part.values())
        reads: dict[Value, None] = {}
        gives: dict[Value, None] = {}
        for node in part.values():
            reads.update((value, None) for value in node.all_input_nodes if value not in inside)
            if part is not self.root and any(user not in inside for user in node.users):
                gives[node] = None
        use = Use(part, self.inputs if part is self.root else list(reads), list(gives))
        if part is self.root:
            use.gives = self.results
        self.uses[part.path] = use

    # Unification, bottom up: skeletons first, then what differs between uses.

    def _unify(self) -> None:
        heights: dict[int, list[Use]] = {}
        for use in self.uses.values():
            heights.setdefault(_height(use.part), []).append(use)
        for _, uses in sorted(heights.items()):
            groups: dict[tuple[Any, ...], list[Use]] = {}
            for use in uses:
                self._sketch(use)
                if not self._is_sequence(use):
                    groups.setdefault(use.skeleton, []).append(use)
            for alike in groups.values():
                form = Form(self._form_name(alike[0].part), alike)
                self.forms.append(form)
                self._find_params(form)
                for use in alike:
                    self.by_path[use.part.path] = form

    def _form_name(self, part: Part) -> str:
        if part is self.root:
            return self.main
        group = self.graph.groups.get(part.path)
        base = class_name(group.op if group and group.op else part.name)
        name, number = base, 1
        while name in self.names or name == self.main:
            number += 1
            name = f"{base}{number}"
        self.names.add(name)
        return name

    def _sketch(self, use: Use) -> None:
        """The skeleton of a group, and its literals in order."""
        local = {value: f"in{i}" for i, value in enumerate(use.reads)}
        for i, value in enumerate(use.part.values()):
            local[value] = f"v{i}"
        skeleton: list[Any] = []
        for child in use.part.parts.values():
            if child.is_layer:
                for node in child.code:
                    if is_shared(node):
                        reads = tuple(local[value] for value in node.all_input_nodes)
                        skeleton.append((child.name, "shared", inside(use.part, str(node.target)), reads))
                        continue
                    skeleton.append((child.name, *self._sketch_node(child.name, node, local, use.slots)))
                continue
            inner = self.uses[child.path]
            wiring = tuple(local[value] for value in inner.reads), tuple(local[value] for value in inner.gives)
            if self._is_sequence(inner):
                use.slots += inner.slots
                skeleton.append((child.name, "sequence", inner.skeleton, wiring))
            else:
                form = self.by_path[child.path]
                number = form.uses.index(inner)
                for param, column in zip(form.params, form.columns, strict=True):
                    use.slots.append(Slot(child.name, param, column[number]))
                skeleton.append((child.name, form.name, wiring))
        skeleton.append(tuple(local[value] for value in use.gives))
        training = tuple(self._trains_only(value) for value in use.part.values())
        skeleton.append(training if len(set(training)) > 1 else ())
        group = self.graph.groups.get(use.part.path)
        skeleton.append((group.op if group else "", use.part.name if not (group and group.op) else ""))
        if use.part is self.root:
            skeleton.append("root")
        use.skeleton = tuple(skeleton)

    def _sketch_node(self, child: str, node: Value, local: dict[Value, str], slots: list[Slot]) -> tuple[Any, ...]:
        if node.op == "get_attr":
            size, start = self.training.parameters[str(node.target)]
            slots += [Slot(child, "shape", size), Slot(child, "start", start)]
            return ("parameter",)
        if node.op == "call_module":
            made = self.training.constructions[str(node.target)]
            slots += _construction_slots(child, made)
            return "module", public_name(made.cls), tuple(local[value] for value in node.all_input_nodes)
        shape = []
        for name, value in _arguments(node):
            if _has_values(value):
                shape.append((name, str(fx.node.map_arg(value, lambda v: local[v]))))
            else:
                slots.append(Slot(child, str(name), value, stored=True))
                shape.append((name, "literal"))
        return "function", self._function_name(node.target), tuple(shape)

    def _find_params(self, form: Form) -> None:
        """Columns that differ between uses become params; equal columns share one."""
        known: dict[tuple[Any, ...], str] = {}
        for number, slots in enumerate(zip(*(use.slots for use in form.uses), strict=True)):
            column = tuple(_hashable(slot.value) for slot in slots)
            if len(set(map(repr, column))) == 1:
                continue
            if column not in known:
                known[column] = self._param_name(form, column, slots[0])
                form.params.append(known[column])
                form.columns.append(tuple(slot.value for slot in slots))
            form.which[number] = known[column]

    def _param_name(self, form: Form, column: tuple[Any, ...], slot: Slot) -> str:
        """The block's own param where it has these values, else the argument's name."""
        groups = [self.graph.groups.get(use.part.path) for use in form.uses]
        taken = {*form.params, "self", *keyword.kwlist, *self.reserved}
        taken |= set(form.uses[0].part.parts) if slot.stored else set()
        own = groups[0].params if groups[0] else {}
        for name in own:
            if name not in taken and all(
                group and _hashable(group.params.get(name)) == value
                for group, value in zip(groups, column, strict=True)
            ):
                return name
        for name in (slot.argument, f"{_identifier(slot.child)}_{slot.argument}"):
            if name not in taken and name.isidentifier() and (slot.argument == "in_channels" or name not in own):
                return name
        number = 2
        while f"{slot.argument}{number}" in taken:
            number += 1
        return f"{slot.argument}{number}"

    def _is_sequence(self, use: Use) -> bool:
        """Whether a group is a chain of modules: then it is written as nn.Sequential."""
        group = self.graph.groups.get(use.part.path)
        if use.part is self.root or (group and group.op) or len(use.reads) != 1 or len(use.gives) != 1:
            return False
        if any("." in name for name in use.part.parts):
            return False
        previous = use.reads[0]
        for child in use.part.parts.values():
            if child.is_layer:
                if len(child.code) != 1 or child.code[0].op != "call_module" or is_shared(child.code[0]):
                    return False
                reads, gives = child.code[0].all_input_nodes, child.code
            else:
                reads, gives = self.uses[child.path].reads, self.uses[child.path].gives
            if list(reads) != [previous] or len(gives) != 1:
                return False
            previous = gives[0]
        return previous is use.gives[0] and len({self._trains_only(value) for value in use.part.values()}) == 1

    def _trains_only(self, value: Value) -> bool:
        return value.meta["layer"] not in self.inference

    # Writing.

    def _function_name(self, target: Any) -> str:
        name = public_name(plain(target))
        if name.startswith("torch.nn.functional."):
            return "F." + name.rpartition(".")[2]
        if name.startswith("torch.nn."):
            return "nn." + name.rpartition(".")[2]
        if name.startswith(("torch.", "builtins.")):
            return name.removeprefix("builtins.")
        module, _, short = name.rpartition(".")
        return self.carried[module, short]

    def _header(self, classes: list[str]) -> str:
        shapes = ", ".join(f"{node.name}: N x {' x '.join(map(str, node.shape.dims))}" for node in self.graph.inputs)
        source = f" ({self.graph.paper})" if self.graph.paper else ""
        lines = [
            f'"""{_docstring(self.graph.name + source)}, written by archspec.',
            "",
            f"Plain PyTorch; needs nothing else. {self.main}() takes {shapes}.",
            '"""',
            "",
        ]
        if any(needs_future(module) for module, _ in self.carried):
            lines += ["from __future__ import annotations", ""]
        lines += ["from collections import OrderedDict"] if any("(OrderedDict(" in text for text in classes) else []
        lines += ["from typing import NamedTuple"] if self._output_types() else []
        lines += [""] if lines[-1] else []
        lines.append("import torch")
        body = "from torch import nn\nfrom torch.nn import functional as F"
        return "\n".join([*lines, body])

    def _carried_sources(self) -> list[str]:
        found = []
        for module in dict.fromkeys(module for module, _ in self.carried):
            called = {name: other for (owner, name), other in self.carried.items() if owner == module}
            found.append(carried_source(module, called))
        self._refuse_imports_that_clash(found)
        return found

    def _refuse_imports_that_clash(self, sources: list[str]) -> None:
        """Refuse carried files of which one imports a name that another has for something else."""
        meaning = dict.fromkeys(self.carried.values(), "a definition")
        for source in sources:
            for name, written in imported_names(source):
                if meaning.setdefault(name, written) != written:
                    message = f"model.py carries files that mean two things by `{name}`: {meaning[name]} and {written}"
                    raise BuildError(f"{message}\n  hint: import it under another name in one of them")

    def _output_types(self) -> list[str]:
        found = []
        for which, outputs in ("Training", self.graph.outputs), ("Eval", self.graph.main_outputs):
            if len(outputs) > 1:
                fields = "\n".join(f"    {output.name}: torch.Tensor" for output in outputs)
                when = "training" if which == "Training" else "evaluation"
                found.append(f'class {which}Outputs(NamedTuple):\n    """What {when} returns."""\n\n{fields}')
        return found


class ClassWriter:
    """Writes the class of one kind of group."""

    def __init__(self, standalone: Standalone, form: Form) -> None:
        self.standalone, self.form = standalone, form
        self.use = form.uses[0]
        self.part = self.use.part
        self.is_root = self.part is standalone.root
        self.slots = iter(enumerate(self.use.slots))
        self.init: list[str] = []
        self.containers: set[str] = set()
        """Dissolved groups that have a module of their own already."""
        self.kept: dict[str, None] = {}
        self.statements: list[tuple[bool, list[Value], str]] = []
        """(in training only, values it makes, expression)"""
        self.reads: list[list[Value]] = []

    def text(self) -> str:
        for child in self.part.parts.values():
            if child.is_layer:
                self._layer(child)
            else:
                self._group(child)
        params = "".join(f", {param}" for param in self.form.params)
        kept = [f"self.{param} = {param}" for param in self.kept]
        init = [f"def __init__(self{params}):", "    super().__init__()"]
        init += [f"    {line}" for text in [*kept, *self.init] for line in text.splitlines()]
        lines = [f"class {self.form.name}(nn.Module):", f'    """{self._doc()}"""', ""]
        if kept or self.init:
            lines += [f"    {line}" for line in init] + [""]
        lines += [f"    {line}" for line in self._forward()]
        return "\n".join(lines)

    def _doc(self) -> str:
        group = self.standalone.graph.groups.get(self.part.path)
        if self.is_root:
            return _docstring(self.standalone.graph.description or f"The network {self.standalone.graph.name}.")
        paths = [use.part.path for use in self.form.uses]
        shown = ", ".join(paths[:4]) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")
        return _docstring(f"Block {group.op}: {shown}." if group and group.op else f"{shown}.")

    def _literal(self, stored_as: bool = False) -> tuple[str, Slot, bool]:
        """The next slot: what to write for it, and whether it is left out as torch's default."""
        number, slot = next(self.slots)
        if number in self.form.which:
            param = self.form.which[number]
            if stored_as:
                self.kept[param] = None
                return f"self.{param}", slot, False
            return param, slot, False
        return repr(slot.value), slot, slot.usual is not inspect.Parameter.empty and slot.value == slot.usual

    def _layer(self, child: Part) -> None:
        inner = set(child.code)
        texts: dict[Value, str] = {}
        for node in child.code:
            if node.op == "get_attr":
                text = self._parameter(child, node)
            else:
                text = self._module(child, node, texts) if node.op == "call_module" else self._call(node, texts)
            users = [user for user in node.users if user in inner]
            if node is not child.code[-1] and len(users) == 1 and len(node.users) == 1:
                texts[node] = text
            else:
                self._state(node, [node], [v for v in _read(node, texts, inner)], text)

    def _state(self, at: Value, makes: list[Value], reads: list[Value], text: str) -> None:
        only_here = self.standalone._trains_only(at) and not self.standalone._trains_only(self._last())
        self.statements.append((only_here, makes, text))
        self.reads.append(reads)

    def _last(self) -> Value:
        """A value whose absence in evaluation means that the whole group is absent."""
        values = list(self.part.values())
        return next((value for value in values if not self.standalone._trains_only(value)), values[-1])

    def _parameter(self, child: Part, node: Value) -> str:
        """A parameter that functions use."""
        path = inside(self.part, str(node.target))
        if not is_shared(node):
            shape, start = self._literal()[0], self._literal()[0]
            self._assign(path, f"nn.Parameter(torch.full({shape}, {start}))", "register_parameter")
        return _attribute(path)

    def _module(self, child: Part, node: Value, texts: dict[Value, str]) -> str:
        if not is_shared(node):
            self._assign(child.name, self._made(self.standalone.training.constructions[str(node.target)]))
        values = ", ".join(texts.get(v, _mark(v)) for v in node.all_input_nodes)
        return f"{_attribute(inside(self.part, str(node.target)))}({values})"

    def _made(self, made: Construction) -> str:
        positional, named = [], []
        for index in range(len(_construction_slots("", made))):
            text, slot, is_usual = self._literal()
            if index < len(made.args):
                positional.append(text)
            elif not is_usual:
                named.append(f"{slot.argument}={text}")
        name = self.standalone._function_name(made.cls)
        return f"{name}({', '.join([*positional, *named])})"

    def _assign(self, name: str, text: str, otherwise: str = "add_module") -> None:
        """Write down a child; those of a dissolved group are in an empty module of its name."""
        outer, _, last = name.rpartition(".")
        if outer and outer not in self.containers:
            self.containers.add(outer)
            self._assign(outer, "nn.Module()")
        if last.isidentifier() and not keyword.iskeyword(last):
            self.init.append(f"{_attribute(name)} = {text}")
        else:
            self.init.append(f"{_attribute(outer)}.{otherwise}({last!r}, {text})")

    def _call(self, node: Value, texts: dict[Value, str]) -> str:
        written = []
        for position, (name, value) in enumerate(_arguments(node)):
            text = _with_values(value, texts) if _has_values(value) else self._literal(stored_as=True)[0]
            written.append(text if position < len(node.args) else f"{name}={text}")
        name = self.standalone._function_name(node.target)
        if name == "torch.add" and len(written) == 2 and not node.kwargs:
            return f"{written[0]} + {written[1]}"
        if _takes_training(node):
            written.append("training=self.training")
        elif not self.standalone._trains_only(node) and node.meta["layer"] not in self.standalone.evaluated:
            raise BuildError(f"{node.meta['layer']}: {name} is left out in evaluation and takes no `training`")
        return f"{name}({', '.join(written)})"

    def _group(self, child: Part) -> None:
        inner = self.standalone.uses[child.path]
        self._assign(child.name, self._group_text(child))
        values = ", ".join(_mark(value) for value in inner.reads)
        self._state(self._group_value(child), inner.gives, inner.reads, f"{_attribute(child.name)}({values})")

    def _group_value(self, child: Part) -> Value:
        values = list(child.values())
        return next((value for value in values if not self.standalone._trains_only(value)), values[0])

    def _group_text(self, child: Part) -> str:
        """How a group's module is made."""
        inner = self.standalone.uses[child.path]
        if not self.standalone._is_sequence(inner):
            form = self.standalone.by_path[child.path]
            values = [self._literal()[0] for _ in form.params]
            named = ", ".join(f"{param}={value}" for param, value in zip(form.params, values, strict=True))
            return f"{form.name}({named if len(named) < 75 else ', '.join(values)})"
        made = []
        for part in child.parts.values():
            if part.is_layer:
                made.append(self._made(self.standalone.training.constructions[part.path]))
            else:
                made.append(self._group_text(part))
        if list(child.parts) == [str(i) for i in range(len(made))]:
            pieces = made
            opening, closing = "nn.Sequential(", ")"
        else:
            pieces = [f"{name!r}: {text}" for name, text in zip(child.parts, made, strict=True)]
            opening, closing = "nn.Sequential(OrderedDict({", "}))"
        one_line = opening + ", ".join(pieces) + closing
        if len(one_line) < 90 and len(pieces) < 4:
            return one_line
        return "\n".join([opening, *("    " + piece.replace("\n", "\n    ") + "," for piece in pieces), closing])

    # The forward: names for values, then statements.

    def _forward(self) -> list[str]:
        names = self._names()
        inputs = [names[value] for value in self.use.reads]
        body: list[str] = []
        in_training = False
        for only_training, makes, text in self.statements:
            if only_training and not in_training:
                body.append("if self.training:")
            in_training = only_training
            targets = ", ".join(names[value] for value in makes)
            line = f"{targets} = {_named(text, names)}"
            body.append(f"    {line}" if only_training else line)
        body += self._returns(names, in_training)
        return [f"def forward(self, {', '.join(inputs)}):", *(f"    {line}" for line in _tail_return(body))]

    def _returns(self, names: dict[Value, str], in_training: bool) -> list[str]:
        if not self.is_root:
            gives = [
                f"{names[v]} if self.training else None"
                if self.standalone._trains_only(v) and not self.standalone._trains_only(self._last())
                else names[v]
                for v in self.use.gives
            ]
            return [f"return {', '.join(gives)}"]
        outputs = list(zip(self.standalone.graph.outputs, self.use.gives, strict=True))
        main = [names[value] for output, value in outputs if not output.training_only]
        every = [names[value] for _, value in outputs]
        lines = []
        if len(every) != len(main):
            lines += [] if in_training else ["if self.training:"]
            lines.append(f"    return TrainingOutputs({', '.join(every)})")
        if len(main) == 1:
            return [*lines, f"return {main[0]}"]
        if len(every) == len(main):
            lines += ["if self.training:", f"    return TrainingOutputs({', '.join(every)})"]
        return [*lines, f"return EvalOutputs({', '.join(main)})"]

    def _names(self) -> dict[Value, str]:
        """Names of values: `x` for one that the next statement alone reads, else that of its layer."""
        last_read: dict[Value, list[int]] = {}
        for index, reads in enumerate(self.reads):
            for value in reads:
                last_read.setdefault(value, []).append(index)
        for value in self.use.gives:
            last_read.setdefault(value, []).append(len(self.statements))
        names: dict[Value, str] = {}
        taken = {"self", "x", "y", *keyword.kwlist, *self.standalone.reserved}
        for number, value in enumerate(self.use.reads):
            if self.is_root:
                names[value] = str(value.target)
            else:
                names[value] = "x" if number == 0 else f"x{number + 1}"
            taken.add(names[value])
        first = self.use.reads[0]
        chain = "x" if self.is_root or max(last_read.get(first, [0])) == 0 else "y"
        if chain in {names[value] for value in self.use.reads} and self.is_root:
            chain = "y" if "y" not in names.values() else "z"
        for index, (_, makes, _) in enumerate(self.statements):
            for value in makes:
                read_next = set(last_read.get(value, [])) == {index + 1} and len(makes) == 1
                alone = index + 1 == len(self.statements) or len(set(self.reads[index + 1])) == 1
                is_output = self.is_root and value in self.use.gives
                names[value] = (
                    chain if read_next and alone and not is_output else _free(_identifier(self._short(value)), taken)
                )
        return names

    def _short(self, value: Value) -> str:
        name = inside(self.part, str(value.meta["layer"]))
        child, part = next((n, p) for n, p in self.part.parts.items() if name == n or name.startswith(n + "."))
        several = not part.is_layer and len(self.standalone.uses[part.path].gives) > 1
        return name.replace(".", "_") if several else child


def _height(part: Part) -> int:
    return 0 if part.is_layer else 1 + max(_height(child) for child in part.parts.values())


def _construction_slots(child: str, made: Construction) -> list[Slot]:
    """Every argument of a constructor, the unsaid ones at their defaults, positional ones first."""
    parameters = list(inspect.signature(made.cls.__init__).parameters.values())[1:]
    slots = [
        Slot(child, parameter.name, value, parameter.default)
        for parameter, value in zip(parameters, made.args, strict=False)
    ]
    for parameter in parameters[len(made.args) :]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        slots.append(Slot(child, parameter.name, made.kwargs.get(parameter.name, parameter.default), parameter.default))
    return slots


def _arguments(node: Value) -> list[tuple[str, Any]]:
    """The arguments of a call by name, but for `training`, which model.py gives from the module's mode."""
    count = len(node.args)
    known = argument_names(node.target) if callable(node.target) else ()
    names = known[:count] or [f"value{i}" if i else "input" for i in range(count)]
    named = [(name, value) for name, value in node.kwargs.items() if name != "training" or not _takes_training(node)]
    return [*zip(names, node.args, strict=True), *named]


def _takes_training(node: Value) -> bool:
    return callable(node.target) and "training" in argument_names(node.target)


def refuse_two_codes(training: Emitter, evaluation: Emitter) -> None:
    """Refuse layers whose code in evaluation is other than in training: model.py has one code for both.

    A layer may be left out in evaluation, and what takes `training` is given it. Errors: BuildError
    """
    codes = {layer: code for layer, code in _codes(training).items() if code}
    for layer, code in _codes(evaluation).items():
        if code and code != codes.get(layer):
            hint = "`fx.function(f, x, training=fx.training)`, or `fx.function(f, x) if fx.training else x`"
            message = f"{layer}: `lower` gives other code in evaluation than in training, which model.py cannot hold"
            raise BuildError(f"{message}\n  hint: {hint}, where f takes `training`")


def _codes(emitter: Emitter) -> dict[str, list[tuple[Any, ...]]]:
    """What each layer calls, with its literals."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for node in emitter.graph.nodes:
        if node.op in ("call_module", "call_function"):
            made = emitter.constructions.get(str(node.target))
            literals = [value for _, value in _arguments(node) if not _has_values(value)]
            found.setdefault(node.meta["layer"], []).append((node.target, made, literals))
    return found


def _has_values(value: Any) -> bool:
    found: list[fx.Node] = []
    fx.node.map_arg(value, found.append)
    return bool(found)


def _read(node: Value, texts: dict[Value, str], inner: set[Value]) -> Iterator[Value]:
    """The values a statement reads, through those that are written inside it."""
    for value in node.all_input_nodes:
        if value in texts:
            yield from _read(value, texts, inner)
        else:
            yield value


def _mark(value: Value) -> str:
    """A placeholder for a value's name, which is chosen once all statements are known."""
    return f"\x00{value.name}\x00"


def _named(text: str, names: dict[Value, str]) -> str:
    for value, name in names.items():
        text = text.replace(_mark(value), name)
    return text


def _with_values(value: Any, texts: dict[Value, str]) -> str:
    if isinstance(value, fx.Node):
        return texts.get(value, _mark(value))
    if isinstance(value, list | tuple):
        inside = ", ".join(_with_values(item, texts) for item in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside},)"
    return repr(value)


def _attribute(path: str) -> str:
    """How the constructor and `forward` of a class reach what is at a path inside it."""
    text = "self"
    for name in path.split(".") if path else ():
        plain = name.isidentifier() and not keyword.iskeyword(name)
        text = f"{text}.{name}" if plain else f"getattr({text}, {name!r})"
    return text


def inside(part: Part, path: str) -> str:
    """A path as it is seen from a part that it is inside of."""
    return path[len(part.path) + 1 :] if part.path else path


def is_shared(node: Value) -> bool:
    """Whether a node uses the module or a parameter of another layer."""
    layer, target = node.meta["layer"], str(node.target)
    if node.op == "get_attr":
        return target != layer and not target.startswith(f"{layer}.")
    return node.op == "call_module" and target != layer


def dissolved_groups(graph: Graph) -> set[str]:
    """Groups that use parameters from outside: their code stands in the class that holds those."""
    found = set()
    for node in graph:
        names = node.name.split(".")[:-1] if node.shares else []
        paths = (".".join(names[: depth + 1]) for depth in range(len(names)))
        found |= {path for path in paths if not node.shares.startswith(path + ".")}
    return found


def _identifier(name: str) -> str:
    text = "".join(c if c.isalnum() else "_" for c in name)
    return text if text[:1].isalpha() else f"layer_{text}"


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found


def _tail_return(body: list[str]) -> list[str]:
    """`return EXPRESSION` where the last value is returned as soon as it is made."""
    if len(body) >= 2 and body[-1].startswith("return ") and not body[-2].startswith(" "):
        target, _, text = body[-2].partition(" = ")
        if body[-1] == f"return {target}" and "," not in target:
            return [*body[:-2], f"return {text}"]
    return body


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _docstring(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
