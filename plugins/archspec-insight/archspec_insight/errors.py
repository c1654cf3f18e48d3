"""What this package says when something cannot be looked at."""

from __future__ import annotations

from archspec.errors import ArchspecError


class InsightError(ArchspecError):
    """A network cannot be looked at in this way, or not on this batch."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message
