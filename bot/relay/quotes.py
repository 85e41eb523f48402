"""Quotes in an agent's room: a link in front of a text, which Rocket.Chat shows as the quoted message.

The server makes a quote of a link that begins with exactly its own Site_Url and names a message that the writer may
see, for visitors one of their own rooms (8.3 server/services/messages/hooks/BeforeSaveJumpToMessage.ts). Site_Url is
asked once; a server that does not tell it is taken to be called what we call it. While it cannot be asked, texts go
without quotes.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from bot.config import App
from bot.errors import BotError, Refused
from bot.model import Choice, Conversation, Edit, Message, Pair, Reaction, Revoke, Wamid
from bot.ports import Clock, Journal
from bot.translations import Translate
from bot.whatsapp.markup import inert_line

log = logging.getLogger(__name__)

_ASK_AGAIN = 300.0


class Quotes:
    def __init__(
        self,
        journal: Journal,
        setting: Callable[[str], Awaitable[Any]],
        clock: Clock,
        app: Callable[[], App],
        t: Translate,
        *,
        url: str,
    ) -> None:
        """`setting` asks for a public setting of the workspace; `url` is the address at which we reach it."""
        self._journal = journal
        self._url = url
        self._setting = setting
        self._clock = clock
        self._app = app
        self._t = t
        self._site = ""
        self._asked_at: float | None = None

    async def learn(self) -> None:
        """Asks for Site_Url, unless it is known or was asked for a moment ago."""
        now = self._clock.now()
        if self._site or (self._asked_at is not None and 0 <= now - self._asked_at < _ASK_AGAIN):
            return
        self._asked_at = now
        try:
            value = await self._setting("Site_Url")
        except Refused as error:
            log.warning("Rocket.Chat does not tell its Site_Url, so quotes are made with %s: %s", self._url, error)
            value = None
        except BotError as error:
            log.warning("Rocket.Chat cannot be asked for its Site_Url, so nothing is quoted for now: %s", error)
            return
        told = isinstance(value, str) and value.startswith(("https://", "http://"))
        self._site = (value if told else self._url).rstrip("/")

    async def link(self, room: str, message: str) -> str:
        """What stands in front of a text that quotes this message; empty when it cannot be quoted."""
        if not (room and message):
            return ""
        await self.learn()
        return f"[ ]({self._site}/live/{quote(room, safe='')}?msg={quote(message, safe='')}) " if self._site else ""

    async def before(self, message: Message, conversation: Conversation | None) -> str:
        """What stands in front of a customer's message: the quote of what they answer, correct, delete or react to.

        A message that is not known here, or of somebody else, is only said to be there. Answers to buttons quote
        nothing: bots read them word by word.
        """
        target = target_of(message)
        if target is None or not self._app().allow_quote_messages:
            return ""
        pair = await self.known(target, conversation)
        if pair is not None:
            return await self.link(pair.room, pair.message)
        return await self._said(message) if message.reply_to else ""

    async def _said(self, message: Message) -> str:
        """In words, what a message answers that no room shows: a template, or something that we do not know."""
        pair = await self._journal.pair(message.reply_to) if message.reply_to else None
        if pair is not None and pair.contact in (message.sender.contact, message.sender.user_id):
            made_by = await self._journal.find(pair.entry)
            template = made_by.result.get("template") if made_by is not None else None
            if isinstance(template, str):
                return self._t("room.reply_template", name=inert_line(template, 80)) + "\n"
        return self._t("room.reply") + "\n"

    async def known(self, wamid: Wamid, conversation: Conversation | None) -> Pair | None:
        """The pair of this WhatsApp message, when it belongs to this conversation and can be seen in a room."""
        pair = await self._journal.pair(wamid)
        if pair is None or conversation is None or not pair.message or not pair.room:
            return None
        same = (pair.number, pair.contact) == (conversation.number, conversation.contact)
        return pair if same else None


def target_of(message: Message) -> Wamid | None:
    """The earlier message that this one is about; None for most, and for answers to buttons."""
    match message.parts:
        case (Choice(), *_):
            return None
        case (Reaction(target) | Edit(target) | Revoke(target), *_):
            return target
    return message.reply_to
