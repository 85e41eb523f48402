"""One bot at a time: advisory locks by name, all of a bot's on one connection, which frees them when the bot dies.

They keep bots out of each other's way where two would do the same thing needlessly or in two pieces. A connection that
is cut frees them too soon, so nothing that must never happen twice may rest on them alone.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg

from bot.storage.files import StorageError
from bot.storage.local_locks import LocalLocks
from bot.storage.postgres_schema import LOCKS

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

Patiently = Callable[[Callable[[], Awaitable[bool]]], Awaitable[bool]]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_GOODBYE = 4.0
_LOCK = "SELECT pg_try_advisory_lock($1, $2)"
_UNLOCK = "SELECT pg_advisory_unlock($1, $2)"


class Locks:
    def __init__(self, connect: Callable[[], Awaitable[Connection]], patiently: Patiently) -> None:
        self._connect = connect
        self._patiently = patiently
        self._db: Connection | None = None
        self._asking = asyncio.Lock()
        self._here = LocalLocks()
        self._late: set[asyncio.Task[None]] = set()
        """Give back what nobody waits for any more."""

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Inside is one at a time, of all bots and of this one's tasks; others wait."""
        async with self._here.alone(name):
            number, pause = zlib.crc32(name.encode("utf-8", "surrogatepass")) - 2**31, _FIRST_PAUSE
            while not await self._taken(number):
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                yield
            finally:
                await asyncio.shield(self._ask(_UNLOCK, number))

    async def _taken(self, number: int) -> bool:
        """Whoever is cancelled meanwhile leaves the question to be answered: to break it off would end the session, and
        free everything that this bot holds. What is got too late is given back."""
        asking = asyncio.ensure_future(self._ask(_LOCK, number))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            late = asyncio.create_task(self._give_back(asking, number))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            raise

    async def _give_back(self, asking: asyncio.Future[bool], number: int) -> None:
        with suppress(StorageError):  # the session is gone, and with it the lock
            if await asking:
                await self._ask(_UNLOCK, number)

    async def close(self) -> None:
        for late in self._late:
            late.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        if self._db is not None:
            try:
                await self._db.close(timeout=_GOODBYE)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                self._db.terminate()

    async def _ask(self, question: str, number: int) -> bool:
        async def attempt() -> bool:
            if self._db is None or self._db.is_closed():
                self._db = await self._connect()
            try:
                return bool(await self._db.fetchval(question, LOCKS + 1, number))
            except BaseException:
                self._db.terminate()  # whether it was heard is not known, so the session ends
                raise

        async with self._asking:
            return await self._patiently(attempt)
