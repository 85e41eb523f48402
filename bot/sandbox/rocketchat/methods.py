"""DDP methods: the few that bots use. Login is part of the session.

Sources: Rocket.Chat apps/meteor/server/methods/{getUserRoles,getRoomRoles,createDirectMessage}.ts,
app/lib/server/methods/sendMessage.ts, server/publications/messages.ts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.core import Core
from bot.sandbox.rocketchat.history import message_history
from bot.sandbox.rocketchat.permissions import public_roles
from bot.sandbox.rocketchat.state import User
from bot.sandbox.rocketchat.wire import Doc, MeteorError, moment

Method = Callable[[Core, User | None, list[Any]], Awaitable[Any]]
MATCH_FAILED = MeteorError(400, "Match failed")
_SENDABLE = {"_id", "rid", "msg", "tmid", "tshow", "ts", "customFields", "groupable", "alias", "avatar", "emoji"}


def _someone(user: User | None, method: str) -> User:
    if user is None:
        raise MeteorError("error-invalid-user", "Invalid user", {"method": method})
    return user


def _date(value: Any) -> Any:
    return moment(value["$date"] / 1000) if isinstance(value, dict) and "$date" in value else value


async def get_user_roles(core: Core, user: User | None, params: list[Any]) -> Any:
    """Holders of a public role, as roles.getUsersInPublicRoles over REST."""
    _someone(user, "getUserRoles")
    found = [(each, public_roles(each.roles)) for each in core.world.users.values()]
    return [{"_id": each.id, "username": each.username, "roles": roles} for each, roles in found if roles]


async def get_room_roles(core: Core, user: User | None, params: list[Any]) -> Any:
    """Owners, moderators and leaders of a room that the caller may see."""
    me, rid = _someone(user, "getRoomRoles"), params[0] if params else None
    room = core.world.rooms.get(rid) if isinstance(rid, str) else None
    if room is None or not can_access(core.world, room, me.id):
        raise MeteorError("error-invalid-room", "Invalid room", {"method": "getRoomRoles"})
    subscriptions = [sub for sub in core.world.subscriptions.having("room", rid) if sub.get("roles")]
    return [{"_id": sub["_id"], "rid": rid, "u": sub["u"], "roles": sub["roles"]} for sub in subscriptions]


async def send_message(core: Core, user: User | None, params: list[Any]) -> Any:
    """Strict: attachments, blocks and the like do not pass."""
    me = _someone(user, "sendMessage")
    if not params or not isinstance(params[0], dict) or not set(params[0]) <= _SENDABLE:
        raise MATCH_FAILED
    message: Doc = {**params[0], "ts": _date(params[0].get("ts"))}
    if not isinstance(message.get("rid"), str):
        raise MATCH_FAILED
    return await core.messages.execute_send(me, message)


async def create_direct(core: Core, user: User | None, params: list[Any]) -> Any:
    me = _someone(user, "createDirectMessage")
    if not core.world.allows(me.id, "create-d"):
        raise MeteorError("error-not-allowed", "Not allowed", {"method": "createDirectMessage"})
    people = [core.world.user_named(name) for name in params if isinstance(name, str)]
    if not people or None in people:
        raise MeteorError("error-invalid-user", "Invalid user", {"method": "createDirectMessage"})
    room = core.rooms.direct([me, *(each for each in people if each is not None and each is not me)])
    return {"t": "d", "rid": room["_id"], "_id": room["_id"], "usernames": room["usernames"]}


async def messages_get(core: Core, user: User | None, params: list[Any]) -> Any:
    me = _someone(user, "messages/get")
    if len(params) < 2 or not isinstance(params[0], str) or not isinstance(params[1], dict):
        raise MATCH_FAILED
    options = {**params[1], "lastUpdate": _date(params[1].get("lastUpdate"))}
    return message_history(core.world, params[0], me.id, options)


METHODS: dict[str, Method] = {
    "getUserRoles": get_user_roles,
    "getRoomRoles": get_room_roles,
    "sendMessage": send_message,
    "createDirectMessage": create_direct,
    "messages/get": messages_get,
}
