"""What the journal in PostgreSQL is asked without changing anything: entries, conversations, pairs, marks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports import Backlog, Belongings, Entry, Kind, Stored
from bot.storage import journal_person as whose
from bot.storage import journal_postgres_tables as tables
from bot.storage import journal_rows as shapes
from bot.storage import person_postgres
from bot.storage import postgres_memory as memory
from bot.storage.files import StorageError
from bot.storage.journal_rows import plain
from bot.storage.postgres import Database
from bot.storage.secrets import Vault

if TYPE_CHECKING:
    from bot.storage.postgres import Row

REMEMBERED_TOKENS = 4096
_NAMES, _ROOMS, _LATEST = (whose.in_postgres(query) for query in (whose.NAMES, whose.ROOMS, whose.LATEST))


class Lookups:
    """The part of `PostgresJournal` that only reads. Raises StorageError while it is not `_open`."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._open = False
        self._unseal = lru_cache(REMEMBERED_TOKENS)(vault.open)
        self._hash = lru_cache(REMEMBERED_TOKENS)(partial(vault.derive, "visitor token lookup"))

    # --- entries ----------------------------------------------------------------------------------------------------

    async def find(self, key: str) -> Stored | None:
        row = await self._row(tables.ENTRY_BY_KEY, plain(key))
        return shapes.stored_of(row) if row else None

    async def head(self, lane: str) -> Entry | None:
        row = await self._row(tables.NEXT_IN_LANE, plain(lane))
        return shapes.entry_of(row) if row else None

    async def audit(self, limit: int, before: int = 0, *, done: bool = False) -> list[Stored]:
        rows = await self._rows(tables.AUDIT, before or shapes.LAST_SEQ, done, limit)
        return [shapes.stored_of(row) for row in rows]

    async def dead(self, limit: int = 100, *, latest: bool = False, after: Stored | None = None) -> list[Stored]:
        return [shapes.stored_of(row) for row in await self._rows(*tables.dead_query(limit, latest, after))]

    async def latest(self, person: str, limit: int) -> list[Stored]:
        name = plain(person)
        names = whose.names_of(name, await self._rows(_NAMES, name))
        tails = whose.tails_of(names, await self._rows(_ROOMS, names))
        return [shapes.stored_of(row) for row in await self._rows(_LATEST, names, tails, limit)]

    async def belongings(self, person: str) -> Belongings:
        self._check_open()
        return await self._database.transact(lambda db: person_postgres.belongings(db, plain(person)))

    async def counts(self) -> Mapping[str, int]:
        [row] = await self._rows(tables.COUNTS)
        return dict(row.items())

    async def backlog(self) -> Mapping[Kind, Backlog]:
        return shapes.backlog_of(await self._rows(shapes.BACKLOG))

    # --- conversations, pairs, marks --------------------------------------------------------------------------------

    async def conversation(self, number: NumberId, contact: ContactId) -> Conversation | None:
        return await self._conversation(tables.CONVERSATION, plain(number), plain(contact))

    async def conversation_of_room(self, room: RoomId) -> Conversation | None:
        return await self._conversation(tables.CONVERSATION_OF_ROOM, plain(room))

    async def conversation_of_token(self, token: VisitorToken) -> Conversation | None:
        return await self._conversation(tables.CONVERSATION_BY_HASH, self._hash(token))

    async def pair(self, wamid: Wamid) -> Pair | None:
        row = await self._row(tables.PAIR, plain(wamid))
        return shapes.pair_of(row) if row else None

    async def pairs_of_message(self, message: MessageId) -> list[Pair]:
        return [shapes.pair_of(row) for row in await self._rows(tables.PAIRS_OF_MESSAGE, plain(message))]

    async def mark(self, name: str) -> str | None:
        row = await self._row("SELECT value FROM marks WHERE name = $1", plain(name))
        return str(row["value"]) if row else None

    async def marks(self, prefix: str, after: str = "", limit: int = 1000) -> Mapping[str, str]:
        return shapes.marks_of(await self._rows(memory.MARKS, *shapes.between(prefix, after), limit))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if not self._open:
            raise StorageError(f"The journal in {self._database.where} is closed.")

    async def _rows(self, query: str, *values: object) -> list[Row]:
        self._check_open()
        return await self._database.fetch(query, *values)

    async def _row(self, query: str, *values: object) -> Row | None:
        return next(iter(await self._rows(query, *values)), None)

    async def _conversation(self, query: str, *values: object) -> Conversation | None:
        row = await self._row(query, *values)
        return shapes.conversation_of(row, VisitorToken(self._unseal(row["token"]))) if row else None
