"""The journal in one SQLite file: what `bot.ports.Journal` promises, for one process on one machine.

Changes go through one writing thread (`group_commit`), reads through another one with its own connection, so the event
loop never waits for the disk. Which lanes are held is known to the event loop alone: a dead process holds nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import lru_cache, partial
from pathlib import Path
from typing import Self, TypeVar

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports import Backlog, Belongings, Clock, Entry, Erased, Kind, Outcome, Step, Stored
from bot.storage import journal_person as whose
from bot.storage import journal_tables as tables
from bot.storage import person_sqlite
from bot.storage.files import FolderLock, StorageError, StorageHeld, make_private_folder
from bot.storage.group_commit import GroupCommit, Operation, Watch
from bot.storage.journal_rows import (
    BACKLOG,
    LAST_SEQ,
    Row,
    backlog_of,
    between,
    conversation_of,
    entry_of,
    marks_of,
    new_values,
    pair_of,
    storable,
    stored_of,
    written,
)
from bot.storage.journal_schema import open_journal, read_journal
from bot.storage.secrets import Vault
from bot.storage.trial import trial
from bot.storage.waiting import PutBack, first_of

log = logging.getLogger(__name__)

T = TypeVar("T")

FILE = "journal.sqlite3"
_FULL = 2.0
"""Seconds between two looks whether a full disk has space again, or a held file is free."""
_REMEMBERED_TOKENS = 4096
_VAULT = "vault"
"""Mark that tells whether the secret key is the one that this journal's tokens were sealed with."""


