"""Looks at what is stored without changing it: beside a running bot, and where there is nothing yet.

Nothing is made, migrated or locked; SQLite is opened read-only, PostgreSQL in read-only transactions.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from bot.config import Storage
from bot.model import Number
from bot.storage import journal_schema, postgres_schema
from bot.storage.files import StorageError
from bot.storage.journal_sqlite import FILE
from bot.storage.postgres import without_password
from bot.storage.registry import TinyRegistry
from bot.storage.registry_documents import number_of, opened, present
from bot.storage.secrets import Vault

REGISTRY = "registry.json"
_RECENT = 20_000
"""Entries that are looked through for the last webhook of each number."""
_PATIENCE = 10.0
"""Seconds of looking through a file for damage, beside a bot that needs the disk too."""
_HEARD = "wa.message", "wa.status", "wa.other"


@dataclass(frozen=True)
class Inspected:
    where: str
    new: bool = False
    """Nothing is stored yet."""
    format: int = 0
    checked: bool = True
    """The file was looked through for damage; False: it is too large for that."""
    waiting: int = 0
    dead: int = 0
    numbers: tuple[Number, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    heard: Mapping[str, float] = field(default_factory=dict)
    """Number id → unix seconds of its newest webhook, of the newest entries."""


def existing_vault(config: Storage) -> Vault | None:
    """None: nothing is stored and no key was made. Raises StorageError for a key that is missing or cannot be used."""
    if config.key_file.exists():
        return Vault(config.key_file)
    stored = [name for name in (FILE, REGISTRY) if (config.data_dir / name).exists()]
    if stored:
        raise StorageError(
            f"The key file {config.key_file} is missing, and {stored[0]} was sealed with it. Put your copy back."
        )
    return None


def vault_in_use(config: Storage) -> Vault:
    """For tools. Raises StorageError where nothing is stored: a tool that makes an empty store in a wrong folder would
    go on to say that everything in it is delivered, erased or whole."""
    vault = existing_vault(config)
    if config.database_url.get_secret_value():
        if vault is None:
            raise StorageError(f"There is no key file {config.key_file}. Copy that of the bots with this database.")
    elif vault is None or not (config.data_dir / FILE).exists():
        raise StorageError(
            f"Nothing is stored in {config.data_dir.absolute()}. Is [storage] data_dir right? Unless it begins with a "
            "/, it counts from the folder in which the command is given."
        )
    return vault


def in_use(folder: Path) -> bool:
    """A bot works in the folder."""
    try:
        with (folder / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def inspect(config: Storage, vault: Vault | None) -> Inspected:
    """Raises StorageError when what is stored cannot be used."""
    url = config.database_url.get_secret_value()
    return await (_postgres(url, vault) if url else asyncio.to_thread(_sqlite, config.data_dir, vault))


def _sqlite(folder: Path, vault: Vault | None) -> Inspected:
    path = folder / FILE
    numbers: tuple[Number, ...] = ()
    facts: dict[str, str] = {}
    if vault is not None and (folder / REGISTRY).exists():
        numbers, facts = TinyRegistry(folder / REGISTRY, vault).all()
    if not path.exists():
        return Inspected(str(path), new=True, numbers=numbers, facts=facts)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            version = int(_value(db, "PRAGMA user_version"))
            _is_known(version, len(journal_schema.MIGRATIONS), str(path))
            checked = _is_whole(db, path)
            proof = vault.derive("journal").hex() if vault else ""
            known = db.execute("SELECT value FROM marks WHERE name = 'vault'").fetchone()
            if proof and known and known[0] != proof:
                raise StorageError(f"The journal {path} was written with another secret key.")
            tally = dict(db.execute("SELECT state, n FROM tally"))
            recent = db.execute(
                "SELECT source, kind, first_at FROM entries ORDER BY seq DESC LIMIT ?", (_RECENT,)
            ).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"The journal {path} cannot be read ({error}). Put a backup in its place.") from None
    return Inspected(
        str(path), format=version, checked=checked, waiting=tally.get("waiting", 0), dead=tally.get("dead", 0),
        numbers=numbers, facts=facts, heard=_newest(recent),
    )  # fmt: skip


def _is_whole(db: sqlite3.Connection, path: Path) -> bool:
    """False: no time to look through all of it. Raises StorageError when it is damaged."""
    until = time.monotonic() + _PATIENCE
    db.set_progress_handler(lambda: time.monotonic() > until, 100_000)
    try:
        told = str(_value(db, "PRAGMA quick_check(1)"))
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    finally:
        db.set_progress_handler(None, 0)
    if told != "ok":
        raise StorageError(f"The journal {path} is damaged: {told[:200]}. Put a backup in its place.")
    return True


def _value(db: sqlite3.Connection, query: str) -> Any:
    return db.execute(query).fetchone()[0]


def _is_known(version: int, known: int, where: str) -> None:
    if version > known:
        raise StorageError(f"{where} was written by a newer version of the bot (format {version}, known: {known}).")


def _newest(recent: Iterable[Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for source, kind, first_at in recent:
        if kind in _HEARD:
            found[source] = max(found.get(source, 0.0), first_at)
    return found


async def _postgres(url: str, vault: Vault | None) -> Inspected:
    where = without_password(url)
    try:
        db = await asyncpg.connect(
            url, timeout=5, command_timeout=_PATIENCE,
            server_settings={"search_path": postgres_schema.SCHEMA, "default_transaction_read_only": "on"},
        )  # fmt: skip
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StorageError(f"The database {where} cannot be reached: {error or type(error).__name__}.") from None
    try:
        if await db.fetchval("SELECT to_regclass('about') IS NULL"):
            return Inspected(where, new=True)
        about = {row["name"]: row["value"] for row in await db.fetch("SELECT name, value FROM about")}
        version = int(about.get("version") or 0)
        _is_known(version, len(postgres_schema.MIGRATIONS), where)
        if vault and about.get("vault", "") not in ("", vault.derive("database").hex()):
            raise StorageError(
                f"The database {where} was written with another secret key. All bots need the same key file."
            )
        tally = await db.fetchrow("SELECT sum(waiting)::bigint AS waiting, sum(dead)::bigint AS dead FROM tally")
        documents = await db.fetch("SELECT kind, document FROM documents WHERE kind <> 'session' ORDER BY place")
        recent = await db.fetch("SELECT source, kind, first_at FROM entries ORDER BY seq DESC LIMIT $1", _RECENT)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StorageError(f"The database {where} cannot be read: {error or type(error).__name__}.") from None
    finally:
        await db.close(timeout=5)
    read = [(row["kind"], opened(vault, json.loads(row["document"]))) for row in documents] if vault else []
    return Inspected(
        where,
        format=version,
        waiting=int(tally["waiting"] or 0) if tally else 0,
        dead=int(tally["dead"] or 0) if tally else 0,
        numbers=tuple(present(number_of(document) for kind, document in read if kind == "number")),
        facts={str(document["name"]): str(document["value"]) for kind, document in read if kind == "fact"},
        heard=_newest(recent),
    )
