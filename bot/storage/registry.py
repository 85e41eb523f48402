"""The registry in one JSON file (TinyDB): few documents that change slowly, replaced as a whole with every change.

Secrets never stand in the file in clear: those of a number or a form are one sealed text (`sealed`) in its document,
and so is every fact's value. What is read is kept in memory; one process per folder makes that true (see `files`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Coroutine, Mapping, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from tinydb import TinyDB, where
from tinydb.storages import Storage
from tinydb.table import Table

from bot.model import Number, NumberId
from bot.ports import Json
from bot.storage.files import StorageError, make_private_folder, write_whole
from bot.storage.registry_documents import (
    FACT_SECRETS,
    NUMBER_SECRETS,
    SESSION_SECRETS,
    closed,
    is_session,
    number_of,
    opened,
    present,
)
from bot.storage.secrets import Vault

T = TypeVar("T")

VERSION = 1


class WholeFile(Storage):
    """TinyDB's document as a file that is never half written, and never written over when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, dict[str, Any]] | None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeError) as error:
            raise StorageError(f"The registry {self._path} cannot be read: {error}.") from None
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or not all(isinstance(table, dict) for table in data.values()):
            raise StorageError(
                f"The registry {self._path} is damaged. It was not changed. Put a backup in its place, or move it away "
                "and connect the numbers again."
            )
        return data

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        try:
            write_whole(self._path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise StorageError(
                f"The registry {self._path} cannot be written: {error.strerror}. Make space, or let it write there."
            ) from None


class TinyRegistry:
    """Reads the file at once. Raises StorageError when it is damaged, newer, or sealed with another key."""

    def __init__(self, path: Path, vault: Vault) -> None:
        make_private_folder(path.parent)
        self._path = path
        self._vault = vault
        self._lock = asyncio.Lock()
        self._db = TinyDB(path, storage=WholeFile)
        self._about = self._db.table("about", cache_size=0)
        self._number_table = self._db.table("numbers", cache_size=0)
        self._session_table = self._db.table("sessions", cache_size=0)
        self._fact_table = self._db.table("facts", cache_size=0)
        self._numbers: dict[str, Number] = {}
        self._sessions: dict[str, Json] = {}
        self._facts: dict[str, str] = {}
        self._load()

    def all(self) -> tuple[tuple[Number, ...], dict[str, str]]:
        """Numbers and facts as they were read; without numbers that were disconnected."""
        return tuple(present(self._numbers.values())), dict(self._facts)

    async def numbers(self) -> list[Number]:
        return present(self._numbers.values())

    async def number(self, id: NumberId) -> Number | None:
        found = self._numbers.get(id)
        return None if found is None or found.disconnected_at else found

    async def former(self, id: NumberId) -> Number | None:
        found = self._numbers.get(id)
        return found if found is not None and found.disconnected_at else None

    async def number_of_hook(self, hook_path: str) -> Number | None:
        wanted, found = _bytes(hook_path), None
        for number in self._numbers.values():
            if hmac.compare_digest(_bytes(number.hook_path), wanted):
                found = number
        return found

    async def put_number(self, number: Number) -> None:
        document = closed(self._vault, asdict(number), NUMBER_SECRETS)
        kept = number_of(self._as_read(document))

        def then() -> None:
            self._numbers = {**self._numbers, kept.id: kept}

        await self._change(lambda: _put(self._number_table, "id", document), then)

    async def remove_number(self, id: NumberId) -> None:
        def then() -> None:
            self._numbers = _without(self._numbers, id)

        await self._change(lambda: self._number_table.remove(where("id") == id), then)

    async def sessions(
        self, wanted: Callable[[Json], bool] = lambda _: True, *, id: str | None = None, room: str | None = None
    ) -> list[Json]:
        return [one for one in self._sessions.values() if is_session(one, id, room) and wanted(one)]

    async def put_session(self, session: Json) -> None:
        document = closed(self._vault, session, SESSION_SECRETS)
        kept = self._as_read(document)

        def then() -> None:
            self._sessions = {**self._sessions, str(kept["id"]): kept}

        await self._change(lambda: _put(self._session_table, "id", document), then)

    async def remove_session(self, id: str) -> None:
        def then() -> None:
            self._sessions = _without(self._sessions, id)

        await self._change(lambda: self._session_table.remove(where("id") == id), then)

    async def fact(self, name: str) -> str | None:
        return self._facts.get(name)

    async def set_fact(self, name: str, value: str) -> None:
        if self._facts.get(name) == value:
            return
        document = closed(self._vault, {"name": name, "value": value}, FACT_SECRETS)

        def then() -> None:
            self._facts = {**self._facts, name: value}

        await self._change(lambda: _put(self._fact_table, "name", document), then)

    def _as_read(self, document: Json) -> dict[str, Any]:
        """As the next start finds it. Reading all the others again with every step of a form would make each step
        longer than the one before."""
        return opened(self._vault, json.loads(json.dumps(document)))

    async def _change(self, write: Callable[[], object], then: Callable[[], None]) -> None:
        """In a thread, one at a time. `then` changes what is in memory, after the file has changed; whoever is just
        reading it goes on with what it was."""
        async with self._lock:
            await _to_the_end(asyncio.to_thread(self._write, write, then))

    def _write(self, write: Callable[[], object], then: Callable[[], None]) -> None:
        if not self._about.all():
            self._about.insert({"version": VERSION})
        write()
        then()

    def _load(self) -> None:
        try:
            version = max((int(one["version"]) for one in self._about.all()), default=VERSION)
            if version > VERSION:
                raise StorageError(
                    f"The registry {self._path} was written by a newer version of the bot. Install that version again, "
                    "or put back the backup from before the update."
                )
            numbers = [number_of(opened(self._vault, document)) for document in self._number_table.all()]
            sessions = [opened(self._vault, document) for document in self._session_table.all()]
            facts = [opened(self._vault, document) for document in self._fact_table.all()]
            self._numbers = {number.id: number for number in numbers}
            self._sessions = {str(session["id"]): session for session in sessions}
            self._facts = {str(fact["name"]): str(fact["value"]) for fact in facts}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StorageError(
                f"The registry {self._path} holds something that cannot be read ({type(error).__name__}). It was not "
                "changed. Put a backup in its place."
            ) from None


def _put(table: Table, name: str, document: dict[str, Any]) -> None:
    """Replaces the document of that name as a whole, in one write."""

    def replace(old: MutableMapping[Any, Any]) -> None:
        old.clear()
        old.update(document)

    same = where(name) == document[name]
    if table.contains(same):
        table.update(replace, same)
    else:
        table.insert(document)


def _without(kept: Mapping[str, T], name: str) -> dict[str, T]:
    return {other: value for other, value in kept.items() if other != name}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """A thread cannot be cancelled: whoever is cancelled meanwhile waits for it, so that the lock means something."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
