"""What is stored, for subcommands that need no whole bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.config import Settings
from bot.doors import SystemClock
from bot.ports import Clock, Journal
from bot.storage.files import StorageError
from bot.storage.inspection import existing_vault
from bot.storage.opening import Stores, open_alone
from bot.storage.secrets import Vault

_clock: Clock = SystemClock()


@asynccontextmanager
async def stored_all(settings: Settings, clock: Clock = _clock, *, looks: bool = False) -> AsyncIterator[Stores]:
    """What is stored, for tools: while the bot is stopped, or beside running ones when they share a database or the
    tool only `looks`."""
    async with AsyncExitStack() as stack:
        if looks and existing_vault(settings.storage) is None:
            raise StorageError(f"Nothing is stored yet: there is no key file {settings.storage.key_file}.")
        yield await open_alone(stack, settings.storage, Vault(settings.storage.key_file), clock, looks=looks)


@asynccontextmanager
async def stored(settings: Settings, clock: Clock = _clock, *, looks: bool = False) -> AsyncIterator[Journal]:
    """The journal alone of it."""
    async with stored_all(settings, clock, looks=looks) as stores:
        yield stores.journal
