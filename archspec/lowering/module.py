"""The compiled network: a plain torch module with two straight-line forwards."""

from __future__ import annotations

import copy
import linecache
import re
import warnings
from collections import namedtuple
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import nn

from archspec.graph.graph import Graph
from archspec.graph.recompute import Segments
from archspec.lowering.emitter import Construction, Emitter, emit
from archspec.lowering.no_init import NoInit
from archspec.lowering.recompute import RECOMPUTED, with_checkpoints

if TYPE_CHECKING:
    from archspec.lowering.rewrite import Conversion


class Network(nn.Module):
    """A network built from a spec.

    Its modules form a tree with the paths of the spec; its state dict has these paths as keys, in file order.
    `forward` takes the spec's inputs with a batch axis in front. In training it returns every output, in evaluation
    those that are not `training_only`: one output bare, several as a named tuple.
    """

    _source: str
    _graph: Graph | None = None
    """What it was compiled from; not there after unpickling."""
    _conversion: Conversion | None = None
    """Of a network that was optimised for inference: it can only evaluate, and loads the original's weights too."""
    _optimized: tuple[str, ...] = ()

    @property
    def optimized(self) -> tuple[str, ...]:
        """What `optimize` did, a line for each step that did something; empty if it was not asked for."""
        return self._optimized

    def train(self, mode: bool = True) -> Self:
        """As of every module; one that was optimised for inference stays in evaluation, and says so."""
        if mode and self._conversion is not None:
            message = f"{type(self).__name__} is optimised for inference and stays in evaluation"
            warnings.warn(f"{message}: to train, build it without optimize='inference'", stacklevel=2)
            mode = False
        return super().train(mode)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Where the state is that of the network before it was optimised for inference, change it first.

        What is missing or of another shape is told by the keys of that network; what it is part of stays as it was.
        """
        conversion = self._conversion
        inside = [key for key in state_dict if key.startswith(prefix)] if conversion else []
        own = {key[len(prefix) :]: state_dict[key] for key in inside}
        if conversion is not None and conversion.is_original(own):
            for key in inside:
                del state_dict[key]
            for key in conversion.needed:
                if key not in own:
                    missing_keys.append(prefix + key)
                elif (shape := tuple(own[key].shape)) != conversion.before[key]:
                    error_msgs.append(
                        f"size mismatch for {prefix}{key}: expected {conversion.before[key]}, found {shape}"
                    )
                    del own[key]
            present = self.state_dict()
            state = {key: present[key] for key in conversion.after} | conversion.converted(own)
            state_dict.update({prefix + key: value for key, value in state.items()})
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def _repr_svg_(self) -> str | None:
        """The network drawn, as notebooks show it."""
        from archspec.drawing.picture import shown

        return shown(self._graph) if self._graph is not None else None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = revive(self._source)
        memo |= {id(self): made, id(self._graph): self._graph}  # a graph never changes
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return cast(Self, made)

    def __reduce__(self) -> Any:
        return revive, (self._source,), {name: value for name, value in self.__dict__.items() if name != "_graph"}


class Group(nn.Module):
    """A named group of modules; the network's own forward calls what is inside."""


@dataclass(frozen=True)
class Plan:
    """What a network is made of."""

    source: str
    """Of its forwards."""
    parts: dict[str, Construction | tuple[int, ...]]
    """By path, in file order: how a module is made, or the shape of a parameter that functions use."""


def plan(
    graph: Graph,
    devices: tuple[str, ...] = (),
    carry_out: Callable[[Emitter], None] = lambda emitter: None,
    *,
    trains: bool = True,
    segments: Segments | None = None,
) -> Plan:
    """The source of a network's forwards, and how its modules and parameters are made.

    `carry_out` may change how the operations of each forward are carried out, before they are written. A network that
    never trains has that of evaluation twice. `segments` are computed again in the backward pass.
    """
    training, evaluation = emit(graph, trains, devices), emit(graph, False, devices)
    carry_out(training)
    carry_out(evaluation)
    forward, methods = with_checkpoints(training, segments, graph) if segments else (training, {})
    imports: dict[str, str] = {}
    bodies = [
        *(_function(name, method, imports) for name, method in methods.items()),
        _function("_forward_training", forward, imports),
        _function("_forward_eval", evaluation, imports),
    ]
    inputs = ", ".join(node.name for node in graph.inputs)
    names, main = [output.name for output in graph.outputs], [output.name for output in graph.main_outputs]
    lines = [f"# {graph.name}, compiled from its spec", *sorted(imports.values()), *bodies]
    for which, found in ("Training", names), ("Eval", main):
        if len(found) > 1:
            lines.append(f"{which}Outputs = namedtuple('{which}Outputs', {found!r})")
    lines += [
        f"def forward(self, {inputs}):",
        "    if self.training:",
        f"        return {_wrapped('Training', names, inputs)}",
        f"    return {_wrapped('Eval', main, inputs)}",
    ]
    made: dict[str, Construction | tuple[int, ...]] = dict(training.constructions)
    made |= {path: shape for path, (shape, _) in training.parameters.items()}
    paths = (path for node in graph for path in (node.owner, *map(node.key, node.weights)))
    return Plan("\n".join(lines) + "\n", {path: made[path] for path in paths if path in made})


