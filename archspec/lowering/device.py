"""Devices by the names users give them."""

from __future__ import annotations

import torch

from archspec.errors import BuildError


def usable_device(name: str, meta: bool = False) -> torch.device:
    """The device of a name. Errors: BuildError if torch does not know it or this machine does not have it"""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        reason = str(error).splitlines()[0].rstrip(".").lower()
        reason = "torch knows no such kind of device" if reason.startswith("expected one of") else reason
        message = f"device `{name}` cannot be used: {reason}"
        raise BuildError(f"{message}\n  hint: this machine has {', '.join(here)}") from None
    if device.type == "meta" and not meta:
        raise BuildError("device `meta` holds no values; a module cannot be tried there\n  hint: --device cpu")
    return device
