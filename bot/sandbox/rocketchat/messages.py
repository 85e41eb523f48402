"""The life of a message: saved, edited, deleted, reacted to; and what each does to its room.

Sources: Rocket.Chat apps/meteor/app/lib/server/functions/{sendMessage,updateMessage,deleteMessage}.ts,
app/lib/server/methods/sendMessage.ts, app/lib/server/lib/notifyUsersOnMessage.ts, app/reactions/server/setReaction.ts,
app/authorization/server/functions/canDeleteMessage.ts.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from bot.sandbox.rocketchat import emoji_names, text
from bot.sandbox.rocketchat.access import can_access, room_to_write
from bot.sandbox.rocketchat.attachments import check_message
from bot.sandbox.rocketchat.state import User, World
from bot.sandbox.rocketchat.wire import Doc, MeteorError, PlainError, new_id

NORMALIZE_CRASH = "Cannot read properties of undefined (reading 'starred')"
"""What chat.sendMessage answers (400) when the `_id` was already taken: nothing was inserted, nothing to normalise."""


class Messages:
    def __init__(self, world: World) -> None:
        self.world = world
        self.preview_delay = 0.0
        """Seconds by which link previews hold back the first event of a message with links and no attachments."""

    # --- saving -------------------------------------------------------------------------------------------------

    async def execute_send(self, user: User, message: Doc) -> Doc | None:
        """executeSendMessage, the engine of REST chat.sendMessage and the DDP method. None: the `_id` was taken.

        On refusal the sender also gets an ephemeral message on `<uid>/message`."""
        world = self.world
        if message.get("tshow") and not message.get("tmid"):
            raise MeteorError("invalid-params", "tshow provided but missing tmid")
        if message.get("tmid") and not world.settings["Threads_enabled"]:
            raise MeteorError("error-not-allowed", "not-allowed")
        message["ts"] = self._timestamp(message.get("ts"))
        if len(message.get("msg") or "") > world.settings["Message_MaxAllowedSize"]:
            raise MeteorError("error-message-size-exceeded", "The message size exceeds Message_MaxAllowedSize")
        if parent := world.messages.get(message.get("tmid") or ""):
            message["tmid"] = parent.get("tmid") or parent["_id"]
            message["rid"] = parent["rid"]
        try:
            room = room_to_write(world, message["rid"], user.id)
            return await self.send(user.short(), message, room)
        except Exception as error:
            said = error.id if isinstance(error, MeteorError) else str(error)
            world.emit("ephemeral", {"to": user.id, "rid": message["rid"], "msg": str(said)})
            raise

    def _timestamp(self, sent: Any) -> datetime:
        now = self.world.now()
        if not isinstance(sent, datetime):
            return now
        seconds = abs((sent - now).total_seconds())
        if seconds > 60:
            raise MeteorError("error-message-ts-out-of-sync", "The message timestamp is out of sync")
        return now if seconds > 10 else sent

    async def send(self, sender: Doc, message: Doc, room: Doc) -> Doc | None:
        """sendMessage: checks, fills, inserts, announces. A known `_id` inserts nothing and returns None, whichever
        room that message is in. `sender` may be a visitor: it then carries the visitor's `token`."""
        world = self.world
        check_message(world, message, room, sender)
        message.setdefault("ts", world.now())
        if message.get("tshow") is not True:
            message.pop("tshow", None)
        message["u"] = {key: sender[key] for key in ("_id", "username", "name") if sender.get(key)}
        message["rid"] = room["_id"]
        if not isinstance(message.get("msg"), str):
            message["msg"] = ""
        text.fill(world, message)
        self._forbid_mass_mention(message, sender)
        if message.get("_id") and message["_id"] in world.messages:
            return None
        await world.gap()
        message.setdefault("_id", new_id())
        world.put_message(message)
        self._count_thread(message)
        self._count(message, room)
        previewed = self.world.settings["API_Embed"] and message["urls"] and not message.get("attachments")
        if self.preview_delay and previewed:
            asyncio.get_running_loop().call_later(self.preview_delay, self._announce_late, message["_id"])
        else:
            self.announce(message)
        return message

    def _announce_late(self, id: str) -> None:
        if id in self.world.messages:
            self.announce(self.world.messages[id])

    def system(self, kind: str, room: Doc, sender: Doc, msg: str = "", **extra: Any) -> Doc:
        """saveSystemMessage: stored and announced like any other, with `t`."""
        message: Doc = {
            "t": kind,
            "rid": room["_id"],
            "ts": self.world.now(),
            "msg": msg,
            "u": {key: sender[key] for key in ("_id", "username", "name") if sender.get(key)},
            "groupable": False,
            "_id": new_id(),
            **extra,
        }
        self.world.put_message(message)
        self._count(message, room)
        self.announce(message)
        return message

    def announce(self, message: Doc) -> None:
        """notifyOnMessageChange: the document as it is now, unless its kind is hidden."""
        if not message.get("_hidden") and message.get("t") not in self.world.settings["Hide_System_Messages"]:
            self.world.emit("message", message)

    def _forbid_mass_mention(self, message: Doc, sender: Doc) -> None:
        for mention in message["mentions"]:
            name = mention["_id"]
            permission = f"mention-{name}"
            if name in ("all", "here") and not self.world.allows(sender["_id"], permission, message["rid"]):
                raise MeteorError("error-action-not-allowed", f"Notify {name} in this room not allowed")

    def _count(self, message: Doc, room: Doc) -> None:
        """Every message counts and bumps `_updatedAt`; thread-only and back-dated ones leave `lm` alone."""
        changes: Doc = {"msgs": room.get("msgs", 0) + 1}
        fresh = abs((self.world.now() - message["ts"]).total_seconds()) <= 60
        silent = message.get("t") not in (None, "livechat-started", "livechat-close")
        if fresh and not silent and not (message.get("tmid") and not message.get("tshow")):
            changes["lm"] = message["ts"]
            if self.world.settings["Store_Last_Message"] and not message.get("t"):
                changes["lastMessage"] = message
        if room["t"] == "l" and not message.get("t"):
            changes["waitingResponse"] = True if message.get("token") else None
            if not message.get("token"):
                responder = {"_id": message["u"]["_id"], "username": message["u"]["username"]}
                changes["responseBy"] = {**responder, "lastMessageTs": message["ts"]}
        self.world.touch_room(room["_id"], **changes)

    def _count_thread(self, message: Doc) -> None:
        parent = self.world.messages.get(message.get("tmid") or "")
        if parent is None:
            return
        replies = dict.fromkeys([*parent.get("replies", ()), parent["u"]["_id"], message["u"]["_id"]])
        parent.update(
            tcount=parent.get("tcount", 0) + 1, tlm=message["ts"], replies=list(replies), _updatedAt=self.world.now()
        )
        self.announce(parent)

    # --- editing ------------------------------------------------------------------------------------------------

    def execute_update(self, user: User, original: Doc, new_text: str, custom_fields: Doc | None = None) -> None:
        """executeUpdateMessage: the permission rules, then the edit."""
        world, rid = self.world, original["rid"]
        own = original["u"]["_id"] == user.id
        if not world.allows(user.id, "edit-message", rid) and not (world.settings["Message_AllowEditing"] and own):
            raise MeteorError("error-action-not-allowed", "Message editing not allowed")
        minutes = world.settings["Message_AllowEditing_BlockEditInMinutes"]
        if minutes and not world.allows(user.id, "bypass-time-limit-edit-and-delete", rid):
            age = (world.now() - original["ts"]).total_seconds()
            if age > minutes * 60:
                raise MeteorError("error-message-editing-blocked", "Message editing is blocked")
        room_to_write(world, rid, user.id)
        if len(new_text) > world.settings["Message_MaxAllowedSize"]:
            raise MeteorError("error-message-size-exceeded", "The message size exceeds Message_MaxAllowedSize")
        self.update(user.short(), original, new_text, custom_fields)

    def update(self, editor: Doc, original: Doc, new_text: str, custom_fields: Doc | None = None) -> None:
        """A text that is the same changes nothing and is not announced."""
        if original["msg"] == new_text and custom_fields is None:
            return
        now = self.world.now()
        original.update(
            msg=new_text,
            editedAt=now,
            editedBy={"_id": editor["_id"], "username": editor["username"]},
            _updatedAt=now,
        )
        if custom_fields is not None:
            original["customFields"] = custom_fields
        text.fill(self.world, original)
        self._refresh_last(original)
        self.announce(original)

    def _refresh_last(self, message: Doc) -> None:
        """Edits bump the room only when they touch its last message."""
        room = self.world.rooms[message["rid"]]
        if room.get("lastMessage", {}).get("_id") == message["_id"]:
            self.world.touch_room(room["_id"], lastMessage=message)

    # --- deleting -----------------------------------------------------------------------------------------------

    def execute_delete(self, user_id: str, message: Doc) -> None:
        if not self.may_delete(user_id, message):
            raise MeteorError(
                "error-action-not-allowed", "Not allowed", {"method": "deleteMessage", "action": "Delete_message"}
            )
        self.delete(message, self.world.users[user_id].short())

    def may_delete(self, user_id: str, message: Doc) -> bool:
        world, rid = self.world, message["rid"]
        if world.allows(user_id, "force-delete-message", rid):
            return True
        if not world.settings["Message_AllowDeleting"]:
            return False
        own = bool(message["u"]["_id"] == user_id) and world.allows(user_id, "delete-own-message", rid)
        if not own and not world.allows(user_id, "delete-message", rid):
            return False
        minutes = world.settings["Message_AllowDeleting_BlockDeleteInMinutes"]
        if not minutes or world.allows(user_id, "bypass-time-limit-edit-and-delete", rid):
            return True
        return bool((world.now() - message["ts"]).total_seconds() <= minutes * 60)

    def delete(self, message: Doc, by: Doc) -> None:
        """Defaults: into the trash, `<rid>/deleteMessage`. Message_ShowDeletedStatus or replies: a placeholder `rm`.
        Message_KeepHistory: hidden, and never listed as deleted."""
        world = self.world
        placeholder = world.settings["Message_ShowDeletedStatus"] or message.get("tcount", 0) > 0
        room = world.rooms[message["rid"]]
        if placeholder:
            now = world.now()
            for gone in ("reactions", "file", "files", "md"):
                message.pop(gone, None)
            editor = {"_id": by["_id"], "username": by["username"]}
            message.update(t="rm", msg="", urls=[], mentions=[], channels=[], attachments=[], editedAt=now)
            message.update(editedBy=editor, _updatedAt=now)
            self.announce(message)
            world.touch_room(room["_id"])
            return
        if world.settings["Message_KeepHistory"]:
            message.update(_hidden=True, _updatedAt=world.now())
        else:
            world.drop_message(message["_id"])
            world.trash[message["_id"]] = {**message, "_deletedAt": world.now()}
        left = [each for each in world.of_room(room["_id"]) if not each.get("_hidden") and not each.get("t")]
        last = {"lastMessage": left[-1] if left else None} if "lastMessage" in room else {}
        world.touch_room(room["_id"], msgs=room["msgs"] - 1, **last)
        world.emit("message-deleted", {"rid": room["_id"], "_id": message["_id"]})

    # --- reacting -----------------------------------------------------------------------------------------------

    def react(self, user: User, message: Doc, name: str, should: bool | None = None) -> None:
        """setReaction: without `should` it toggles. The last one gone takes the field away.

        On a message without reactions, `userAlreadyReacted` is undefined, which equals no `should`: a false one sets
        the reaction (8.3; older servers did nothing)."""
        name = name.replace(":", "")
        code = f":{name}:"
        if not emoji_names.is_known(name):
            raise MeteorError("error-not-allowed", "Invalid emoji provided.", {"method": "setReaction"})
        room, reactions = self.world.rooms[message["rid"]], message.get("reactions")
        names: list[str] = (reactions or {}).get(code, {}).get("usernames", [])
        there = user.username in names
        if should is not None and should == there and not (reactions is None and not should):
            return
        if not can_access(self.world, room, user.id):
            raise MeteorError("not-authorized", "Not Authorized", {"method": "setReaction"})
        if user.username in room.get("muted", ()):
            raise MeteorError("error-not-allowed", "You have been muted", {"rid": room["_id"]})
        if (
            room.get("ro")
            and not room.get("reactWhenReadOnly")
            and not self.world.allows(user.id, "post-readonly", room["_id"])
            and user.username not in room.get("unmuted", ())
        ):
            raise PlainError("You can't send messages because the room is readonly.")
        names = [each for each in names if each != user.username] if there else [*names, user.username]
        reactions = {**(reactions or {}), code: {"usernames": names}}
        message["reactions"] = {key: value for key, value in reactions.items() if value["usernames"]}
        if not message["reactions"]:
            del message["reactions"]
        message["_updatedAt"] = self.world.now()
        self.announce(message)
