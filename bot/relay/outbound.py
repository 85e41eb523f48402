"""What an agent wrote goes to the customer's WhatsApp: in order, once.

WhatsApp has no idempotency key, so each part is noted as handed over before it leaves. If the bot dies in between, the
next look finds a part without an answer: its fate is *unsure*, and only a status webhook that carries the part's opaque
name (`<entry key>#<part>`) can settle it. It is never sent a second time by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.errors import FilesNotCarried, NumberGone, Unsure
from bot.model import ChatMessage, Conversation, MessageId, Pair, RoomId, Wamid
from bot.ports import Entry, Journal, Json, Outcome, Registry, Step, WhatsApp
from bot.relay.conversations import Conversations
from bot.rocketchat.parse import chat_message
from bot.whatsapp import compose
from bot.whatsapp.markup import from_rocketchat
from bot.whatsapp.split import split


def opaque_name(key: str, part: int) -> str:
    return f"{key}#{part}"


def read_opaque(opaque: str) -> tuple[str, int] | None:
    """The entry key and part that `opaque_name` was made from; None when it is not one of ours."""
    key, mark, part = opaque.rpartition("#")
    return (key, int(part)) if mark and key and part.isdecimal() else None


Make = Callable[[], Awaitable[Json]]
"""Makes the body of one part just before it leaves; what it takes (an upload) may be repeated."""


class Outbound:
    """Handler of `rc.message` entries."""

    def __init__(self, registry: Registry, journal: Journal, conversations: Conversations, whatsapp: WhatsApp) -> None:
        self._registry = registry
        self._journal = journal
        self._conversations = conversations
        self._whatsapp = whatsapp

    async def __call__(self, entry: Entry) -> Outcome:
        message = chat_message(entry.body["message"])
        if message is None:
            return Outcome({"ignored": "not a message"})
        conversation = await self._conversations.of_room(message.room)
        if conversation is None:
            return Outcome({"ignored": "not a WhatsApp room"})
        number = await self._registry.number(conversation.number)
        if number is None:
            raise NumberGone(conversation.number)
        if message.files:
            raise FilesNotCarried(message.files[0].name)

        parts = self._texts(entry, message, conversation)
        pairs = []
        for part, make in enumerate(parts):
            wamid = await self._once(entry, part, number.api_key, make, last=part == len(parts) - 1)
            pairs.append(
                Pair(
                    wamid=wamid,
                    message=MessageId(message.id),
                    room=RoomId(message.room),
                    number=number.id,
                    contact=conversation.contact,
                    outbound=True,
                    entry=entry.key,
                )
            )
        return Outcome({"wamids": [pair.wamid for pair in pairs]} if pairs else {"ignored": "no text"}, tuple(pairs))

    def _texts(self, entry: Entry, message: ChatMessage, conversation: Conversation) -> list[Make]:
        def make(part: int, text: str) -> Make:
            async def body() -> Json:
                return compose.text(conversation.contact, text, opaque_name(entry.key, part))

            return body

        return [make(part, text) for part, text in enumerate(split(from_rocketchat(message.text)))]

    async def _once(self, entry: Entry, part: int, api_key: str, make: Make, *, last: bool) -> Wamid:
        step = entry.steps.get(part)
        if step is not None and step.state == "out":
            return Wamid(step.ref)
        if step is not None:
            raise Unsure("no answer was noted for a part that had been handed over")
        body = await make()
        await self._journal.progress(entry, part, Step("handed"))
        sent = await self._whatsapp.send(api_key, body)
        if not last:  # the last one is noted with the whole entry, in one commit less
            await self._journal.progress(entry, part, Step("out", sent.wamid))
        return sent.wamid