def _wrapped(which: str, names: list[str], inputs: str) -> str:
    call = f"self._forward_{'training' if which == 'Training' else 'eval'}({inputs})"
    return f"{which}Outputs(*{call})" if len(names) > 1 else call


def _function(name: str, emitter: Emitter, imports: dict[str, str]) -> str:
    """One forward as a function, and the imports that it needs."""
    code = emitter.graph.python_code("self")
    words = set(re.findall(r"\w+", code.src))
    imports.update((alias, _import(alias, target)) for alias, target in code.globals.items() if alias in words)
    return code.src.strip().replace("def forward(", f"def {name}(", 1)


def _import(alias: str, target: Any) -> str:
    if alias == "torch":
        return "import torch"
    module, name = getattr(target, "__module__", None), getattr(target, "__name__", None)
    return f"from {module} import {name} as {alias}" if module and name else f"import {alias}"


@cache
def network_class(source: str) -> type[Network]:
    """The class that a source makes. Networks of one source share it."""
    title = source.split(",")[0].removeprefix("# ")
    filename = f"<archspec {title} {abs(hash(source)):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    space: dict[str, Any] = {"namedtuple": namedtuple, "__name__": __name__}
    exec(compile(source, filename, "exec", dont_inherit=True), space)
    for outputs in ("TrainingOutputs", "EvalOutputs"):
        if outputs in space:
            _make_portable(space[outputs])
    names = ("forward", "_forward_training", "_forward_eval", *(name for name in space if name.startswith(RECOMPUTED)))
    attributes = {name: space[name] for name in names} | {"__module__": __name__, "__doc__": Network.__doc__}
    return type(class_name(title), (Network,), attributes)


def _make_portable(outputs: Any) -> None:
    """Let a named tuple of outputs be pickled, though no module holds its class."""
    outputs.__reduce__ = lambda self: (outputs_of, (type(self).__name__, self._fields, tuple(self)))


@cache
def _outputs_class(name: str, fields: tuple[str, ...]) -> Any:
    found = namedtuple(name, fields)  # type: ignore[misc]
    _make_portable(found)
    return found


def outputs_of(name: str, fields: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    """The named tuple of some outputs, for unpickling."""
    return _outputs_class(name, fields)(*values)


STANDALONE = {"F", "NamedTuple", "OrderedDict", "TrainingOutputs", "EvalOutputs"}
"""Names that the standalone source needs for something else."""


def class_name(name: str) -> str:
    """A Python class name for the name of a spec or block."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    text = "".join(word[:1].upper() + word[1:] for word in words)
    return text if text[:1].isalpha() and text not in STANDALONE else f"Net{text}"


def revive(source: str) -> Network:
    """An empty network of a source, to be filled by unpickling."""
    cls = network_class(source)
    return cls.__new__(cls)


def assemble(plan: Plan) -> Network:
    """The network with all its modules made, its parameters not yet initialised."""
    network = network_class(plan.source)()
    network._source = plan.source
    with NoInit(), _on_cpu():
        for path, made in plan.parts.items():
            *groups, name = path.split(".")
            at: nn.Module = network
            for group in groups:
                if group not in at._modules:
                    at.add_module(group, Group())
                at = at._modules[group]  # type: ignore[assignment]
            if isinstance(made, Construction):
                at.add_module(name, made.cls(*made.args, **made.kwargs))
            else:
                at.register_parameter(name, nn.Parameter(torch.empty(made)))
    return network


def _on_cpu() -> AbstractContextManager[object]:
    """Inside, new tensors are on the CPU. A device as context slows every call of torch: only where it is needed."""
    return nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
