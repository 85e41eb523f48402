"""Storage that does not answer is waited for, but not for long: whoever asks is told, and may ask again.

A database may be away and come back; what is behind the road waits for it. A person in front of a page and a program
with a request do not.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from bot.config import ConfigError
from bot.errors import StorageAway
from bot.web.deadlines import TimeLimit

T = TypeVar("T")

PATIENCE = 5.0


class InTime:
    """`await in_time(work)`. Raises StorageAway; what was being stored may be stored all the same."""

    def __init__(self) -> None:
        self._limit = TimeLimit(PATIENCE)

    async def __call__(self, work: Awaitable[T]) -> T:
        try:
            return await self._limit.keep(work)
        except (TimeoutError, ConfigError) as error:
            raise StorageAway(str(error) or "no answer") from None
