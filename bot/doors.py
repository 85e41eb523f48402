"""The doors to the outside: every adapter, fitted to its port and opened in the right order."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import aiohttp

from bot.callbacks import Callbacks
from bot.config import RocketChat, Settings
from bot.metrics import Metrics
from bot.model import UserId
from bot.ports import Alone, Clock, Journal, Others, Registry
from bot.rocketchat.credentials import Credentials, Login
from bot.rocketchat.livechat import Livechat
from bot.rocketchat.realtime import Realtime
from bot.rocketchat.rest import Admin
from bot.storage.opening import open_stores
from bot.storage.secrets import Vault
from bot.whatsapp.client import Dialog360
from bot.whatsapp.paces import Paces


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
    others: Others
    changed: asyncio.Event
    """Another bot may have changed the registry."""
    vault: Vault
    stream: Realtime
    workspace: Livechat
    admin: Admin
    whatsapp: Dialog360
    outgoing: Callbacks


async def open_doors(stack: AsyncExitStack, settings: Settings, clock: Clock, metrics: Metrics) -> Doors:
    vault = Vault(settings.storage.key_file)
    stores = await open_stores(stack, settings.storage, vault, clock, metrics.commit)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            # A server that hangs takes no connection of another (`relay.places`).
            # An idle connection is dropped before the other side does it: a send on a dying one would be unsure.
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=128, keepalive_timeout=4),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[
                metrics.tracing({settings.rocketchat.url: "rocketchat", settings.dialog360.base_url: "360dialog"})
            ],
        )
    )
    paces = Paces(
        settings.dialog360.messages_per_second,
        stores.others,
        lambda api_key: vault.derive("pace", api_key).hex()[:16],
        clock.now,
    )
    url = settings.rocketchat.url
    login = credentials(settings.rocketchat, session, clock, stores.registry, vault)
    stream = Realtime(url, login, clock)
    return Doors(
        journal=stores.journal,
        registry=stores.registry,
        alone=stores.alone,
        others=stores.others,
        changed=stores.changed,
        vault=vault,
        stream=stream,
        workspace=Livechat(url, login, session, ask_ddp=stream.call),
        admin=Admin(url, login, watch=partial(metrics.call, "rocketchat")),
        whatsapp=Dialog360(session, settings.dialog360.base_url, paces),
        outgoing=await stack.enter_async_context(Callbacks(traces=[metrics.tracing({}, "status endpoint")])),
    )


class Facts(Protocol):
    """What the registry keeps under a name."""

    async def fact(self, name: str) -> str | None: ...

    async def set_fact(self, name: str, value: str) -> None: ...


class _KeptLogin:
    """The login in the registry, sealed, and good only for the very account and server that it was made for."""

    def __init__(self, facts: Facts, vault: Vault, login: RocketChat) -> None:
        self._facts = facts
        self._account = vault.derive("login", login.url, login.username, login.password.get_secret_value()).hex()

    async def recall(self) -> Login | None:
        kept = json.loads(await self._facts.fact("rocketchat login") or "{}")
        return Login(UserId(kept["user"]), kept["token"]) if kept.get("account") == self._account else None

    async def keep(self, login: Login) -> None:
        kept = {"account": self._account, "user": login.user, "token": login.token}
        await self._facts.set_fact("rocketchat login", json.dumps(kept))


def credentials(
    login: RocketChat, session: aiohttp.ClientSession, clock: Clock, facts: Facts, vault: Vault | None
) -> Credentials:
    """Without a vault a login by password is not remembered."""
    return Credentials(
        login.url,
        session,
        clock,
        user_id=login.user_id,
        token=login.auth_token.get_secret_value(),
        username=login.username,
        password=login.password.get_secret_value(),
        memory=_KeptLogin(facts, vault, login) if login.username and vault else None,
    )
