"""Time that can be made to pass quickly, or to jump."""

from __future__ import annotations

import asyncio
import time


class FastClock:
    """Runs `speed` times as fast as the machine's. `jump` sets the wall clock, as an administrator does."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._began = time.monotonic()
        self._start = time.time()

    def now(self) -> float:
        return self._start + (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    def hurry(self, speed: float) -> None:
        """From now on so many times as fast as the machine's."""
        self._start, self._began, self._speed = self.now(), time.monotonic(), speed

    def jump(self, seconds: float) -> None:
        self._start += seconds
