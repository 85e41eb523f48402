"""The registry in PostgreSQL: what `bot.ports.Registry` promises, for several bots that share one database.

Numbers and facts are asked for with every message, so they are remembered until another bot tells that it has changed
one, or the look of each second finds it (a bot may die before it tells); while nothing can be heard, nothing is
remembered. A number that is not known here is looked for in the database:
the first webhook of a number that another bot has just connected finds it. Form sessions move between the bots with
every step that a person makes: they are always read, those of one room alone, because every message of an agent asks.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from bot.model import Number, NumberId
from bot.ports import Json
from bot.storage.files import StorageError
from bot.storage.journal_rows import plain
from bot.storage.postgres import Database
from bot.storage.postgres_presence import EVERYTHING
from bot.storage.registry_documents import (
    FACT_SECRETS,
    NUMBER_SECRETS,
    SESSION_SECRETS,
    closed,
    further,
    is_session,
    number_of,
    opened,
    present,
)
from bot.storage.secrets import Vault

if TYPE_CHECKING:
    from bot.storage.postgres import Db

log = logging.getLogger(__name__)

CHANGED = "registry"
"""Told to the other bots with every change of a number or a fact."""

_STAMP = "SELECT count(*), coalesce(sum(changed), 0)::bigint FROM documents WHERE kind = ANY ($1)"
_ALL = "SELECT document, changed FROM documents WHERE kind = $1 ORDER BY place"
_ONE = "SELECT document FROM documents WHERE kind = $1 AND id = $2"
_OF_ROOM = "SELECT document FROM documents WHERE kind = 'session' AND (room = $1 OR room IS NULL) ORDER BY place"
_PUT = """
    INSERT INTO documents (kind, id, document, room) VALUES ($1, $2, $3, $4)
    ON CONFLICT (kind, id) DO UPDATE SET document = $3, room = $4, changed = nextval('document_changes')
