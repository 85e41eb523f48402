"""A new secret key: how it comes in front of the old ones, and how everything that is stored is sealed with it.

In a folder of one bot's own: the new key is written in front of the others, then everything is sealed anew. At every
moment each stored secret opens with some line of the file; whoever is interrupted does it once more.

In a database that several bots share, each may have a copy of the key file. So the new key is first put where it only
opens; it comes to the front once every bot that lives has said that it knows it. Each secret is replaced only if it is
still the one that was read: the bots go on meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bot.config import Storage
from bot.storage.files import FolderLock, StorageError, make_private_folder, write_whole
from bot.storage.journal_schema import open_journal
from bot.storage.postgres import KEYS, NEWEST_KEY, WHICH_KEYS, Database
from bot.storage.registry_documents import SEALED
from bot.storage.secrets import Vault, key_name, new_key

if TYPE_CHECKING:
    from bot.storage.postgres import Db

Change = Callable[[str], str | None]
"""Gets a sealed text; what it returns replaces it."""
_AT_ONCE = 500
_PATIENCE = 5.0
_NEXT_KEY = "next key"


class NotEverywhere(Exception):
    """Running bots do not have what they need yet: how many of them."""

    def __init__(self, bots: int) -> None:
        super().__init__(str(bots))
        self.bots = bots


class Sealed(Protocol):
    """Everything sealed that is stored."""

    async def walk(self, change: Change) -> None: ...

    async def begin(self, vault: Vault) -> None:
        """Puts a new key in front. Raises NotEverywhere; then it is begun, and the same call goes on with it."""

    async def settled(self, vault: Vault) -> None:
        """Raises NotEverywhere while a bot seals with another key than the first one."""


async def count(vault: Vault, store: Sealed) -> list[int]:
    """For each line of the key file, how many stored secrets it seals. Raises StorageError when one opens with none."""
    found: Counter[int] = Counter()

    def look(sealed: str) -> None:
        found[vault.place(sealed)] += 1

    await store.walk(look)
    return [found[place] for place in range(len(vault.keys))]


async def rotate(vault: Vault, store: Sealed) -> list[int]:
    """Returns the count afterwards. Repeatable at any point."""
    await count(vault, store)  # what does not open now would not open later either
    await store.begin(vault)

    def anew(sealed: str) -> str | None:
        return vault.seal(vault.open(sealed)) if vault.place(sealed) else None

    await store.walk(anew)
    return await count(vault, store)


async def prune(vault: Vault, store: Sealed) -> int:
    """Removes lines that nothing stored needs, between the first and the last; how many."""
    await store.settled(vault)
    needed = await count(vault, store)
    last = len(vault.keys) - 1
    kept = [key for at, key in enumerate(vault.keys) if at in (0, last) or needed[at]]
    removed = len(vault.keys) - len(kept)
    if removed:
        vault.replace(kept)
    return removed


def in_front(keys: tuple[str, ...], key: str) -> list[str]:
    """The root stays last; a copy of it in front, which only kept its place warm, goes."""
    *others, root = keys
    return [key, *dict.fromkeys(one for one in others if one not in (key, root)), root]


def behind(keys: tuple[str, ...], key: str) -> list[str]:
    """Where it opens and does not seal, and is not the root."""
    return [keys[0], key, *(keys[1:] or keys)]


@asynccontextmanager
async def opened(config: Storage, vault: Vault) -> AsyncIterator[Sealed]:
    """Raises StorageError, also when a running bot has the folder."""
    if url := config.database_url.get_secret_value():
        async with Database(url, vault) as database:
            yield SharedStore(database)
        return
    make_private_folder(config.data_dir)
    lock = FolderLock(config.data_dir)
    lock.take()
    try:
        yield FolderStore(config.data_dir)
    finally:
        lock.free()


class FolderStore:
    """The files of a bot that is stopped; whoever uses it holds the folder."""

    def __init__(self, folder: Path) -> None:
        self._registry = folder / "registry.json"
        self._journal = folder / "journal.sqlite3"

    async def begin(self, vault: Vault) -> None:
        vault.replace(in_front(vault.keys, new_key()))

    async def settled(self, vault: Vault) -> None:
        """Nobody else is there."""

    async def walk(self, change: Change) -> None:
        await asyncio.to_thread(self._walk_registry, change)
        await asyncio.to_thread(self._walk_journal, change)

    def _walk_registry(self, change: Change) -> None:
        if not self._registry.exists():
            return
        try:
            data = json.loads(self._registry.read_text(encoding="utf-8"))
            documents = [one for table in data.values() for one in table.values() if SEALED in one]
        except (OSError, ValueError, RecursionError, AttributeError, TypeError):
            raise StorageError(f"The registry {self._registry} cannot be read. Put a backup in its place.") from None
        changed = False
        for document in documents:
            changed |= _changed(document, change)
        if changed:
            write_whole(self._registry, json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    def _walk_journal(self, change: Change) -> None:
        if not self._journal.exists():
            return
        writing, reading = open_journal(self._journal)
        with closing(writing), closing(reading):
            try:
                changed = _walk_rows(writing, change)
                if changed:
                    writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the old ones are not left beside it
            except sqlite3.Error as error:
                raise StorageError(f"The journal {self._journal} failed: {error}.") from error


def _walk_rows(db: sqlite3.Connection, change: Change) -> bool:
    last, changed = ("", ""), False
    while True:
        rows = db.execute(
            "SELECT number, contact, token FROM conversations WHERE (number, contact) > (?, ?) "
            "ORDER BY number, contact LIMIT ?",
            (*last, _AT_ONCE),
        ).fetchall()
        if not rows:
            return changed
        last = (rows[-1]["number"], rows[-1]["contact"])
        fresh = [(new, *row[:2]) for row in rows if (new := change(row["token"])) is not None]
        if fresh:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("UPDATE conversations SET token = ? WHERE number = ? AND contact = ?", fresh)
            db.execute("COMMIT")
            changed = True


class SharedStore:
    """The database, beside the bots that run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, vault: Vault) -> None:
        known = await self._about(_NEXT_KEY)
        names = [key_name(key) for key in vault.keys]
        if known is not None and known == names[0]:  # it came to the front, and then something broke
            key = vault.keys[0]
        elif known in names:
            key = vault.keys[names.index(known)]
        else:
            key = new_key()
            await self._note(_NEXT_KEY, key_name(key))
            vault.replace(behind(vault.keys, key))
        lacking = [told for told in (await self._others()).values() if key_name(key) not in told]
        if lacking:
            raise NotEverywhere(len(lacking))
        vault.replace(in_front(vault.keys, key))
        await self._note(NEWEST_KEY, key_name(key))
        await self._note(_NEXT_KEY, None)

    async def settled(self, vault: Vault) -> None:
        front = key_name(vault.keys[0])
        late = [told for told in (await self._others()).values() if told[:1] != [front]]
        if late:
            raise NotEverywhere(len(late))

    async def walk(self, change: Change) -> None:
        for kind, id, document in await self._database.fetch("SELECT kind, id, document FROM documents"):
            read = json.loads(document)
            if SEALED in read and _changed(read, change):
                await self._database.fetch(
                    "UPDATE documents SET document = $3, changed = nextval('document_changes') "
                    "WHERE kind = $1 AND id = $2 AND document = $4",
                    kind, id, json.dumps(read), document,
                )  # fmt: skip
        last = ("", "")
        while rows := await self._database.fetch(
            "SELECT number, contact, token FROM conversations WHERE (number, contact) > ($1, $2) "
            "ORDER BY number, contact LIMIT $3",
            *last, _AT_ONCE,
        ):  # fmt: skip
            last = (rows[-1]["number"], rows[-1]["contact"])
            fresh = [(new, *row) for row in rows if (new := change(row["token"])) is not None]
            if fresh:
                await self._database.transact(partial(_put, rows=fresh))

    async def _others(self) -> Mapping[int, list[str]]:
        """What each other bot that lives says of its keys; one that says nothing has none that we know of."""
        presence = self._database.presence
        told: dict[int, list[str]] = {}
        news = asyncio.Event()

        def hear(what: frozenset[str]) -> None:
            for one in what:
                word, _, rest = one.partition(" ")
                if word == KEYS and rest:
                    number, *names = rest.split()
                    told[int(number)] = names
                    news.set()

        presence.listeners.append(hear)
        try:
            others = await self._database.transact(presence.alive) - {presence.number}
            presence.tell(WHICH_KEYS)
            try:
                async with asyncio.timeout(_PATIENCE):
                    while not others <= told.keys():
                        await news.wait()
                        news.clear()
            except TimeoutError:
                others &= await self._database.transact(presence.alive)
            return {number: told.get(number, []) for number in others}
        finally:
            presence.listeners.remove(hear)

    async def _about(self, name: str) -> str | None:
        rows = await self._database.fetch("SELECT value FROM about WHERE name = $1", name)
        return str(rows[0]["value"]) if rows else None

    async def _note(self, name: str, value: str | None) -> None:
        if value is None:
            await self._database.fetch("DELETE FROM about WHERE name = $1", name)
            return
        await self._database.fetch(
            "INSERT INTO about VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2", name, value
        )


async def _put(db: Db, rows: list[tuple[str, str, str, str]]) -> None:
    await db.executemany("UPDATE conversations SET token = $1 WHERE number = $2 AND contact = $3 AND token = $4", rows)


def _changed(document: dict[str, Any], change: Change) -> bool:
    fresh = change(document[SEALED])
    if fresh is not None:
        document[SEALED] = fresh
    return fresh is not None
