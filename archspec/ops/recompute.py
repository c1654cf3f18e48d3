"""Activation checkpointing: values that are computed again in the backward pass instead of kept for it."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from archspec.ops.form import is_exporting, plain_forms, wishes_plain


def recompute(function: Any, stateful: tuple[str, ...], *values: torch.Tensor) -> Any:
    """function(*values), a method of a module, by torch.utils.checkpoint: the backward pass keeps but the values.

    `stateful` are the paths of modules with buffers, such as batch norm: these move once. Dropout draws the same twice.
    Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost
    """
    if not torch.is_grad_enabled() or torch.jit.is_tracing() or is_exporting():  # type: ignore
        return function(*values)
    if torch.compiler.is_compiling():  # it keeps apart by itself what is computed and what is changed
        return checkpoint(function, *values, use_reentrant=False)

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        inside = [one for path in stateful for one in function.__self__.get_submodule(path).modules()]
        return nullcontext(), _Again(inside)

    return checkpoint(function, *values, use_reentrant=False, context_fn=contexts)


class _Again(AbstractContextManager[None]):
    """A pass after the first, of which there may be several.

    While it lasts, modules are in the mode of the first, and copies of their buffers move in place of the true ones.
    """

    def __init__(self, modules: list[torch.nn.Module]) -> None:
        self.modules = modules
        self.modes = [one.training for one in modules]
        self.plain = wishes_plain()  # the backward pass of a GPU has a thread of its own, which would not know
        self.stack = ExitStack()

    def __enter__(self) -> None:
        if self.plain:
            self.stack.enter_context(plain_forms())
        for module, mode in zip(self.modules, self.modes, strict=True):
            before, buffers = module.training, dict(module._buffers)
            self.stack.callback(setattr, module, "training", before)
            self.stack.callback(module._buffers.update, buffers)
            module.training = mode
            module._buffers.update({name: value.clone() for name, value in buffers.items() if value is not None})

    def __exit__(self, *error: object) -> None:
        self.stack.close()
