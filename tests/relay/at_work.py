"""A worker on a real journal, handlers that do what a test says, and time that passes when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from bot.ports import Entry, Journal, Outcome
from bot.relay.worker import Worker
from tests.contract.journals import ManualClock

LONG = 3600.0

Handle = Callable[[Entry], Awaitable[Outcome]]


def nobody(entry: Entry, error: Exception) -> Sequence[Entry]:
    return ()


def somebody(parked: Entry, error: Exception) -> Sequence[Entry]:
    return (Entry(f"notice:{parked.key}", "say", "notice", {"about": type(error).__name__}),)


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(worker.run())
    try:
        yield running
    finally:
        await worker.stop()
        await running


async def closed(journal: Journal, *keys: str) -> list[str]:
    """Waits until all of these are done or dead, and says which."""
    async with asyncio.timeout(10):
        found = [await journal.closed(key, LONG) for key in keys]
    return [one.state if one else "?" for one in found]


class Log:
    """A handler that notes what it does; what it does is given per key."""

    def __init__(self, **acts: Handle) -> None:
        self.acts = {key.replace("_", " "): act for key, act in acts.items()}
        self.seen: list[str] = []
        self.busy = 0
        self.most = 0

    async def __call__(self, entry: Entry) -> Outcome:
        self.seen.append(entry.key)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            act = self.acts.get(entry.key)
            return await act(entry) if act else Outcome({"did": entry.key})
        finally:
            self.busy -= 1


def failing(*errors: BaseException) -> Handle:
    """Raises these, one at each look, then succeeds."""
    left = list(errors)

    async def act(entry: Entry) -> Outcome:
        if left:
            raise left.pop(0)
        return Outcome({"after": len(errors)})

    return act


async def patiently(clock: ManualClock, journal: Journal, key: str) -> str:
    """Lets time pass, a second whenever everybody sleeps, until the entry is closed."""
    waiting = asyncio.create_task(journal.closed(key, 10 * LONG))
    async with asyncio.timeout(10):
        while not waiting.done():
            clock.advance(1)
            await journal.find(key)  # a turn of the disk and of the loop
    found = await waiting
    return found.state if found else "?"
