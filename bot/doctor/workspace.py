"""Rocket.Chat, asked as the bot's account: is it there, which version, what may we, is Omnichannel ready."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar

import aiohttp

from bot.chatops.office import SETUP_ROOM
from bot.doctor.address import probe
from bot.doctor.facts import WorkspaceFacts
from bot.doctor.judge import SETTINGS
from bot.errors import BotError
from bot.model import RoomId
from bot.ports import WorkspaceAdmin

T = TypeVar("T")


async def look(
    session: aiohttp.ClientSession, url: str, admin: WorkspaceAdmin, kept: Mapping[str, str], setup_channel: str
) -> WorkspaceFacts:
    """`kept`: facts of the registry."""
    answer, body = await probe(session, f"{url}/api/info")
    version = body.get("version") if isinstance(body, dict) else None
    if not answer.said and not isinstance(version, str):
        return WorkspaceFacts(url, type(answer)("no Rocket.Chat", answer.ahead))
    if answer.said:
        return WorkspaceFacts(url, answer)
    try:
        me = await admin.me()
    except BotError as error:
        return WorkspaceFacts(url, answer, str(version), login=error.said or str(error))
    roles = me.get("roles")
    settings = {name: value for name in SETTINGS if (value := await _or(None, admin.public_setting(name))) is not None}
    return WorkspaceFacts(
        url=url,
        answer=answer,
        version=await _or("", admin.version()) or str(version),
        username=str(me.get("username") or me["_id"]),
        roles=frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset(),
        permissions=await _or(None, admin.permissions()),
        settings=settings,
        agents=await _or(None, admin.agents()),
        available=await _or(None, admin.agents(available=True)),
        setup_channel=setup_channel,
        setup_found=await _or(None, _has_setup_channel(admin, kept, setup_channel)),
    )


async def _has_setup_channel(admin: WorkspaceAdmin, kept: Mapping[str, str], name: str) -> bool:
    """By its id, as the bot finds it: it may have been renamed."""
    known = kept.get(SETUP_ROOM)
    if known and await admin.private_channel(RoomId(known)) is not None:
        return True
    return await admin.private_channel_named(name) is not None


async def _or(otherwise: T, asked: Awaitable[T]) -> T:
    """What cannot be asked is not known; why is told by the checks of login and permissions."""
    try:
        return await asked
    except BotError:
        return otherwise
