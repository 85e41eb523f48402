"""A customer's message goes into the agent's room: read it, find the room, say it, note it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from bot.errors import GroupMessage, NoAgentOnline, OmnichannelOff, WrongNumber
from bot.model import ContactId, Message, Number, NumberChange
from bot.ports import Clock, Entry, Journal, Outcome, Registry
from bot.relay.auto_messages import nobody_here
from bot.relay.connected import connected_number
from bot.relay.conversations import Conversations
from bot.relay.gestures import Gestures
from bot.relay.inbound_media import InboundMedia, Shown, carried, pair_of
from bot.relay.notices import SETUP, notice, of_omnichannel_off
from bot.relay.numbered_lists import NumberedLists
from bot.relay.quotes import Quotes, target_of
from bot.rocketchat.compose import as_lines, message_id, visitor_name
from bot.translations import Translate
from bot.whatsapp import parse
from bot.whatsapp.markup import inert_line
from bot.whatsapp.raw import is_user_id, phone_digits, short_id

_WHILE = 60.0
"""Seconds for which Omnichannel may be off before that is told: somebody may only be changing its settings."""


class Inbound:
    """Handler of `wa.message` entries."""

    def __init__(
        self,
        *,
        registry: Registry,
        journal: Journal,
        conversations: Conversations,
        media: InboundMedia,
        quotes: Quotes,
        gestures: Gestures,
        numbered_lists: NumberedLists,
        clock: Clock,
        t: Translate,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._conversations = conversations
        self._media = media
        self._quotes = quotes
        self._gestures = gestures
        self._numbered_lists = numbered_lists
        self._clock = clock
        self._t = t

    async def __call__(self, entry: Entry) -> Outcome:
        number = await connected_number(self._registry, entry)
        await self._check_address(entry, number)
        message = parse.message(entry.body)
        if message.group:
            raise GroupMessage(message.group)

        message = await self._numbered_lists.restored(entry, number, message)
        moved = await self._moved(number, message)
        quoted = ""
        if target_of(message) is not None:
            known = await self._conversations.known(number, message.sender)
            gesture = await self._gestures.shown(entry, message, known)
            if gesture is not None:
                return gesture
            quoted = await self._quotes.before(message, known)
        try:
            shown = await self._show(entry, number, message, quoted)
        except NoAgentOnline:
            waiting = await self._conversations.known(number, message.sender)
            if waiting is not None:
                await nobody_here(self._journal, number, waiting, entry)
            raise
        except OmnichannelOff as off:
            if self._clock.now() - entry.first_at >= _WHILE:
                await self._journal.append(of_omnichannel_off(entry, off))
            raise
        conversation = shown.conversation
        if not moved and message.at >= conversation.last_inbound_at:  # what comes late tells who they were
            conversation = replace(
                conversation,
                phone=message.sender.phone or conversation.phone,
                user_id=message.sender.user_id or conversation.user_id,
            )
        conversation = replace(
            conversation,
            name=message.sender.name or conversation.name,
            last_inbound_at=max(conversation.last_inbound_at, message.at),
        )
        pair = pair_of(entry, number, message, shown)
        return Outcome(result={"room": pair.room, "message": pair.message}, pairs=(pair,), conversation=conversation)

    async def _check_address(self, entry: Entry, number: Number) -> None:
        """The address decides whose message it is, unless the delivery names another number of ours.

        One that we do not know is shown all the same, and said: somebody may have given our address to a second number.
        """
        metadata = entry.body.get("metadata")
        told = metadata if isinstance(metadata, dict) else {}
        named = short_id(told.get("phone_number_id"))
        if not named or named == number.phone_number_id:
            return
        others = await self._registry.numbers()
        if any(other.phone_number_id == named and other.id != number.id for other in others):
            raise WrongNumber(named)
        display = "".join(filter(str.isdecimal, str(told.get("display_phone_number") or "")))
        if number.phone_number_id and display and display != number.id:
            other = inert_line(display, 20)
            await self._journal.append(
                notice(f"address:{number.id}:{named}", SETUP, "notice.other_number", number=number.phone, other=other)
            )

    async def _show(self, entry: Entry, number: Number, message: Message, quoted: str) -> Shown:
        media = carried(message)
        if media is not None:
            return await self._media.show(entry, number, message, media, quoted)
        conversation, room = await self._conversations.post(
            number,
            message.sender,
            visitor_name(message.sender, self._t),
            quoted + as_lines(message, self._t, received_at=entry.first_at, shown_at=self._clock.now()),
            partial(message_id, number.id, message.id),
        )
        return Shown(conversation, room, message_id(number.id, message.id))

    async def _moved(self, number: Number, message: Message) -> bool:
        """After a change of number the conversation goes on under the new one, and is still found under the old.

        Stored before anything is shown: the customer may write under the new number at once. Somebody who already has a
        conversation under the new one keeps it: two are never merged.
        """
        changes = [part for part in message.parts if isinstance(part, NumberChange) and part.new]
        conversation = await self._conversations.known(number, message.sender) if changes else None
        for part in changes:
            user_id = next(filter(is_user_id, (part.new, part.user_id)), "")
            digits = "" if is_user_id(part.new) else phone_digits(part.new)
            new = [ContactId(name) for name in (digits, user_id) if name]
            if conversation and new and not await self._anybody(number, new):
                phone = f"+{digits}" if digits else conversation.phone
                conversation = replace(conversation, phone=phone, user_id=user_id or conversation.user_id)
                await self._journal.remember(conversation)
        return bool(changes)

    async def _anybody(self, number: Number, names: Iterable[ContactId]) -> bool:
        return any([await self._journal.conversation(number.id, name) is not None for name in names])
