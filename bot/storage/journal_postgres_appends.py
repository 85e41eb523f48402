"""How entries come into PostgreSQL: those that come while one is being written go into the next statement together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.storage import journal_postgres_tables as tables
from bot.storage.journal_rows import Values
from bot.storage.postgres import Database

_MOST_AT_ONCE = 512
"""Entries in one statement: bounds how long the first of them waits for the last."""


@dataclass(frozen=True, slots=True)
class _Wish:
    rows: Sequence[Values]
    stored: asyncio.Future[int]


class Appends:
    """`news` is called when some were stored. Closing the database waits for what was begun."""

    def __init__(self, database: Database, news: Callable[[], None]) -> None:
        self._database = database
        self._news = news
        self._wishes: list[_Wish] = []
        self._busy = False

    async def store(self, rows: Sequence[Values]) -> int:
        """How many of them were new."""
        wish = _Wish(rows, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        if not self._busy:
            self._busy = True
            self._database.begin(self._what_waits())
        return await wish.stored

    async def _what_waits(self) -> None:
        """One statement at a time."""
        while self._wishes:
            some: list[_Wish] = []
            rows = 0
            while self._wishes and (not some or rows + len(self._wishes[0].rows) <= _MOST_AT_ONCE):
                some.append(self._wishes.pop(0))
                rows += len(some[-1].rows)
            await self._together(some)
        self._busy = False

    async def _together(self, wishes: Sequence[_Wish]) -> None:
        rows = [row for wish in wishes for row in wish.rows]
        owner = [number for number, wish in enumerate(wishes) for _ in wish.rows]
        try:
            new = [owner[place] for place in await self._database.transact(lambda db: tables.append(db, rows))]
        except Exception as error:
            for wish in wishes:
                if not wish.stored.done():
                    wish.stored.set_exception(error)
            return
        self._news()
        for number, wish in enumerate(wishes):
            if not wish.stored.done():
                wish.stored.set_result(new.count(number))
