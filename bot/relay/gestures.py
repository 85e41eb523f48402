"""What a customer does to a message that is there already: reacts, takes a reaction back, deletes.

A reaction becomes the bot's reaction on that message; WhatsApp allows a person one, so a new one replaces it. Nothing
is ever deleted in Rocket.Chat: the bot says that the customer deleted it and quotes it. Neither opens a new
conversation. Where it cannot be done, the caller says it in words; so it is with a reaction that would look like the
bot's own word for what became of an agent's message.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bot.errors import Refused
from bot.model import Conversation, Message, MessageId, Pair, Post, Reaction, Revoke
from bot.ports import Entry, Outcome, Workspace
from bot.relay.own_reactions import OwnReactions
from bot.relay.quotes import Quotes
from bot.relay.ticks import TICKS, bears_ticks
from bot.rocketchat.compose import notice_id
from bot.translations import Translate
from bot.whatsapp.short_codes import codes


class Gestures:
    def __init__(self, workspace: Workspace, quotes: Quotes, reactions: OwnReactions, t: Translate) -> None:
        self._workspace = workspace
        self._quotes = quotes
        self._reactions = reactions
        self._t = t

    async def shown(self, entry: Entry, message: Message, conversation: Conversation | None) -> Outcome | None:
        """None when the message is no such gesture, or has to be said in words. Repeatable."""
        match message.parts:
            case (Reaction(target, emoji),):
                pair = await self._quotes.known(target, conversation)
                if pair is not None and await self._react(pair, emoji):
                    return Outcome({"reaction": "shown" if emoji else "taken back", "message": pair.message})
            case (Revoke(target),):
                pair = await self._quotes.known(target, conversation)
                if pair is not None and await self._mark(entry, pair):
                    return Outcome({"deleted": pair.message})
        return None

    async def _react(self, pair: Pair, emoji: str) -> bool:
        taken = TICKS if bears_ticks(pair) else frozenset[str]()
        free = not taken.intersection(codes(emoji))
        async with self._reactions.alone(pair.message):
            there = [code for code in await self._reactions.on(pair.message) or () if code not in taken]
            new = await self._reactions.set(pair.message, emoji) if emoji and free else None
            former = [code for code in there if code != new]
            if new is None and emoji:  # words take the place of the former one too
                with suppress(Refused):
                    await self._take_back(pair.message, former)
                return False
            await self._take_back(pair.message, former)
        return bool(new or former)

    async def _take_back(self, message: MessageId, former: Sequence[str]) -> None:
        for code in former:
            await self._reactions.take_back(message, code)

    async def _mark(self, entry: Entry, pair: Pair) -> bool:
        quote = await self._quotes.link(pair.room, pair.message)
        if not quote:
            return False
        try:
            await self._workspace.say(pair.room, notice_id(entry.key), Post(quote + self._t("notice.customer_deleted")))
        except Refused:
            return False
        return True
