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
    """Notices that the wall clock was put back while the program runs. Pauses end at a moment of that clock, so they
    would last longer by as much as it was put back.

    The worker asks each time that it looks for work, which is every minute at least."""

    def __init__(self) -> None:
        self._latest = 0.0
        self._owed = 0.0

    def by(self, now: float) -> float:
        """By how many seconds pauses have to be shortened, until `made_up` is told that it was done. 0: the clock did
        not go back; or by a second at most, which nobody minds; or by more than `FAR`, and then every pause is seen to
        be too long anyway."""
        back, self._latest = self._latest - now, now
        self._owed += back if 1 < back <= FAR else 0.0
        return self._owed

    def made_up(self, back: float) -> None:
        """Pauses were shortened by so much, and that is stored."""
        self._owed -= back
