"""Bots that share one PostgreSQL, each with journal and registry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.storage.journal_postgres import PostgresJournal
from bot.storage.postgres import Database
from bot.storage.postgres_presence import Pace
from bot.storage.registry_postgres import PostgresRegistry
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock

CALM = Pace()


@dataclass
class OneBot:
    database: Database
    journal: PostgresJournal
    registry: PostgresRegistry
    clock: ManualClock


@asynccontextmanager
async def bot_on(url: str, key: Path, pace: Pace = CALM) -> AsyncIterator[OneBot]:
    vault, clock = Vault(key), ManualClock()
    async with (
        Database(url, vault, pace) as database,
        PostgresJournal(database, vault, clock) as journal,
        PostgresRegistry(database, vault) as registry,
    ):
        yield OneBot(database, journal, registry, clock)
