"""What is stored, for subcommands that need no whole bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.config import Settings
from bot.doors import SystemClock
from bot.ports import Journal
from bot.storage.inspection import vault_in_use
from bot.storage.opening import Stores, open_alone


@asynccontextmanager
async def stored_all(settings: Settings, *, looks: bool = False) -> AsyncIterator[Stores]:
    """What is stored, for tools: while the bot is stopped, or beside running ones when they share a database or the
    tool only `looks`. Raises StorageError where nothing is stored."""
    async with AsyncExitStack() as stack:
        yield await open_alone(stack, settings.storage, vault_in_use(settings.storage), SystemClock(), looks=looks)


@asynccontextmanager
async def stored(settings: Settings, *, looks: bool = False) -> AsyncIterator[Journal]:
    """The journal alone of it."""
    async with stored_all(settings, looks=looks) as stores:
        yield stores.journal
