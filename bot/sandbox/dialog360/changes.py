"""Lets others hear of changes: callbacks for a page, `until` for tests. Nothing polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
Callback = Callable[[str, object], None]


class Changes:
    def __init__(self) -> None:
        self._callbacks: list[Callback] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """`callback(kind, document)` after each change, on the event loop; returns how to stop it."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def announce(self, kind: str, document: object) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()
        for callback in tuple(self._callbacks):
            callback(kind, document)

    async def until(self, predicate: Callable[[], T], timeout: float, state: Callable[[], str]) -> T:
        """Waits until `predicate()` is truthy and returns its value. TimeoutError says how things stand."""
        try:
            async with asyncio.timeout(timeout):
                while not (value := predicate()):
                    change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(change)
                    try:
                        await change
                    finally:
                        self._waiting.discard(change)
        except TimeoutError:
            raise TimeoutError(f"not within {timeout} s; {state()}") from None
        return value
