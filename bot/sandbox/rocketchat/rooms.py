"""Private groups and direct rooms.

Sources: Rocket.Chat apps/meteor/app/lib/server/functions/createRoom.ts, app/lib/server/methods/addUsersToRoom.ts,
app/channel-settings/server/methods/saveRoomSettings.ts, app/api/server/v1/{groups,im}.ts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.messages import Messages
from bot.sandbox.rocketchat.state import User, World
from bot.sandbox.rocketchat.wire import Doc, MeteorError, new_id

NOT_FOUND = MeteorError(
    "error-room-not-found", 'The required "roomId" or "roomName" param provided does not match any group'
)


class Rooms:
    def __init__(self, world: World, messages: Messages) -> None:
        self.world, self.messages = world, messages

    # --- groups -------------------------------------------------------------------------------------------------

    def create(self, kind: str, owner: User, name: str, members: Iterable[str] = (), **extra: Any) -> Doc:
        """createRoom for `p` and `c`: the name is unique over both kinds, also over rooms the owner cannot see."""
        world = self.world
        if not name.strip():
            raise MeteorError("error-invalid-name", "Invalid name", {"function": "RocketChat.createRoom"})
        slug = self._valid_name(name.strip())
        now = world.now()
        room: Doc = {
            "_id": new_id(),
            "t": kind,
            "name": slug,
            "fname": name.strip(),
            "msgs": 0,
            "usersCount": 0,
            "u": {"_id": owner.id, "username": owner.username},
            "ts": now,
            "ro": False,
            "default": False,
            "sysMes": True,
            **extra,
        }
        world.put_room(room)
        world.subscribe(room, owner, ["owner"])
        for username in dict.fromkeys(members):
            member = world.user_named(username)
            if member is not None and member is not owner:
                world.subscribe(room, member, alert=True)
        world.touch_room(room["_id"], usersCount=len(world.members(room["_id"])))
        return room

    def _valid_name(self, name: str) -> str:
        world = self.world
        if world.settings["UI_Allow_room_names_with_special_chars"]:
            rooms = [room for room in world.rooms.values() if room["t"] in "cp"]
            if any(room.get("fname") == name for room in rooms):
                raise self._duplicate(name)
            slug = re.sub(r"[^0-9a-z-_.]+", "-", name.lower()).strip("-") or "room"
            taken, wanted, number = {room.get("name") for room in rooms}, slug, 0
            while slug in taken:
                number += 1
                slug = f"{wanted}-{number}"
            return slug
        if not re.fullmatch(world.settings["UTF8_Channel_Names_Validation"], name):
            reason = f"{name} is not a valid room name."
            raise MeteorError("error-invalid-room-name", reason, {"channel_name": name})
        if (other := world.room_named(name)) is not None:
            if other.get("archived"):
                reason = f"There's an archived channel with name {name}"
                raise MeteorError("error-archived-duplicate-name", reason, {"channel_name": name})
            raise self._duplicate(name)
        return name

    @staticmethod
    def _duplicate(name: str) -> MeteorError:
        reason = f"A channel with name '{name}' exists"
        return MeteorError("error-duplicate-channel-name", reason, {"channel_name": name})

    def group(self, user: User, params: Doc, *, archived: bool = False) -> Doc:
        """findPrivateGroupByIdOrName: what one cannot access does not exist."""
        if not params.get("roomId") and not params.get("roomName"):
            raise MeteorError("error-room-param-not-provided", 'The parameter "roomId" or "roomName" is required')
        if params.get("roomId"):
            room = self.world.rooms.get(params["roomId"])
        else:
            room = self.world.room_named(params["roomName"])
        if room is None or room["t"] != "p" or not can_access(self.world, room, user.id):
            raise NOT_FOUND
        if room.get("archived") and not archived:
            raise MeteorError("error-room-archived", f"The private group, {room['name']}, is archived")
        return room

    def invite(self, inviter: User, room: Doc, usernames: Iterable[str]) -> None:
        """addUsersToRoom: members may be invited again, nothing happens then."""
        world, rid = self.world, room["_id"]
        inside = (rid, inviter.id) in world.subscriptions
        allowed = (inside and world.allows(inviter.id, "add-user-to-joined-room", rid)) or world.allows(
            inviter.id, f"add-user-to-any-{room['t']}-room"
        )
        if not allowed:
            raise MeteorError("error-not-allowed", "Not allowed", {"method": "addUsersToRoom"})
        for username in usernames:
            user = world.user_named(username)
            if user is None:
                reason = "Invalid username"
                raise MeteorError("error-invalid-username", reason, {"method": "addUsersToRoom"})
            if (rid, user.id) in world.subscriptions:
                continue
            world.subscribe(room, user, alert=True)
            world.touch_room(rid, usersCount=len(world.members(rid)))
            self.messages.system("au", room, inviter.short(), user.username)

    def kick(self, by: User, room: Doc, user: User) -> None:
        if not self.world.allows(by.id, "remove-user", room["_id"]):
            raise MeteorError("error-not-allowed", "Not allowed", {"method": "removeUserFromRoom"})
        if (room["_id"], user.id) not in self.world.subscriptions:
            raise MeteorError("error-user-not-in-room", "User is not in this room", {"method": "removeUserFromRoom"})
        self.world.unsubscribe(room["_id"], user.id)
        self.messages.system("ru", room, by.short(), user.username)
        self.world.touch_room(room["_id"], usersCount=len(self.world.members(room["_id"])))

    def grant(self, by: User, room: Doc, user: User, role: str) -> None:
        """addRoomOwner, addRoomModerator: a role inside the room."""
        rid = room["_id"]
        if not self.world.allows(by.id, f"set-{role}", rid):
            raise MeteorError("error-not-allowed", "Not allowed", {"method": f"addRoom{role.capitalize()}"})
        subscription = self.world.subscriptions.get((rid, user.id))
        if subscription is None:
            raise MeteorError("error-user-not-in-room", "User is not in this room")
        if role in subscription.get("roles", ()):
            raise MeteorError(f"error-user-already-{role}", f"User is already an {role}")
        subscription["roles"] = [*subscription.get("roles", ()), role]
        subscription["_updatedAt"] = self.world.now()
        self.world.emit("subscription-updated", subscription)
        self.messages.system("subscription-role-added", room, by.short(), user.username, role=role)

    def edit(self, user: User, room: Doc, field: str, value: Any) -> None:
        """saveRoomSettings for topic, description, announcement, readOnly; unchanged values leave no message."""
        self._may_edit(user, room)
        key = {"readOnly": "ro"}.get(field, field)
        if room.get(key, "") == value:
            return
        self.world.touch_room(room["_id"], **{key: value})
        if field == "readOnly":
            self.messages.system("room-set-read-only" if value else "room-removed-read-only", room, user.short())
        else:
            self.messages.system(f"room_changed_{field}", room, user.short(), value)

    def rename(self, user: User, room: Doc, name: str) -> None:
        self._may_edit(user, room)
        if name in (room["name"], room["fname"]):
            return
        slug = self._valid_name(name)
        self.world.touch_room(room["_id"], name=slug, fname=name)
        for subscription in self.world.subscriptions.having("room", room["_id"]):
            subscription.update(name=slug, fname=name, _updatedAt=self.world.now())
            self.world.emit("subscription-updated", subscription)
        self.messages.system("r", room, user.short(), name)

    def _may_edit(self, user: User, room: Doc) -> None:
        if not self.world.allows(user.id, "edit-room", room["_id"]):
            details = {"method": "saveRoomSettings", "action": "Editing_room"}
            raise MeteorError("error-action-not-allowed", "Editing room is not allowed", details)

    # --- direct -------------------------------------------------------------------------------------------------

    def direct(self, users: list[User]) -> Doc:
        """The one room of these people: made once, found ever after."""
        if known := self.world.rooms.first("between", *sorted({user.username for user in users})):
            return known
        ids = sorted({user.id for user in users})
        room = {
            "_id": "".join(ids) if len(ids) <= 2 else new_id(),
            "t": "d",
            "usernames": [user.username for user in users],
            "usersCount": len(ids),
            "msgs": 0,
            "ts": self.world.now(),
            "uids": ids,
            "default": False,
            "ro": False,
            "sysMes": True,
        }
        self.world.put_room(room)
        for user in users:
            others = [other for other in users if other is not user] or [user]
            label = ", ".join(other.name for other in others)
            self.world.subscribe(room, user, name=",".join(other.username for other in others), fname=label)
        return room
