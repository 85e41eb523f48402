"""The journal in PostgreSQL: what `bot.ports.Journal` promises, for several bots that share one database.

A lane is held by one bot, written in the lane's row, until that bot has closed or given back its entry, or is dead
(see `postgres_presence`). A bot that was thought dead and comes back finds that it holds nothing: its `progress`
raises HoldLost, so that nothing more is handed over, and its `done`, `again` and `park` change nothing, because whoever
has the entry now repeats or recognises what was done.

Entries enter together with others (`journal_postgres_appends`). Everything else is a short transaction of its own;
PostgreSQL writes those that commit at the same time to the disk together.

`due` is compared with each bot's own clock: machines that share a database should agree about the time to a second.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from bot.errors import Busy
from bot.model import Conversation
from bot.ports import Clock, Entry, Erased, Outcome, Step, Stored
from bot.storage import journal_person as whose
from bot.storage import journal_postgres_tables as tables
from bot.storage import journal_rows as shapes
from bot.storage import person_postgres
from bot.storage import postgres_memory as memory
from bot.storage.files import StorageError
from bot.storage.journal_postgres_appends import Appends
from bot.storage.journal_postgres_lookups import REMEMBERED_TOKENS, Lookups
from bot.storage.journal_rows import plain
from bot.storage.journal_tables import Sealed
from bot.storage.postgres import Database
from bot.storage.postgres_presence import EVERYTHING, short
from bot.storage.secrets import Vault
from bot.storage.trial import trial
from bot.storage.waiting import PutBack, first_of

if TYPE_CHECKING:
    from bot.storage.postgres import Db

log = logging.getLogger(__name__)

T = TypeVar("T")

NEWS = "news"
"""Told to the other bots when something may have become due."""


class HoldLost(Busy):
    """This bot was out of touch for so long that another one works on the entry now."""


class PostgresJournal(Lookups):
    """`async with PostgresJournal(database, vault, clock) as journal`. Methods raise StorageError when the database is
    away for too long (see `postgres`)."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        super().__init__(database, vault)
        self._presence = database.presence
        self._clock = clock
        self._appends = Appends(database, partial(self._tell, NEWS))
        self._taking = asyncio.Lock()
        self._held: dict[str, int] = {}
        """Lane → seq of its entry that is being worked on here."""
        self._news = asyncio.Event()
        self._next_due = 0.0
        self._put_back = PutBack()
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        """By the short name of the key that somebody waits for."""
        self._seal = lru_cache(REMEMBERED_TOKENS)(lambda token, _: vault.seal(token))

    async def __aenter__(self) -> Self:
        self._open = True
        self._presence.listeners.append(self._hear)
        self._presence.looks.append(self._look)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open = False
        self._presence.looks.remove(self._look)
        self._presence.listeners.remove(self._hear)
        await self._database.settled()
        try:
            await self._database.transact(lambda db: tables.give_back(db, self._bot, all_but=()))
        except StorageError as error:
            log.warning("what this bot held is free once the others notice that it is gone: %s", error)
        self._presence.tell(NEWS)

    # --- the queue --------------------------------------------------------------------------------------------------

    async def append(self, *entries: Entry) -> int:
        """When the database was lost in the moment of the commit, entries may count as known that were new."""
        self._check_open()
        if not entries:
            return 0
        now = self._clock.now()
        return await self._appends.store([self._row_of(entry, now) for entry in entries])

    async def heads(self, limit: int, shut: Sequence[str] = ()) -> list[Entry]:
        gone = asyncio.Event()
        try:
            return await self._change(self._take(limit, shut, gone))
        except asyncio.CancelledError:
            gone.set()
            raise

    async def wait(self, timeout: float) -> None:
        if not self._news.is_set():
            pause = min(timeout, max(0.0, self._next_due - self._clock.now()))
            await first_of(self._news.wait(), self._clock.sleep(pause))

    async def progress(self, entry: Entry, part: int, step: Step) -> None:
        clock = asyncio.get_running_loop().time
        asked, answered = 0.0, math.inf
        while answered - asked > self._presence.sure_for:  # frozen meanwhile: who holds it now?
            asked = clock()
            ours = self._database.transact(lambda db: tables.progress(db, self._bot, entry, part, step))
            if not await self._change(ours):
                self._lost(entry)
                raise HoldLost(f"another bot has taken over {entry.key}")
            answered = clock()

    async def done(self, entry: Entry, outcome: Outcome) -> None:
        result = shapes.written(outcome.result)
        sealed = self._sealed(outcome.conversation) if outcome.conversation else None
        now, pairs = self._clock.now(), outcome.pairs
        then = [tables.row_of(one, now) for one in outcome.then]
        await self._close(
            entry, lambda db: tables.done(db, self._bot, entry, result, now, pairs=pairs, sealed=sealed, then=then)
        )

    async def again(self, entry: Entry, after: float, why: str, *, confirm: bool = False) -> None:
        due, why = self._clock.now() + after, plain(why)
        await self._close(entry, lambda db: tables.again(db, self._bot, entry, due, why, confirm=confirm))

    async def park(self, entry: Entry, why: str, *notices: Entry, sure: bool = False) -> None:
        now, why = self._clock.now(), plain(why)
        rows = [tables.row_of(notice, now) for notice in notices]
        await self._close(entry, lambda db: tables.park(db, self._bot, entry, why, rows, now=now, sure=sure))

    async def release(self, entry: Entry) -> None:
        await self._change(self._give_back(entry))

    async def confirm(self, key: str, part: int, wamid: str) -> bool:
        return await self._found(lambda db: tables.confirm(db, plain(key), part, wamid))

    async def retry(self, key: str) -> bool:
        return await self._found(lambda db: tables.retry(db, plain(key)))

    async def _found(self, change: Callable[[Db], Awaitable[bool]]) -> bool:
        """Whether any try found something to change: of one whose connection was lost in the commit the change may have
        been made, and then the next one finds nothing."""
        found = False

        async def work(db: Db) -> None:
            nonlocal found
            found = await change(db) or found

        await self._change(self._database.transact(work))
        self._tell(NEWS)
        return found

    # --- the end of an entry ----------------------------------------------------------------------------------------

    async def closed(self, key: str, timeout: float) -> Stored | None:
        name, told = short(plain(key)), asyncio.Event()
        self._watchers[name].add(told)
        over = asyncio.ensure_future(self._clock.sleep(timeout))
        try:
            while True:
                told.clear()
                last = over.done()
                found = await self.find(key)
                if found is not None and found.state != "waiting":
                    return found
                if last:
                    return None
                waiting = asyncio.ensure_future(told.wait())
                try:
                    await asyncio.wait((over, waiting), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
        finally:
            over.cancel()
            self._watchers[name].discard(told)
            if not self._watchers[name]:
                del self._watchers[name]

    async def expire(self, before: float, since: float = 0.0) -> int:
        now = self._clock.now()
        return await self._change(self._database.transact(lambda db: tables.expire(db, before, since, now)))

    async def erase(self, person: str) -> Erased:
        now = self._clock.now()
        derive = self._vault.derive
        work = self._database.transact(lambda db: person_postgres.erase(db, plain(person), now, derive))
        gone = await self._change(work)
        self._tell(NEWS)
        return gone

    # --- conversations, pairs, marks --------------------------------------------------------------------------------

    async def remember(self, conversation: Conversation) -> None:
        sealed = self._sealed(conversation)
        await self._change(self._database.transact(lambda db: memory.remember(db, sealed)))

    async def obstacle(self) -> str:
        name, value = trial(self._clock.now())
        return await self._database.obstacle(lambda db: memory.set_mark(db, name, value, forward=False))

    async def set_mark(self, name: str, value: str, *, forward: bool = False) -> None:
        await self._change(self._database.transact(lambda db: memory.set_mark(db, name, value, forward=forward)))

    # --- inside -----------------------------------------------------------------------------------------------------

    @property
    def _bot(self) -> int:
        return self._presence.number

    async def _change(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            self._check_open()
        except StorageError:
            work.close()
            raise
        return await self._database.to_the_end(work)

    def _row_of(self, entry: Entry, now: float) -> shapes.Values:
        return tables.row_of(entry, now, whose.known_as(entry, self._vault.derive))

    async def _take(self, limit: int, shut: Sequence[str], gone: asyncio.Event) -> list[Entry]:
        async with self._taking:
            self._news.clear()
            tried = False

            async def work(db: Db) -> tuple[list[Entry], float, float]:
                nonlocal tried
                if tried:  # the first try may have been committed without our knowing
                    await tables.give_back(db, self._bot, all_but=self._held)
                tried, now = True, self._clock.now()
                if back := self._put_back.by(now):
                    await tables.put_back(db, now, back)
                return *await tables.take(db, limit, now, self._bot, held=self._held, shut=shut), back

            entries, self._next_due, back = await self._database.transact(work)
            self._put_back.made_up(back)
            self._held.update({entry.lane: entry.seq for entry in entries})
            if gone.is_set():  # nobody would work on them
                for entry in entries:
                    await self._give_back(entry)
                return []
            if len(entries) == limit:
                self._news.set()  # there may be more
            return entries

    async def _give_back(self, entry: Entry) -> None:
        await self._database.transact(lambda db: tables.give_back(db, self._bot, entry=entry))
        self._free(entry)
        self._tell(NEWS)

    async def _close(self, entry: Entry, work: Callable[[Db], Awaitable[bool]]) -> None:
        """Frees the entry's lane. Raises LookupError for what was closed before, or never taken here."""

        async def whole() -> None:
            ours = await self._database.transact(work)
            if not ours:
                self._lost(entry)
            self._free(entry)
            self._tell(NEWS, short(entry.key))

        await self._change(whole())

    def _lost(self, entry: Entry) -> None:
        if self._held.get(entry.lane) != entry.seq:
            raise LookupError(f"{entry.key} does not wait: it was closed before, or never taken from this journal")
        log.warning("a message that was being worked on is another bot's now: this one was out of touch for too long")

    def _free(self, entry: Entry) -> None:
        if self._held.get(entry.lane) == entry.seq:
            del self._held[entry.lane]

    def _tell(self, *what: str) -> None:
        """Everybody: who waits here, and the other bots."""
        self._hear(frozenset(what))
        self._presence.tell(*what)

    def _hear(self, what: frozenset[str]) -> None:
        everything = EVERYTHING in what
        if everything or NEWS in what:
            self._news.set()
        for name in self._watchers if everything else what & self._watchers.keys():
            for told in self._watchers[name]:
                told.set()

    async def _look(self, db: Db) -> None:
        """Each second: takes over from the dead, and finds what nobody told of."""
        lost = self._presence.lost(await tables.holders(db))
        if lost and (freed := await tables.bury(db, lost)):
            log.warning("took over %d conversations of bots that are gone", freed)
            self._tell(NEWS)
        elif await tables.any_due(db, self._clock.now()):
            self._news.set()

    def _sealed(self, conversation: Conversation) -> Sealed:
        return Sealed(conversation, self._seal(conversation.token, self._vault.front), self._hash(conversation.token))
