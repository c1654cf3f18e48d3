"""What must hold of a whole network: its outputs name something, and every layer reaches one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from archspec.errors import Problem
from archspec.graph.graph import Node, Output
from archspec.graph.scope import Poisoned, ReferenceProblem, Scope
from archspec.spec.expression import is_expression
from archspec.spec.reader import Mapping, Scalar, Value, shown
from archspec.spec.validation import validated

if TYPE_CHECKING:
    from archspec.graph.compile import Compiler


class OutputForm(BaseModel):
    """The long form of an output."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)
    layer: str = Field(alias="from")
    """The layer whose value it is."""
    training_only: bool = False
    """Whether it is left out in evaluation, as an auxiliary head is."""
    loss_weight: float = Field(default=1.0, allow_inf_nan=False)
    """Weight of its loss in training."""


def read_outputs(compiler: Compiler, scope: Scope) -> tuple[Output, ...]:
    """The outputs of a spec, training-only ones last; those of a layer left out by its `when` are dropped."""
    found: list[Output] = []
    poisoned = not compiler.spec.layers.items
    for name, (_, value) in compiler.spec.outputs.items():
        if not compiler.spec.layers.items:
            break
        try:
            output = _output(compiler, scope, name, value)
        except Poisoned:
            poisoned = True
            continue
        if output is not None:
            found.append(output)
    if compiler.spec.outputs_at and not poisoned and all(output.training_only for output in found):
        position = compiler.spec.outputs_at
        message = "no output is left for evaluation" if found else "every output is left out by a `when`"
        message = message if compiler.spec.outputs else "`outputs` names no layer"
        compiler.problems.append(Problem("no-output", message, position))
    return tuple(sorted(found, key=lambda output: output.training_only))


def _output(compiler: Compiler, scope: Scope, name: str, value: Value) -> Output | None:
    form = OutputForm.model_construct(layer="", training_only=False, loss_weight=1.0)
    reference = value
    if isinstance(value, Mapping):
        data = compiler.resolve(value, scope)
        checked = validated(OutputForm, data, value.entries, value.position, f"output `{name}`", compiler.problems)
        if checked is None:
            raise Poisoned
        form, reference = checked, value.entries["from"][1]
    if not isinstance(reference, Scalar) or not reference.text or is_expression(reference.text):
        compiler.report("bad-reference", f"output `{name}` must name a layer", reference.position)
    try:
        binding = scope.binding(reference.text)
    except ReferenceProblem as problem:
        if problem.slug == "absent-layer":
            return None
        message = f"output `{name}`: {problem.message}"
        hint = compiler.removal(reference.text.split(".")[-1], "say `outputs` there too") or problem.hint
        written = compiler.spec.layers.items[0].position.source
        if written != reference.position.source:
            hint = hint or f"the layers are those of {written.name}: say `outputs` there too"
        compiler.report(problem.slug, message, reference.position, hint=hint)
    if binding.stand_in:
        message = f"output `{name}` names `{reference.text}`, which is left out here and stands for its `else`"
        compiler.report("absent-layer", message, reference.position, hint="name a layer that is always present")
    if binding.flow.shape is None:
        raise Poisoned
    node = compiler.nodes[binding.flow.node]
    if node.block is None:
        message = f"output `{name}` is the input `{node.name}` itself: it depends on no layer"
        compiler.report("no-layer", message, reference.position)
    return Output(name, node.name, form.training_only, float(form.loss_weight))


def check_reach(compiler: Compiler, outputs: tuple[Output, ...]) -> None:
    """Report every layer whose value is read by nobody, and every input that nothing reads."""
    read = {output.node for output in outputs}
    for node in compiler.nodes.values():
        read.update(node.inputs)
    nodes = list(compiler.nodes.values())
    for node, after in zip(nodes, [*nodes[1:], None], strict=False):
        if node.name in read:
            continue
        if node.block is None:
            message = f"input `{node.name}` is read by no layer: {shown(list(node.shape.dims))}"
            compiler.problems.append(Problem("unused-input", message, node.position))
        else:
            compiler.problems.append(_unreached(compiler, node, after))


def _unreached(compiler: Compiler, node: Node, after: Node | None) -> Problem:
    hint = "name it in an output, or remove it"
    if after is not None:
        reads = " and ".join(after.inputs)
        hint = f"name it in an output, or in the `from` of a later layer; the next layer, {after.name}, reads {reads}"
    return Problem(
        "unreachable-layer",
        f"its value ({node.shape}) is read by no layer and no output",
        node.position,
        layer=node.name,
        op=node.op,
        hint=hint,
        uses=compiler.uses_of(node.name),
    )
