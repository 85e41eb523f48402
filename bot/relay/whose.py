"""Which customer an entry is about, for people who read what became of it."""

from __future__ import annotations

from bot.model import ContactId, Conversation, NumberId, Pair, RoomId, Wamid
from bot.ports import Journal, Stored
from bot.whatsapp import parse

_OF_A_CONTACT = ("in", "media", "auto", "tpl")
"""First words of lanes that name a customer: `<word>:<our number>:<contact>`. A lane `out:<room>` names the room of a
customer instead."""


async def customer_of(journal: Journal, stored: Stored) -> str:
    """By name and phone, as far as they are known: `Maria, +491701234567`; empty for what is nobody's, or of somebody
    who was erased. What is done has lost lane and body, so its pair or its room tells."""
    way, _, whose = stored.entry.lane.partition(":")
    number, contact, room = NumberId(stored.entry.source), ContactId(""), RoomId("")
    if stored.state == "done":
        room = RoomId(str(stored.result.get("room") or ""))
        if pair := await _pair(journal, stored):
            number, contact = pair.number, pair.contact
    elif way == "out":
        room = RoomId(whose)
    elif way in _OF_A_CONTACT:
        contact = ContactId(whose.rpartition(":")[2])
    known = await journal.conversation(number, contact) if contact else None
    if known is None and room:
        known = await journal.conversation_of_room(room)
    return _called(known) if known is not None else _written(stored) or _phone(contact)


async def _pair(journal: Journal, stored: Stored) -> Pair | None:
    for wamid in (*(stored.result.get("wamids") or ()), stored.entry.key.removeprefix("wa:")):
        if found := await journal.pair(Wamid(str(wamid))):
            return found
    return None


def _called(conversation: Conversation) -> str:
    phone = conversation.phone or _phone(conversation.contact)
    return ", ".join(word for word in (conversation.name.strip(), phone) if word)


def _written(stored: Stored) -> str:
    """By a message that has not become a conversation yet."""
    if stored.entry.kind not in ("wa.message", "wa.media") or not stored.entry.body:
        return ""
    sender = parse.message(stored.entry.body).sender
    return ", ".join(word for word in (sender.name.strip(), sender.phone or _phone(sender.contact)) if word)


def _phone(contact: str) -> str:
    return f"+{contact}" if contact.isdecimal() else contact
