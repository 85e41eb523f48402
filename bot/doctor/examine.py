"""The whole examination: every door is opened anew and only to look, so it works beside a running bot and without one.

While no bot runs, the doctor answers `/livez` on the bot's port itself, to see whether the public address leads here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from bot.config import ConfigError, Server, Settings
from bot.doctor import address, dialog360, house, workspace
from bot.doctor.facts import Facts
from bot.doctor.judge import judge
from bot.doors import SystemClock, credentials
from bot.ports import Clock, Finding
from bot.rocketchat.rest import Admin
from bot.storage.secrets import Vault
from bot.web.health import live
from bot.web.server import application, serving
from bot.whatsapp.client import Dialog360

_clock: Clock = SystemClock()


async def examine(settings: Settings, clock: Clock = _clock) -> list[Finding]:
    return judge(await facts(settings, clock))


async def facts(settings: Settings, clock: Clock = _clock) -> Facts:
    here = await house.look(settings.storage, settings.app.preferred_language)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        login = credentials(settings.rocketchat, session, clock, _Kept(here.stored.facts), here.vault)
        admin = Admin(settings.rocketchat.url, login, timeout=address.TIMEOUT)
        whatsapp = Dialog360(session, settings.dialog360.base_url, answer_timeout=address.TIMEOUT)
        async with _answering(settings.server, here.vault, running=here.facts.running) as served:
            found, (answer, _), numbers, public = await asyncio.gather(
                workspace.look(
                    session, settings.rocketchat.url, admin, here.stored.facts, settings.rocketchat.setup_channel
                ),
                address.probe(session, settings.dialog360.base_url),
                dialog360.look(whatsapp, settings.server, here.stored.numbers, here.stored.heard),
                address.look(settings.server.public_url, here.vault.proof if here.vault else _nothing, served=served),
            )
    return Facts(clock.now(), here.facts, found, answer, settings.dialog360.base_url, numbers, public)


class _Kept:
    """The login that the bot keeps is used; one that the doctor had to make is not kept: the registry is the bot's."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self._facts = facts

    async def fact(self, name: str) -> str | None:
        return self._facts.get(name)

    async def set_fact(self, name: str, value: str) -> None:
        return None


@asynccontextmanager
async def _answering(server: Server, vault: Vault | None, *, running: bool) -> AsyncIterator[bool]:
    """Whether somebody answers on our port."""
    if running:
        yield True
        return
    app = application([live(vault.proof if vault else _nothing)])
    try:
        async with serving(app, server.host, server.port):
            yield True
    except ConfigError:
        yield False


def _nothing(nonce: str) -> str:
    """Before there is a key the doctor recognises itself by its own question, which nobody else was asked."""
    return f"keyless {nonce}"
