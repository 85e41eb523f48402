"""Waiting for whichever comes first, and by a clock that may be put back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

FAR = 7200.0
"""Nobody asks for a pause as long as this (`relay.retry.LONGEST_BELIEVED`): then the clock was put back meanwhile."""


async def first_of(*awaitables: Awaitable[object]) -> None:
    """Returns with the first of them; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in awaitables]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class PutBack:
    """Tells that the wall clock was put back while the program runs: pauses end by it, and would end later by as much.

    It is looked at when the worker looks for work, which is every minute at least."""

    def __init__(self) -> None:
        self._latest = 0.0
        self._owed = 0.0

    def by(self, now: float) -> float:
        """Seconds by which it went back, until it is `made_up` for; 0: it did not, or so little that nobody waits for
        it, or so much that every pause is seen to be too long (`FAR`)."""
        back, self._latest = self._latest - now, now
        self._owed += back if 1 < back <= FAR else 0.0
        return self._owed

    def made_up(self, back: float) -> None:
        """Pauses are shorter by so much, and the disk has it."""
        self._owed -= back