"""
_REMOVE = "DELETE FROM documents WHERE kind = $1 AND id = $2"

Stamp = tuple[int, int]


class PostgresRegistry:
    """`async with PostgresRegistry(database, vault) as registry`.

    Opening raises StorageError when something in it cannot be read. `changed` is set whenever another bot may have
    changed something.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._presence = database.presence
        self._vault = vault
        self._numbers: dict[str, Number] = {}
        self._stamp: Stamp | None = None
        """How the numbers in the database stood when they were read; None: to be read anew."""
        self._seen: Stamp | None = None
        """How numbers and facts stood at the last look."""
        self._facts: dict[str, str] = {}
        self._age = 0
        """Rises with every change that is heard of: what was read before is not remembered after."""
        self._reading = asyncio.Lock()
        self.changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.numbers()
        await self.sessions()
        self._presence.listeners.append(self._hear)
        self._presence.looks.append(self._look)
        self._forget()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._presence.looks.remove(self._look)
        self._presence.listeners.remove(self._hear)
        await self._database.settled()

    async def numbers(self) -> list[Number]:
        return present((await self._known_numbers()).values())

    async def number(self, id: NumberId) -> Number | None:
        found = await self._of_id(id)
        return None if found is None or found.disconnected_at else found

    async def former(self, id: NumberId) -> Number | None:
        found = await self._of_id(id)
        return found if found is not None and found.disconnected_at else None

    async def number_of_hook(self, hook_path: str) -> Number | None:
        found = _of_hook(await self._known_numbers(), hook_path)
        return found or _of_hook(await self._known_numbers(anew=True), hook_path)

    async def put_number(self, number: Number) -> None:
        await self._put("number", number.id, closed(self._vault, asdict(number), NUMBER_SECRETS))

    async def remove_number(self, id: NumberId) -> None:
        await self._remove("number", id)

    async def sessions(
        self, wanted: Callable[[Json], bool] = lambda _: True, *, id: str | None = None, room: str | None = None
    ) -> list[Json]:
        if id is not None:
            rows = await self._database.fetch(_ONE, "session", plain(id))
        elif room is not None:
            rows = await self._database.fetch(_OF_ROOM, plain(room))
        else:
            rows = await self._database.fetch(_ALL, "session")

        def fits(stored: Json) -> bool:
            return is_session(stored, id, room) and wanted(stored)

        return [self._opened(row["document"]) for row in rows if self._is(fits, row["document"])]

    async def put_session(self, session: Json) -> None:
        document = closed(self._vault, session, SESSION_SECRETS)
        await self._put("session", str(session["id"]), document, session.get("room"))

    async def remove_session(self, id: str) -> None:
        await self._remove("session", id)

    async def fact(self, name: str) -> str | None:
        if self._presence.hears and name in self._facts:
            return self._facts[name]
        age = self._age
        rows = await self._database.fetch(_ONE, "fact", plain(name))
        if not rows:
            return None
        value = str(self._opened(rows[0]["document"])["value"])
        if age == self._age:
            self._facts[name] = value
        return value

    async def set_fact(self, name: str, value: str) -> None:
        await self._put("fact", name, closed(self._vault, {"name": name, "value": value}, FACT_SECRETS))

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _of_id(self, id: NumberId) -> Number | None:
        known = await self._known_numbers()
        if id not in known:
            known = await self._known_numbers(anew=True)
        return known.get(id)

    async def _known_numbers(self, *, anew: bool = False) -> Mapping[str, Number]:
        """`anew`: asks the database whether what is remembered still stands."""
        if self._stamp is not None and self._presence.hears and not anew:
            return self._numbers
        async with self._reading:
            if self._stamp is None or await self._stamp_now() != self._stamp:
                age = self._age
                stamp = await self._stamp_now()  # before the rest: a change in between is read twice, never missed
                rows = await self._database.fetch(_ALL, "number")
                self._numbers = {number.id: number for row in rows if (number := self._number(row["document"]))}
                self._stamp = stamp if age == self._age else None
            return self._numbers

    async def _stamp_now(self) -> Stamp:
        [(count, changes)] = await self._database.fetch(_STAMP, ["number"])
        return int(count), int(changes)

    async def _put(self, kind: str, id: str, document: Json, room: str | None = None) -> None:
        async def put(db: Db) -> None:
            known = await db.fetchval(f"{_ONE} FOR UPDATE", kind, plain(id)) if kind == "session" else None
            if known is not None and further(json.loads(known), document):
                log.warning("a step of a form could not be stored in time, and is not any more: it has gone on")
                return
            await db.execute(_PUT, kind, plain(id), json.dumps(document), None if room is None else plain(room))

        await self._database.to_the_end(self._change(kind, put))

    async def _remove(self, kind: str, id: str) -> None:
        async def remove(db: Db) -> None:
            await db.execute(_REMOVE, kind, plain(id))

        await self._database.to_the_end(self._change(kind, remove))

    async def _change(self, kind: str, work: Any) -> None:
        await self._database.transact(work)
        if kind != "session":
            self._forget()
            self._presence.tell(CHANGED)

    def _hear(self, what: frozenset[str]) -> None:
        if what & {CHANGED, EVERYTHING}:
            self._forget()
            self.changed.set()

    async def _look(self, db: Db) -> None:
        [(count, changes)] = await db.fetch(_STAMP, ["number", "fact"])
        before, self._seen = self._seen, (int(count), int(changes))
        if before != self._seen:
            self._hear(frozenset({CHANGED}))

    def _forget(self) -> None:
        self._age += 1
        self._facts.clear()
        self._stamp = None

    def _is(self, wanted: Callable[[Json], bool], document: str) -> bool:
        try:
            return wanted(json.loads(document))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._unreadable(error) from None

    def _opened(self, document: str) -> dict[str, Any]:
        try:
            return opened(self._vault, json.loads(document))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._unreadable(error) from None

    def _number(self, document: str) -> Number:
        try:
            return number_of(self._opened(document))
        except TypeError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> StorageError:
        return StorageError(
            f"The registry in {self._database.where} holds something that cannot be read ({type(error).__name__}). "
            "It was not changed. Put a backup in its place."
        )


def _of_hook(numbers: Mapping[str, Number], hook_path: str) -> Number | None:
    wanted, found = hook_path.encode("utf-8", "surrogatepass"), None
    for number in numbers.values():
        if hmac.compare_digest(number.hook_path.encode("utf-8", "surrogatepass"), wanted):
            found = number
    return found
