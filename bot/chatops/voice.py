"""How the bot answers: a reply in words, under an id that belongs to the entry it answers."""

from __future__ import annotations

from bot.chatops.chat_view import ChatView
from bot.chatops.command import Reply
from bot.model import MessageId, RoomId
from bot.ports import Entry, Workspace
from bot.rocketchat.compose import notice_id
from bot.translations import Translate


class Voice:
    def __init__(self, workspace: Workspace, t: Translate) -> None:
        self._workspace = workspace
        self._view = ChatView(t)

    async def say(self, entry: Entry, room: RoomId, reply: Reply, part: str = "") -> None:
        """Once, however often it is tried. `part` tells several answers to one entry apart."""
        await self._workspace.say(room, reply_id(entry.key, part), self._view.post(reply))


def reply_id(key: str, part: str = "") -> MessageId:
    return notice_id(f"{key} {part}".strip())