class SqliteJournal:
    """`async with SqliteJournal(folder, vault, clock) as journal`.

    Opening raises StorageError when another process has the folder, or the file or the secret key does not fit. Every
    method raises StorageError when the disk or the file fails; a full disk is waited for, and a held file.
    """

    def __init__(
        self, folder: Path, vault: Vault, clock: Clock, watch: Watch | None = None, *, looks: bool = False
    ) -> None:
        """`looks`: it only looks, beside a running bot too; every change raises StorageError."""
        self._path = folder / FILE
        self._looks = looks
        self._lock = FolderLock(folder)
        self._vault = vault
        self._clock = clock
        self._watch = watch
        self._closing = AsyncExitStack()
        self._taking = asyncio.Lock()
        self._held: dict[str, int] = {}
        """Lane → seq of its entry that is being worked on."""
        self._news = asyncio.Event()
        self._next_due = 0.0
        self._put_back = PutBack()
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._seal = lru_cache(_REMEMBERED_TOKENS)(lambda token, _: vault.seal(token))
        self._unseal = lru_cache(_REMEMBERED_TOKENS)(vault.open)
        self._hash = lru_cache(_REMEMBERED_TOKENS)(partial(vault.derive, "visitor token lookup"))
        self._erased: frozenset[str] = frozenset()
        """What the keys of erased webhooks are kept as: in most houses none, so that nothing is looked up."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if not self._looks:
                await asyncio.to_thread(make_private_folder, self._path.parent)
                self._lock.take()
                stack.callback(self._lock.free)
            opened = read_journal if self._looks else open_journal
            self._db, self._reading = await asyncio.to_thread(opened, self._path)
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-read")
            stack.callback(self._reading.close)
            stack.callback(self._reader.shutdown)
            self._writer = GroupCommit(self._db, self._path, self._watch)
            stack.push_async_callback(self._writer.close)
            await self._check_vault()
            await self._learn_erased()
            self._closing = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    # --- the queue --------------------------------------------------------------------------------------------------

    async def append(self, *entries: Entry) -> int:
        if self._erased:
            entries = tuple(one for one in entries if whose.known_as(one, self._vault.derive) not in self._erased)
        if not entries:
            return 0
        order = ([new_values(entry) for entry in entries], self._clock.now())
        appended = await self._stored(lambda: self._writer.ask_jointly(tables.append, order, self._tell_heads))
        return appended.new

    async def heads(self, limit: int, shut: Sequence[str] = ()) -> list[Entry]:
        async with self._taking:
            asked: list[asyncio.Future[tuple[list[Entry], float]]] = []

            def take() -> asyncio.Future[tuple[list[Entry], float]]:
                asked.append(self._take(limit, shut))
                return asked[-1]

            try:
                entries, _ = await self._stored(take)
            except asyncio.CancelledError:
                if asked[-1].done() and not (asked[-1].cancelled() or asked[-1].exception()):
                    for entry in asked[-1].result()[0]:  # taken in the very moment in which nobody wants them any more
                        self._free(entry)
                raise
            return entries

    def _take(self, limit: int, shut: Sequence[str]) -> asyncio.Future[tuple[list[Entry], float]]:
        """It may share a commit with changes, and fail with them on a full disk."""
        self._news.clear()
        held, now = frozenset(self._held), self._clock.now()
        back = self._put_back.by(now)

        def take(db: sqlite3.Connection) -> tuple[list[Entry], float]:
            if back:
                tables.put_back(db, now, back)
            return tables.heads(db, limit, held, now, shut)

        def hold(taken: tuple[list[Entry], float]) -> None:
            self._put_back.made_up(back)
            if asked.cancelled():  # nobody would work on them
                self._news.set()
                return
            entries, self._next_due = taken
            self._held.update({entry.lane: entry.seq for entry in entries})
            if len(entries) == limit:
                self._news.set()  # there may be more

        asked = self._writer.ask(take, hold)
        return asked

    async def wait(self, timeout: float) -> None:
        if not self._news.is_set():
            pause = min(timeout, max(0.0, self._next_due - self._clock.now()))
            await first_of(self._news.wait(), self._clock.sleep(pause))

    async def progress(self, entry: Entry, part: int, step: Step) -> None:
        await self._written(lambda db: tables.progress(db, entry, part, step))

    async def done(self, entry: Entry, outcome: Outcome) -> None:
        result = written(outcome.result)
        sealed = self._sealed(outcome.conversation) if outcome.conversation else None
        now, pairs, then = self._clock.now(), outcome.pairs, [new_values(one) for one in outcome.then]
        await self._close(entry, lambda db: tables.done(db, entry, result, now, pairs=pairs, sealed=sealed, then=then))

    async def again(self, entry: Entry, after: float, why: str, *, confirm: bool = False) -> None:
        due = self._clock.now() + after
        why = storable(why)
        await self._written(lambda db: tables.again(db, entry, due, why, confirm=confirm), lambda _: self._free(entry))

    async def park(self, entry: Entry, why: str, *notices: Entry, sure: bool = False) -> None:
        rows, why, now = [new_values(notice) for notice in notices], storable(why), self._clock.now()
        await self._close(entry, lambda db: tables.park(db, entry, why, rows, now, sure=sure))

    async def release(self, entry: Entry) -> None:
        self._free(entry)

    async def confirm(self, key: str, part: int, wamid: str) -> bool:
        return await self._change(lambda db: tables.confirm(db, storable(key), part, wamid))

    async def retry(self, key: str) -> bool:
        return await self._change(lambda db: tables.retry(db, storable(key)))

    # --- looking ----------------------------------------------------------------------------------------------------

    async def find(self, key: str) -> Stored | None:
        row = await self._row(tables.ENTRY_BY_KEY, storable(key))
        return stored_of(row) if row else None

    async def head(self, lane: str) -> Entry | None:
        row = await self._row(tables.NEXT_IN_LANE, storable(lane))
        return entry_of(row) if row else None

    async def closed(self, key: str, timeout: float) -> Stored | None:
        key, told = storable(key), asyncio.Event()
        self._watchers[key].add(told)
        try:
            found = await self.find(key)
            if found is None or found.state == "waiting":
                await first_of(told.wait(), self._clock.sleep(timeout))
                found = await self.find(key)
        finally:
            self._watchers[key].discard(told)
            if not self._watchers[key]:
                del self._watchers[key]
        return found if found is not None and found.state != "waiting" else None

    async def audit(self, limit: int, before: int = 0, *, done: bool = False) -> list[Stored]:
        return [stored_of(row) for row in await self._rows(tables.AUDIT, before or LAST_SEQ, done, limit)]

    async def dead(self, limit: int = 100, *, latest: bool = False, after: Stored | None = None) -> list[Stored]:
        rows = await self._rows(*tables.dead_query(limit, latest, after))
        return [stored_of(row) for row in rows]

    async def latest(self, person: str, limit: int) -> list[Stored]:
        def look(db: sqlite3.Connection) -> list[Row]:
            names = whose.names_of(storable(person), db.execute(whose.NAMES, {"person": storable(person)}))
            known = {"names": json.dumps(names), "most": limit}
            rooms = db.execute(whose.ROOMS, known).fetchall()
            known["tails"] = json.dumps(whose.tails_of(names, rooms))
            return db.execute(whose.LATEST, known).fetchall()

        return [stored_of(row) for row in await self._read(look)]

    async def expire(self, before: float, since: float = 0.0) -> int:
        now = self._clock.now()
        return await self._written(lambda db: tables.expire(db, before, since, now))

    async def belongings(self, person: str) -> Belongings:
        return await self._read(lambda db: person_sqlite.belongings(db, storable(person)))

    async def erase(self, person: str) -> Erased:
        now = self._clock.now()
        gone = await self._change(lambda db: person_sqlite.erase(db, storable(person), now, self._vault.derive))
        await self._learn_erased()
        return gone

    async def _learn_erased(self) -> None:
        rows = await self._rows(whose.KNOWN_KEYS, self._clock.now() - whose.REDELIVERED)
        self._erased = frozenset(row["key"] for row in rows)

    async def obstacle(self) -> str:
        try:
            await self._writer.ask(lambda db: tables.set_mark(db, *trial(self._clock.now()), forward=False))
        except StorageHeld as error:
            return error.lacks
        return ""

    async def counts(self) -> Mapping[str, int]:
        return await self._read(tables.counts)

    async def backlog(self) -> Mapping[Kind, Backlog]:
        return backlog_of(await self._rows(BACKLOG))

    # --- conversations, pairs, marks --------------------------------------------------------------------------------

    async def conversation(self, number: NumberId, contact: ContactId) -> Conversation | None:
        name = storable(contact)
        for query, value in zip(tables.CONVERSATION_BY, (name, f"+{name}", name), strict=True):
            found = await self._conversation(query, storable(number), value)
            if found is not None:
                return found
        return None

    async def conversation_of_room(self, room: RoomId) -> Conversation | None:
        return await self._conversation(tables.CONVERSATION_OF_ROOM, storable(room))

    async def conversation_of_token(self, token: VisitorToken) -> Conversation | None:
        return await self._conversation(tables.CONVERSATION_BY_HASH, self._hash(token))

    async def remember(self, conversation: Conversation) -> None:
        sealed = self._sealed(conversation)
        await self._written(lambda db: tables.remember(db, sealed))

    async def pair(self, wamid: Wamid) -> Pair | None:
        row = await self._row(tables.PAIR, storable(wamid))
        return pair_of(row) if row else None

    async def pairs_of_message(self, message: MessageId) -> list[Pair]:
        rows = await self._rows(tables.PAIRS_OF_MESSAGE, storable(message))
        return [pair_of(row) for row in rows]

    async def mark(self, name: str) -> str | None:
        row = await self._row("SELECT value FROM marks WHERE name = ?", name)
        return str(row["value"]) if row else None

    async def marks(self, prefix: str, after: str = "", limit: int = 1000) -> Mapping[str, str]:
        return marks_of(await self._rows(tables.MARKS, *between(prefix, after), limit))

    async def set_mark(self, name: str, value: str, *, forward: bool = False) -> None:
        await self._written(lambda db: tables.set_mark(db, name, value, forward=forward))

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _written(self, operation: Operation[T], then: Callable[[T], None] | None = None) -> T:
        return await self._stored(lambda: self._writer.ask(operation, then))

    async def _stored(self, ask: Callable[[], asyncio.Future[T]]) -> T:
        """A full disk is waited for, and another program that holds the file: somebody will make space, or close it,
        and until then there is nothing better to do."""
        told = False
        while True:
            try:
                return await ask()
            except StorageHeld as error:
                if not told:
                    log.error("%s", error)
                told = True
                await self._clock.sleep(_FULL)

    async def _change(self, operation: Operation[T]) -> T:
        """A change after which something may be due."""
        return await self._written(operation, self._tell)

    def _tell(self, _: object) -> None:
        self._news.set()

    def _tell_heads(self, appended: tables.Appended) -> None:
        if appended.heads:
            self._news.set()

    async def _close(self, entry: Entry, operation: Operation[bool]) -> None:
        """Frees the entry's lane; `closed` waits for it when it says that the entry is closed."""

        def then(closed: bool) -> None:
            self._free(entry)
            for told in self._watchers.get(entry.key, ()) if closed else ():
                told.set()

        await self._written(operation, then)

    def _free(self, entry: Entry) -> None:
        if self._held.get(entry.lane) == entry.seq:
            del self._held[entry.lane]
        self._news.set()

    async def _read(self, operation: Operation[T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, operation, self._reading)
        except sqlite3.Error as error:
            raise StorageError(f"The journal {self._path} cannot be read: {error}.") from error

    async def _rows(self, query: str, *values: object) -> list[Row]:
        return await self._read(lambda db: db.execute(query, values).fetchall())

    async def _row(self, query: str, *values: object) -> Row | None:
        rows = await self._rows(query, *values)
        return rows[0] if rows else None

    async def _conversation(self, query: str, *values: object) -> Conversation | None:
        row = await self._row(query, *values)
        return conversation_of(row, VisitorToken(self._unseal(row["token"]))) if row else None

    def _sealed(self, conversation: Conversation) -> tables.Sealed:
        token = conversation.token
        return tables.Sealed(conversation, self._seal(token, self._vault.front), self._hash(token))

    async def _check_vault(self) -> None:
        proof = self._vault.derive("journal").hex()
        known = await self.mark(_VAULT)
        if known is None:
            await self.set_mark(_VAULT, proof)
        elif known != proof:
            raise StorageError(
                f"The journal {self._path} was written with another secret key than {self._vault.path}. "
                "Put the key file back that belongs to it."
            )
