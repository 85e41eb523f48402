"""The stores that the registry's contract is tested on, and what is put into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bot.model import Number, NumberId
from bot.ports import Registry
from bot.storage.postgres import Database
from bot.storage.registry import TinyRegistry
from bot.storage.registry_postgres import PostgresRegistry
from bot.storage.secrets import Vault
from tests.postgres import server

SHOP = Number(
    id=NumberId("4915112345678"),
    phone="+4915112345678",
    api_key="the-api-key-of-the-shop",
    hook_path="hook-path-of-the-shop",
    hook_secret="the-hook-secret-of-the-shop",
    name="Shop 😄",
    department="d1",
    welcome_message="Hello\nthere",
    connected_at=1000.5,
)
OTHER = replace(SHOP, id=NumberId("4915199999999"), phone="+4915199999999", hook_path="hook-path-of-the-other")
SESSION = {
    "id": "s1",
    "form": "connect",
    "about": {},
    "answers": {"department": "d1"},
    "secrets": {"api_key": "typed-api-key"},
    "said": None,
    "expires": 17.5,
}


class Store(Protocol):
    """Each opening is another program that sees what those before it have stored."""

    def open(self) -> AbstractAsyncContextManager[Registry]: ...


class TinyStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Registry]:
        yield TinyRegistry(self.folder / "data" / "registry.json", Vault(self.folder / "secret.key"))


class PostgresStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = server()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Registry]:
        vault = Vault(self.folder / "secret.key")
        url = await self.server.database_of(self.folder)
        async with Database(url, vault) as database, PostgresRegistry(database, vault) as registry:
            yield registry


STORES: Mapping[str, Callable[[Path], Store]] = {"tiny": TinyStore, "postgres": PostgresStore}
