"""A workspace in memory with the bot's account, one agent, and the three adapters plugged into it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import aiohttp

from bot.rocketchat.credentials import Credentials
from bot.rocketchat.livechat import Livechat
from bot.rocketchat.realtime import Realtime
from bot.rocketchat.rest import Admin
from bot.sandbox.rocketchat import RocketChatSandbox, User

Flavour = Literal["monolith", "streamer"]
BOT_ROLES = ("user", "bot", "livechat-manager")


class HurriedClock:
    """The real time, but waiting takes none."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class Stage:
    rc: RocketChatSandbox
    bot: User
    agent: User
    token: str
    credentials: Credentials
    livechat: Livechat
    admin: Admin
    realtime: Realtime

    def asked(self, path: str) -> int:
        """How many calls of this route the server saw."""
        return sum(call.path == f"/api/v1/{path}" for call in self.rc.calls)


@asynccontextmanager
async def stage(
    flavour: Flavour = "monolith", *, password: bool = False, roles: tuple[str, ...] = BOT_ROLES
) -> AsyncIterator[Stage]:
    async with RocketChatSandbox(flavour) as rc, aiohttp.ClientSession() as session:
        bot = rc.add_user("bridge", roles=roles, password="correct horse")
        agent = rc.add_user("anna", name="Anna", roles=("user", "livechat-agent"), available=True)
        token = "" if password else rc.token_for(bot)
        clock = HurriedClock()
        credentials = Credentials(
            rc.url,
            session,
            clock,
            user_id="" if password else bot.id,
            token=token,
            username=bot.username if password else "",
            password="correct horse" if password else "",
        )
        realtime = Realtime(rc.url, credentials, clock)
        livechat = Livechat(rc.url, credentials, session, ask_ddp=realtime.call, timeout=5.0)
        yield Stage(rc, bot, agent, token, credentials, livechat, Admin(rc.url, credentials, timeout=5.0), realtime)
