"""Opens the stores that the configuration asks for: a folder for one bot, or a database that several share."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bot.config import Storage
from bot.ports import Alone, Clock, Journal, Nobody, Others, Registry
from bot.storage.files import FolderLock, make_private_folder
from bot.storage.group_commit import Watch
from bot.storage.journal_postgres import PostgresJournal
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.local_locks import LocalLocks
from bot.storage.postgres import Database
from bot.storage.registry import TinyRegistry
from bot.storage.registry_postgres import PostgresRegistry
from bot.storage.secrets import Vault


@dataclass(frozen=True)
class Stores:
    journal: Journal
    registry: Registry
    vault: Vault
    alone: Alone = field(default_factory=lambda: LocalLocks().alone)
    others: Others = field(default_factory=Nobody)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when another bot may have changed the registry."""


async def open_stores(
    stack: AsyncExitStack, config: Storage, vault: Vault, clock: Clock, watch: Watch | None = None
) -> Stores:
    """Raises StorageError when they cannot be used."""
    if not config.database_url.get_secret_value():
        journal = await stack.enter_async_context(SqliteJournal(config.data_dir, vault, clock, watch))
        return Stores(journal, TinyRegistry(config.data_dir / "registry.json", vault), vault)
    await asyncio.to_thread(make_private_folder, config.data_dir)
    lock = FolderLock(config.data_dir)  # files on their way are in it
    lock.take()
    stack.callback(lock.free)
    database = await stack.enter_async_context(Database(config.database_url.get_secret_value(), vault))
    shared = await stack.enter_async_context(PostgresJournal(database, vault, clock))
    registry = await stack.enter_async_context(PostgresRegistry(database, vault))
    return Stores(shared, registry, vault, database.alone, database.presence, registry.changed)


async def open_alone(
    stack: AsyncExitStack, config: Storage, vault: Vault, clock: Clock, *, looks: bool = False
) -> Stores:
    """For tools: beside running bots when it is shared, while the bot is stopped when it is not. With `looks`, for
    tools that change nothing, beside a running one in any case."""
    if not config.database_url.get_secret_value():
        journal = await stack.enter_async_context(SqliteJournal(config.data_dir, vault, clock, looks=looks))
        return Stores(journal, TinyRegistry(config.data_dir / "registry.json", vault), vault)
    database = await stack.enter_async_context(Database(config.database_url.get_secret_value(), vault))
    shared = await stack.enter_async_context(PostgresJournal(database, vault, clock))
    registry = await stack.enter_async_context(PostgresRegistry(database, vault))
    return Stores(shared, registry, vault)
