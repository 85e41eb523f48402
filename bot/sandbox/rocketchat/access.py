"""Who may see a room and who may write into it.

Sources: Rocket.Chat apps/meteor/server/services/authorization/canAccessRoom.ts,
app/livechat/server/roomAccessValidator.compatibility.ts, app/authorization/server/functions/canSendMessage.ts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.sandbox.rocketchat.state import World
from bot.sandbox.rocketchat.wire import Doc, PlainError


def can_access(world: World, room: Doc, user_id: str | None, extra: Mapping[str, Any] | None = None) -> bool:
    """canAccessRoom: public rooms by permission, joined rooms by membership, livechat rooms by its own validators."""
    rid, kind = room["_id"], room["t"]
    if kind == "c" and world.allows(user_id, "view-c-room"):
        return True
    if (rid, user_id) in world.subscriptions and (
        world.allows(user_id, "view-joined-room") or world.allows(user_id, f"view-{kind}-room")
    ):
        return True
    return kind == "l" and _livechat(world, room, user_id, extra or {})


def _livechat(world: World, room: Doc, user_id: str | None, extra: Mapping[str, Any]) -> bool:
    if extra.get("visitorToken") == room["v"]["token"] and room.get("open"):
        return True
    if user_id is None:
        return False
    if user_id == "rocket.cat" or world.allows(user_id, "view-livechat-rooms"):
        return True
    if room.get("servedBy", {}).get("_id") == user_id:
        return True
    if not room.get("open"):
        department = world.departments.get(room.get("departmentId", ""))
        return world.allows(user_id, "view-livechat-room-closed-by-another-agent") or (
            department is not None
            and user_id in department.agents
            and world.allows(user_id, "view-livechat-room-closed-same-department")
        )
    return _may_preview(world, room, user_id)


def _may_preview(world: World, room: Doc, user_id: str) -> bool:
    """Manual selection lets agents look into what is queued for them."""
    inquiry = world.inquiries.get(room["_id"])
    if world.settings["Livechat_Routing_Method"] != "Manual_Selection" or inquiry is None:
        return False
    if inquiry["status"] != "queued" or not world.allows(user_id, "view-l-room"):
        return False
    department = world.departments.get(inquiry.get("department", ""))
    return department is None or user_id in department.agents


def room_to_write(world: World, rid: str, user_id: str) -> Doc:
    """canSendMessage: the room, or an error. A closed livechat room is no obstacle to who may see it."""
    room = world.rooms.get(rid)
    if room is None:
        raise PlainError("error-invalid-room")
    if not can_access(world, room, user_id):
        raise PlainError("error-not-allowed")
    user = world.users[user_id]
    if room.get("archived"):
        raise PlainError("room_is_archived")
    subscription = world.subscriptions.get((rid, user_id), {})
    if room["t"] == "d" and (subscription.get("blocked") or subscription.get("blocker")):
        raise PlainError("room_is_blocked")
    if (
        room.get("ro")
        and not world.allows(user_id, "post-readonly", rid)
        and user.username not in room.get("unmuted", ())
    ):
        raise PlainError("You can't send messages because the room is readonly.")
    if user.username in room.get("muted", ()):
        raise PlainError("You_have_been_muted")
    return room
