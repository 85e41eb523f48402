"""What a customer does to a message that is there already: reacts, takes a reaction back, deletes.

A reaction becomes the bot's reaction on that message; WhatsApp allows a person one, so a new one replaces it. Nothing
is ever deleted in Rocket.Chat: the bot says that the customer deleted it and quotes it. Neither opens a new
conversation. Where it cannot be done, the caller says it in words.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.errors import Refused
from bot.model import Conversation, Message, Pair, Post, Reaction, Revoke
from bot.ports import Entry, Outcome, Workspace
from bot.relay.quotes import Quotes
from bot.rocketchat.compose import notice_id
from bot.translations import Translate
from bot.whatsapp.short_codes import codes

_TRIES = 4


class Gestures:
    def __init__(self, workspace: Workspace, quotes: Quotes, bot_username: Callable[[], str], t: Translate) -> None:
        self._workspace = workspace
        self._quotes = quotes
        self._bot_username = bot_username
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
        there = await self._mine(pair)
        new = await self._set(pair, emoji) if emoji else ""
        if new is None or not (new or there):
            return False
        for old in there:
            if old != new:
                await self._workspace.react(pair.message, old, False)
        return True

    async def _set(self, pair: Pair, emoji: str) -> str | None:
        """The code under which the workspace knows the emoji; None when it knows none."""
        for code in codes(emoji)[:_TRIES]:
            try:
                await self._workspace.react(pair.message, code, True)
            except Refused:
                continue
            return code
        return None

    async def _mine(self, pair: Pair) -> list[str]:
        """Codes of the reactions that the bot has on the message."""
        message = await self._workspace.message(pair.message)
        reactions = message.get("reactions") if message is not None else None
        if not isinstance(reactions, dict):
            return []
        me = self._bot_username()
        return [code for code, who in reactions.items() if isinstance(who, dict) and me in (who.get("usernames") or ())]

    async def _mark(self, entry: Entry, pair: Pair) -> bool:
        quote = await self._quotes.link(pair.room, pair.message)
        if not quote:
            return False
        try:
            await self._workspace.say(pair.room, notice_id(entry.key), Post(quote + self._t("notice.customer_deleted")))
        except Refused:
            return False
        return True
