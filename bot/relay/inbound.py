"""A customer's message goes into the agent's room: read it, find the room, say it, note it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bot.errors import GroupMessage, NumberGone, WrongNumber
from bot.model import NumberId, Pair
from bot.ports import Entry, Outcome, Registry
from bot.relay.conversations import Conversations
from bot.rocketchat.compose import as_lines, message_id, visitor_name
from bot.translations import Translate
from bot.whatsapp import parse


class Inbound:
    """Handler of `wa.message` entries."""

    def __init__(self, registry: Registry, conversations: Conversations, t: Translate) -> None:
        self._registry = registry
        self._conversations = conversations
        self._t = t

    async def __call__(self, entry: Entry) -> Outcome:
        number = await self._registry.number(NumberId(entry.source))
        if number is None:
            raise NumberGone(entry.source)
        metadata = entry.body.get("metadata") or {}
        named = str(metadata.get("phone_number_id") or "") if isinstance(metadata, dict) else ""
        if named and named != number.phone_number_id:
            others = await self._registry.numbers()
            if any(other.phone_number_id == named and other.id != number.id for other in others):
                raise WrongNumber(named)
        message = parse.message(entry.body)
        if message.group:
            raise GroupMessage(message.group)

        conversation, room = await self._conversations.post(
            number,
            message.sender,
            visitor_name(message.sender, self._t),
            as_lines(message, self._t, received_at=entry.first_at),
            partial(message_id, number.id, message.id),
        )
        conversation = replace(
            conversation,
            phone=message.sender.phone or conversation.phone,
            user_id=message.sender.user_id or conversation.user_id,
            name=message.sender.name or conversation.name,
            last_inbound_at=max(conversation.last_inbound_at, message.at),
        )
        pair = Pair(
            wamid=message.id,
            message=message_id(number.id, message.id),
            room=room,
            number=number.id,
            contact=conversation.contact,
            outbound=False,
            entry=entry.key,
        )
        return Outcome(result={"room": pair.room, "message": pair.message}, pairs=(pair,), conversation=conversation)
