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
    setup_found, setup_people = await _or((None, None), _setup_channel(admin, kept, setup_channel))
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
        setup_found=setup_found,
        setup_people=setup_people,
    )


async def _setup_channel(admin: WorkspaceAdmin, kept: Mapping[str, str], name: str) -> tuple[bool, int | None]:
    """Whether it is there, by its id as the bot finds it, since it may have been renamed; members besides the bot."""
    known = kept.get(SETUP_ROOM)
    channel = (await admin.private_channel(RoomId(known)) if known else None) or await admin.private_channel_named(name)
    if channel is None:
        return False, None
    members = await _or(None, admin.members(RoomId(str(channel["_id"]))))
    return True, None if members is None else max(len(members) - 1, 0)


async def _or(otherwise: T, asked: Awaitable[T]) -> T:
    """What cannot be asked is not known; why is told by the checks of login and permissions."""
    try:
        return await asked
    except BotError:
        return otherwise
