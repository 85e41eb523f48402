"""A customer answers choices that went out as numbered text by typing a number: it is restored to the choice.

Numbered text carries no reply ids, so what its numbers stand for is kept in a mark of the conversation until the next
numbered list takes its place or the room is closed. A number counts only while that list is the last thing asked:
nothing else has reached the customer since, the customer has said nothing else, and the room is the same. Everything
else stays the text that it is. Nothing is noted when an answer comes, so the same entry, tried again, is read the same
way.

The room shows the choice word for word, as after a tap, because bots read it so; what was typed stands in a line of the
bot's own before it. (After it, that line would count as the answer of an agent for whom Rocket.Chat still waits: 8.3
app/livechat/server/hooks/markRoomResponded.ts.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from bot.errors import Refused
from bot.model import Choice, Conversation, Message, Number, NumberId, Post, RoomId, Text, Wamid
from bot.ports import Entry, Journal, Stored, Workspace
from bot.relay.conversations import Conversations
from bot.rocketchat.compose import notice_id
from bot.translations import Translate
from bot.whatsapp.choices import typed_place
from bot.whatsapp.markup import inert_line

_LOOK_BACK = 30
"""Entries of the customer that are looked through. A list that lies further back was not the last thing asked."""
_CLOCKS = 60.0
"""Seconds by which the clocks of WhatsApp and of Rocket.Chat may differ; what is older was delivered late."""
_SAID = ("wa.message", "wa.media")
_ASKED = ("rc.message", "template.send", "auto.message", "wa.other")


async def forget(journal: Journal, conversation: Conversation, room: RoomId) -> None:
    """The room is closed: what was asked in it is over."""
    stored = await journal.mark(_mark(conversation))
    if stored and json.loads(stored)["room"] == room:
        await journal.set_mark(_mark(conversation), "")


class NumberedLists:
    def __init__(self, journal: Journal, workspace: Workspace, conversations: Conversations, t: Translate) -> None:
        self._journal = journal
        self._workspace = workspace
        self._conversations = conversations
        self._t = t

    async def asked(self, entry: Entry, room: RoomId, conversation: Conversation, answers: Sequence[str]) -> None:
        """A numbered list was handed over; `answers` are what 1, 2, … stand for. Repeatable."""
        value = {"entry": entry.key, "room": room, "answers": list(answers)}
        await self._journal.set_mark(_mark(conversation), json.dumps(value))

    async def restored(self, entry: Entry, number: Number, message: Message) -> Message:
        """The message as if the choice had been tapped, after the line that says what was typed; or as it is."""
        typed = message.parts[0].text if len(message.parts) == 1 and isinstance(message.parts[0], Text) else ""
        place = typed_place(typed)
        if place is None or message.forwarded:
            return message
        conversation = await self._conversations.known(number, message.sender)
        stored = await self._journal.mark(_mark(conversation)) if conversation is not None else None
        if conversation is None or conversation.room is None or not stored:
            return message
        asked = json.loads(stored)
        answers = asked["answers"]
        if asked["room"] != conversation.room or place > len(answers):
            return message
        if not await self._is_last(asked["entry"], entry, conversation, message):
            return message
        said = self._t("room.typed_number", typed=inert_line(typed, 20).strip())
        try:
            await self._workspace.say(conversation.room, notice_id(f"{entry.key}#typed"), Post(said))
        except Refused:
            return message  # what was typed must stay to be seen
        return replace(message, parts=(Choice(answers[place - 1]),), reply_to=None)

    async def _is_last(self, key: str, entry: Entry, conversation: Conversation, message: Message) -> bool:
        """Whether that list is the newest of what this customer was asked and has said, before this entry came."""
        for stored in await self._journal.latest(conversation.contact, _LOOK_BACK):
            if stored.entry.seq >= entry.seq:
                continue
            if stored.entry.key == key:
                return await self._reached(stored, message)
            if await self._counts(stored, conversation.number):
                return False
        return False

    async def _reached(self, asked: Stored, message: Message) -> bool:
        """The list was not refused, at once or later, and the message is not older, nor does it quote another one."""
        if message.at < asked.entry.at_ms / 1000 - _CLOCKS:
            return False
        pairs = [await self._journal.pair(wamid) for wamid in _wamids(asked)]
        failed = asked.state == "dead" or any(pair is not None and pair.state == "failed" for pair in pairs)
        return not failed and message.reply_to in (None, *_wamids(asked))

    async def _counts(self, stored: Stored, number: NumberId) -> bool:
        """It is of the conversation with this number, and the customer has said it or may have seen it."""
        if stored.entry.kind in _SAID:
            return stored.entry.source == number
        if stored.entry.kind not in _ASKED or stored.state != "done":
            return False
        if stored.entry.source:
            return stored.entry.source == number
        pairs = [await self._journal.pair(wamid) for wamid in _wamids(stored)]
        return any(pair is not None and pair.number == number for pair in pairs)


def _wamids(stored: Stored) -> list[Wamid]:
    return [Wamid(str(wamid)) for wamid in stored.result.get("wamids") or ()]


def _mark(conversation: Conversation) -> str:
    return f"numbered:{conversation.number}:{conversation.contact}"
