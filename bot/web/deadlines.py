"""Many waits of the same length with one timer between them.

A timer of its own for every request and every head costs more than what it guards. Since all of one kind may last
equally long, they run out in the order in which they began, so the loop needs to be told of the first one alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Item = TypeVar("Item", bound=Hashable)


class Deadlines(Generic[Item]):
    """`over` is called with each item that did not `end` within so many seconds from its `begin`."""

    def __init__(self, seconds: float, over: Callable[[Item], None]) -> None:
        self._seconds = seconds
        self._over = over
        self._due: dict[Item, float] = {}
        """The first to run out first."""
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, item: Item, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Of one that has begun already, the time begins again. Whoever knows the running loop saves looking for it."""
        loop = loop or asyncio.get_running_loop()
        self._due.pop(item, None)
        self._due[item] = due = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._look)

    def end(self, item: Item) -> None:
        self._due.pop(item, None)

    def _look(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        for item, due in list(self._due.items()):
            if due > loop.time():
                self._timer = loop.call_at(due, self._look)
                return
            if self._due.pop(item, None) is not None:
                self._over(item)


class TimeLimit:
    """`await limit.keep(work)`: as `asyncio.timeout` around it. Not to be nested within one task."""

    def __init__(self, seconds: float) -> None:
        self._deadlines = Deadlines(seconds, self._cancel)
        self._over: set[asyncio.Task[Any]] = set()
        self._given: dict[asyncio.Task[Any], asyncio.TimerHandle] = {}

    async def keep(self, work: Awaitable[T]) -> T:
        """Raises TimeoutError when the time is over; what it was working on is cancelled then."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # a coroutine runs in one
        before = task.cancelling()
        self._deadlines.begin(task, loop)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._over and task.cancelling() - 1 <= before:
                raise TimeoutError from None
            raise
        finally:
            self._deadlines.end(task)
            if self._given and (timer := self._given.pop(task, None)):
                timer.cancel()
            if task in self._over:
                self._over.discard(task)
                task.uncancel()

    def give(self, seconds: float) -> None:
        """The work that this task is kept at may go on for so many seconds from now, whatever the limit."""
        task = asyncio.current_task()
        assert task is not None  # a coroutine runs in one
        self._deadlines.end(task)
        if before := self._given.pop(task, None):
            before.cancel()
        self._given[task] = asyncio.get_running_loop().call_later(seconds, self._cancel, task)

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._over.add(task)
        task.cancel()
