"""The doors to the outside: every adapter, fitted to its port and opened in the right order."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp

from bot.callbacks import Callbacks
from bot.config import RocketChat, Settings
from bot.model import UserId
from bot.ports import Alone, Clock, Journal, Registry
from bot.rocketchat.credentials import Credentials, Login
from bot.rocketchat.livechat import Livechat
from bot.rocketchat.realtime import Realtime
from bot.rocketchat.rest import Admin
from bot.storage.opening import open_stores
from bot.storage.secrets import Vault
from bot.whatsapp.client import Dialog360


class SystemClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Doors:
    """Everything that leads outside, fitted to the ports."""

    journal: Journal
    registry: Registry
    alone: Alone
    changed: asyncio.Event
    """Another bot may have changed the registry."""
    vault: Vault
    stream: Realtime
    workspace: Livechat
    admin: Admin
    whatsapp: Dialog360
    outgoing: Callbacks


async def open_doors(stack: AsyncExitStack, settings: Settings, clock: Clock) -> Doors:
    vault = Vault(settings.storage.key_file)
    stores = await open_stores(stack, settings.storage, vault, clock)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            # An idle connection is dropped before the other side does it: a send on a dying one would be unsure.
            connector=aiohttp.TCPConnector(limit=128, keepalive_timeout=4),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
    )
    url = settings.rocketchat.url
    credentials = _credentials(settings, session, clock, stores.registry, vault)
    stream = Realtime(url, credentials, clock)
    return Doors(
        journal=stores.journal,
        registry=stores.registry,
        alone=stores.alone,
        changed=stores.changed,
        vault=vault,
        stream=stream,
        workspace=Livechat(url, credentials, session, ask_ddp=stream.call),
        admin=Admin(url, credentials),
        whatsapp=Dialog360(session, settings.dialog360.base_url),
        outgoing=await stack.enter_async_context(Callbacks()),
    )


class _KeptLogin:
    """The login in the registry, sealed, and good only for the very account and server that it was made for."""

    def __init__(self, registry: Registry, vault: Vault, login: RocketChat) -> None:
        self._registry = registry
        self._account = vault.derive("login", login.url, login.username, login.password.get_secret_value()).hex()

    async def recall(self) -> Login | None:
        kept = json.loads(await self._registry.fact("rocketchat login") or "{}")
        return Login(UserId(kept["user"]), kept["token"]) if kept.get("account") == self._account else None

    async def keep(self, login: Login) -> None:
        kept = {"account": self._account, "user": login.user, "token": login.token}
        await self._registry.set_fact("rocketchat login", json.dumps(kept))


def _credentials(
    settings: Settings, session: aiohttp.ClientSession, clock: Clock, registry: Registry, vault: Vault
) -> Credentials:
    login = settings.rocketchat
    return Credentials(
        login.url,
        session,
        clock,
        user_id=login.user_id,
        token=login.auth_token.get_secret_value(),
        username=login.username,
        password=login.password.get_secret_value(),
        memory=_KeptLogin(registry, vault, login) if login.username else None,
    )
