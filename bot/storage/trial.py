"""What is stored to see whether anything can be stored."""

from __future__ import annotations

_NAME = "tried to store"
_SIZE = 16 * 1024
"""Of a long message: where less fits is no space for what comes in."""


def trial(now: float) -> tuple[str, str]:
    """Name and value of a mark. Another value each time: what is there already is not written again."""
    return _NAME, f"{now:.3f}".ljust(_SIZE, ".")
