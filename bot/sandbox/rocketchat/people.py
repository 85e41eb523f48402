"""What people do in their clients: the web client's habits, agents' clicks. Access is checked as for anybody.

Sources: Rocket.Chat apps/meteor/client/lib/chats/flows/{sendMessage,processSlashCommand}.ts, client/components/message/
content/attachments/default/{ActionAttachtment.tsx,hooks/usePerformActionMutation.ts}.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.rocketchat.access import can_access, room_to_write
from bot.sandbox.rocketchat.core import Core
from bot.sandbox.rocketchat.state import User
from bot.sandbox.rocketchat.wire import Doc, MeteorError, PlainError

COMMANDS = {
    "archive", "create", "help", "hide", "invite", "invite-all-from", "invite-all-to", "join", "kick", "lennyface",
    "gimme", "tableflip", "unflip", "shrug", "leave", "part", "me", "msg", "mute", "unmute", "status", "topic",
    "unarchive",
}  # fmt: skip
"""Commands that every workspace registers: they are run, never sent."""


class People:
    def __init__(self, core: Core) -> None:
        self.core = core

    async def write(self, user: User, rid: str, text: str, **fields: Any) -> Doc | None:
        """Types into the web client. A command that nobody registered is swallowed (None) while
        Message_AllowUnrecognizedSlashCommand is off: only its author sees a note."""
        text = text.strip()
        if text.startswith("/"):
            name = text[1:].split(maxsplit=1)[0] if len(text) > 1 else ""
            allowed = self.core.world.settings["Message_AllowUnrecognizedSlashCommand"]
            if name in COMMANDS or not allowed:
                note = f"No such command: `{name}`"
                self.core.world.emit("ephemeral", {"to": user.id, "rid": rid, "msg": note})
                return None
        return await self.core.messages.execute_send(user, {"rid": rid, "msg": text, **fields})

    async def press(self, user: User, message_id: str, label: str) -> Doc | None:
        """Presses a button below a message: its `msg` is posted as the user, without any look at slashes. A button
        with `url` opens that page instead (None)."""
        world = self.core.world
        message = world.messages[message_id]
        if not can_access(world, world.rooms[message["rid"]], user.id):
            raise PlainError("error-not-allowed")
        for action in self.buttons(message_id):
            if action.get("text") == label:
                if action.get("url") or action.get("msg_processing_type", "sendMessage") != "sendMessage":
                    return None
                return await self.core.messages.execute_send(user, {"rid": message["rid"], "msg": action["msg"]})
        raise LookupError(f"no button {label!r} below the message")

    def buttons(self, message_id: str) -> list[Doc]:
        """The buttons that the web client draws: type `button`, something to show, something to do."""
        return [
            action
            for attachment in self.core.world.messages[message_id].get("attachments") or []
            for action in attachment.get("actions") or []
            if action.get("type") == "button"
            and (action.get("text") or action.get("image_url"))
            and (action.get("url") or action.get("msg_in_chat_window"))
        ]

    async def edit(self, user: User, message_id: str, text: str) -> Doc:
        message = self.core.world.messages[message_id]
        self.core.messages.execute_update(user, message, text)
        return message

    async def remove(self, user: User, message_id: str) -> None:
        self.core.messages.execute_delete(user.id, self.core.world.messages[message_id])

    async def react(self, user: User, message_id: str, emoji: str) -> None:
        self.core.messages.react(user, self.core.world.messages[message_id], emoji)

    async def upload(
        self, user: User, rid: str, name: str, mime: str, data: bytes, *, text: str = "", **fields: Any
    ) -> Doc:
        """A file with an optional caption, as the composer sends it."""
        room = room_to_write(self.core.world, rid, user.id)
        self.core.files.check(mime, len(data), livechat=False)
        stored = self.core.files.store(rid, name, mime, data)
        return await self.core.files.post_user(room, user, stored, text, **fields)

    # --- agents -------------------------------------------------------------------------------------------------

    async def take(self, user: User, rid: str) -> None:
        inquiry = self.core.world.inquiries.get(rid)
        if inquiry is None or inquiry["status"] == "taken":
            raise MeteorError("error-not-allowed", "Inquiry already taken", {"method": "livechat:takeInquiry"})
        self.core.livechat.take(inquiry, user)

    async def close_room(self, user: User, rid: str, comment: str = "bye") -> None:
        room = self.core.world.rooms[rid]
        if not room.get("open"):
            raise PlainError("error-room-already-closed")
        self.core.livechat.close(room, comment, user=user)

    async def forward(self, rid: str, to_user: User, comment: str = "") -> None:
        """Forwarded by whoever serves the chat, else by the one who gets it."""
        room = self.core.world.rooms[rid]
        by = self.core.world.users.get(room.get("servedBy", {}).get("_id", ""), to_user)
        self.core.transfer.forward(
            room, {**by.short(), "userType": "agent"}, to=to_user, department=None, comment=comment
        )

    def go_online(self, user: User, online: bool = True) -> None:
        """statusLivechat: available or not."""
        user.available = online
        self.core.world.emit("agent-status", {"_id": user.id, "status": "available" if online else "not-available"})

    def direct_room(self, user_a: User, user_b: User) -> str:
        return str(self.core.rooms.direct([user_a, user_b])["_id"])
