"""Streams: who may subscribe to which event, and what happens to whom when something changes.

Sources: Rocket.Chat apps/meteor/server/modules/{streamer/streamer.module,notifications/notifications.module,
listeners/listeners.module}.ts. Events are never replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.settings import PUBLIC
from bot.sandbox.rocketchat.state import World
from bot.sandbox.rocketchat.wire import Doc, MeteorError

MINE = "__my_messages__"
STREAMS = {
    "stream-room-messages", "stream-notify-user", "stream-notify-room", "stream-livechat-room", "stream-room-data",
    "stream-livechat-inquiry-queue-observer", "stream-notify-logged", "stream-notify-all", "stream-roles",
}  # fmt: skip
DEFAULT_PUBLICATIONS = {"meteor.loginServiceConfiguration", "meteor_autoupdate_clientVersions"}


@dataclass(slots=True)
class Subscription:
    id: str
    stream: str
    event: str
    extra: Doc = field(default_factory=dict)


class Listener(Protocol):
    """A session, as the streams see it."""

    user_id: str | None
    subscriptions: dict[str, Subscription]

    def push(self, stream: str, event: str, args: list[Any]) -> None: ...


class Streams:
    def __init__(self, world: World) -> None:
        self.world = world
        self.listeners: list[Listener] = []
        self.held = False
        """While held, events get lost between the change and the sockets."""
        self._on: dict[str, Callable[[Doc], None]] = {
            "message": self._message,
            "message-deleted": lambda doc: self.publish(
                "stream-notify-room", f"{doc['rid']}/deleteMessage", [{"_id": doc["_id"]}]
            ),
            "room": lambda doc: self._room("updated", doc),
            "room-inserted": lambda doc: self._room("inserted", doc),
            "subscription-inserted": lambda doc: self._subscription("inserted", doc),
            "subscription-updated": lambda doc: self._subscription("updated", doc),
            "subscription-removed": self._subscription_removed,
            "setting": self._setting,
            "ephemeral": self._ephemeral,
            "agent-data": lambda doc: self.publish(
                "stream-livechat-room", doc["rid"], [{"type": "agentData", "data": doc["data"]}]
            ),
            "inquiry": self._inquiry,
            "token-removed": lambda doc: self.publish("stream-notify-user", f"{doc['userId']}/force_logout", []),
        }
        world.listen(self.heard)

    # --- subscribing --------------------------------------------------------------------------------------------

    def check(self, stream: str, event: str, user_id: str | None, extra: Doc) -> None:
        """allowRead, once. Raises not-allowed or invalid-event-name."""
        if not event:
            raise MeteorError("invalid-event-name")
        if not self._readable(stream, event, user_id, extra):
            raise MeteorError("not-allowed")

    def _readable(self, stream: str, event: str, user_id: str | None, extra: Doc) -> bool:
        world, (head, _, rest) = self.world, event.partition("/")
        room = world.rooms.get(head)
        match stream:
            case "stream-room-messages":
                return event == MINE or (room is not None and can_access(world, room, user_id, extra))
            case "stream-room-data":
                return user_id is not None and room is not None and can_access(world, room, user_id)
            case "stream-notify-room":
                if room is None or not rest:
                    return False
                if "token" in extra:
                    return room["t"] == "l" and bool(room["v"]["token"] == extra["token"])
                return user_id is not None and can_access(world, room, user_id)
            case "stream-notify-user":
                return user_id is not None and head == user_id
            case "stream-livechat-room":
                return room is not None and room["t"] == "l" and bool(room["v"]["token"] == extra.get("visitorToken"))
            case "stream-livechat-inquiry-queue-observer":
                return world.allows(user_id, "view-l-room")
            case "stream-notify-logged":
                if event == "private-settings-changed":
                    return world.allows(user_id, "view-privileged-setting")
                return user_id is not None
            case _:
                return True

    # --- publishing ---------------------------------------------------------------------------------------------

    def heard(self, kind: str, document: Doc) -> None:
        handler = self._on.get(kind)
        if handler is not None:
            handler(document)

    def publish(self, stream: str, event: str, args: list[Any], *, but: Listener | None = None) -> None:
        if self.held:
            return
        for listener in list(self.listeners):
            if listener is not but and any(
                sub.stream == stream and sub.event == event for sub in listener.subscriptions.values()
            ):
                listener.push(stream, event, args)

    def _message(self, message: Doc) -> None:
        self.publish("stream-room-messages", message["rid"], [message])
        room = self.world.rooms.get(message["rid"])
        if self.held or room is None:
            return
        for listener in list(self.listeners):
            if not any(sub.event == MINE for sub in listener.subscriptions.values()):
                continue
            if listener.user_id is None or not can_access(self.world, room, listener.user_id):
                continue
            extra: Doc = {
                "roomParticipant": (room["_id"], listener.user_id) in self.world.subscriptions,
                "roomType": room["t"],
            }
            if room.get("name"):
                extra["roomName"] = room["name"]
            listener.push("stream-room-messages", MINE, [message, extra])

    def _room(self, action: str, room: Doc) -> None:
        self.publish("stream-room-data", room["_id"], [room])
        for user in self.world.members(room["_id"]):
            self.publish("stream-notify-user", f"{user.id}/rooms-changed", [action, room])

    def _subscription(self, action: str, subscription: Doc) -> None:
        self.publish("stream-notify-user", f"{subscription['u']['_id']}/subscriptions-changed", [action, subscription])

    def _subscription_removed(self, subscription: Doc) -> None:
        """The user's live subscription of that room's messages goes too, without a word."""
        self._subscription("removed", subscription)
        for listener in self.listeners:
            if listener.user_id == subscription["u"]["_id"]:
                for id, sub in list(listener.subscriptions.items()):
                    if sub.stream == "stream-room-messages" and sub.event == subscription["rid"]:
                        del listener.subscriptions[id]

    def _setting(self, setting: Doc) -> None:
        if setting["_id"] in PUBLIC:
            self.publish("stream-notify-all", "public-settings-changed", ["updated", setting])
        else:
            self.publish("stream-notify-logged", "private-settings-changed", ["updated", setting])

    def _ephemeral(self, said: Doc) -> None:
        message = {"rid": said["rid"], "msg": said["msg"], "ts": self.world.now(), "u": {"username": "rocket.cat"}}
        self.publish("stream-notify-user", f"{said['to']}/message", [message])

    def _inquiry(self, inquiry: Doc) -> None:
        department = inquiry.get("department")
        event = f"department/{department}" if department else "public"
        self.publish("stream-livechat-inquiry-queue-observer", event, [{"type": "changed", **inquiry}])

    # --- client writes ------------------------------------------------------------------------------------------

    def write(self, stream: str, params: list[Any], writer: Listener) -> None:
        """The method named like the stream: only typing, by its rules; anything else is refused in silence."""
        event = params[0] if params and isinstance(params[0], str) else ""
        rid, _, what = event.partition("/")
        room = self.world.rooms.get(rid)
        if stream != "stream-notify-room" or what != "user-activity" or room is None:
            return
        name = params[1] if len(params) > 1 else None
        extra = params[3] if len(params) > 3 and isinstance(params[3], dict) else {}
        user = self.world.users.get(writer.user_id or "")
        as_visitor = room["t"] == "l" and extra.get("token") == room["v"]["token"]
        real_name = self.world.settings["UI_Use_Real_Name"]
        as_self = user is not None and name == (user.name if real_name else user.username)
        if as_visitor or (as_self and can_access(self.world, room, writer.user_id)):
            self.publish(stream, event, params[1:3], but=writer)
            self.world.emit("typing", {"rid": rid, "name": name, "what": params[2] if len(params) > 2 else []})
