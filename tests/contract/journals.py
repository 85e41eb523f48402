"""The stores that the journal's contract is tested on, and a clock that stands still until it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from bot.ports import Entry, Journal
from bot.storage.journal_postgres import PostgresJournal
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.postgres import Database
from bot.storage.secrets import Vault
from tests.postgres import server

NOON = 1_790_000_000.0


class ManualClock:
    """Time passes by `advance` alone; whoever sleeps until then wakes."""

    def __init__(self) -> None:
        self.time = NOON
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        self.fell_asleep = asyncio.Event()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = (self.time + seconds, asyncio.Event())
        self._sleepers.append(sleeper)
        self.fell_asleep.set()
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for until, woken in self._sleepers:
            if until <= self.time:
                woken.set()

    async def asleep(self) -> None:
        """Returns when somebody sleeps who was not asleep before."""
        await self.fell_asleep.wait()
        self.fell_asleep.clear()


class Store(Protocol):
    """Keeps its data between two openings, as a disk does."""

    def open(self, clock: ManualClock) -> AbstractAsyncContextManager[Journal]: ...


class SqliteStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def open(self, clock: ManualClock) -> AsyncIterator[Journal]:
        async with SqliteJournal(self.folder, Vault(self.folder / "secret.key"), clock) as journal:
            yield journal


class PostgresStore:
    """A database of its own for each folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = server()

    @asynccontextmanager
    async def open(self, clock: ManualClock) -> AsyncIterator[Journal]:
        vault = Vault(self.folder / "secret.key")
        url = await self.server.database_of(self.folder)
        async with Database(url, vault) as database, PostgresJournal(database, vault, clock) as journal:
            yield journal


STORES: Mapping[str, Callable[[Path], Store]] = {"sqlite": SqliteStore, "postgres": PostgresStore}


def entry(key: str, lane: str = "lane", at_ms: int = 0, *, rest: float = 0.0, **body: object) -> Entry:
    return Entry(key=key, lane=lane, kind="wa.message", body=body, at_ms=at_ms, source="4915112345678", rest=rest)


async def keys(journal: Journal, limit: int = 100) -> list[str]:
    return [one.key for one in await journal.heads(limit)]


async def take(journal: Journal, key: str) -> Entry:
    """Takes the heads, which must be exactly this one."""
    [one] = await journal.heads(100)
    assert one.key == key
    return one
