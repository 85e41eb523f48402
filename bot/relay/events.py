"""Webhook items that are neither a message nor a status: calls, echoes of the phone app, account news, unknown JSON.

Each is recorded with a word for what it was. A call, bad news of the account, and a customer who stops or resumes
marketing messages are told to people; what the business wrote on its phone is shown (see `echoes`); a change of a
template makes the kept lists outdated; nothing here ever opens a conversation. Earlier chats that the phone app shares
(Meta: webhook `history`, up to 180 days of them) are not taken over: each would call an agent for something old. That
is said once for each number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model import ContactId, NumberId, RoomId
from bot.ports import Entry, Journal, Outcome
from bot.relay.echoes import Echoes
from bot.relay.notices import SETUP, notice
from bot.relay.templates import Templates
from bot.whatsapp import account_news, parse
from bot.whatsapp.markup import inert_line
from bot.whatsapp.raw import identity, items, obj, text

_PREFERENCES = {"stop": "notice.marketing_stopped", "resume": "notice.marketing_resumed"}


class Events:
    """Handler of `wa.other` entries."""

    def __init__(self, journal: Journal, echoes: Echoes, templates: Templates) -> None:
        self._journal = journal
        self._echoes = echoes
        self._templates = templates

    async def __call__(self, entry: Entry) -> Outcome:
        what, detail = parse.other(entry.body)
        if what == "echo" and entry.body.get("list"):
            return await self._echoes.shown(entry)
        if what == "call":
            return await self._call(entry)
        if what == "preferences":
            return await self._preference(entry)
        if what.startswith("template_"):
            await self._templates.outdate()
        elif what == "history" and not _declined(obj(entry.body.get("item"))):
            told = notice(f"history:{entry.source}", SETUP, "notice.history", number=f"+{entry.source}")
            await self._journal.append(told)
            return Outcome({"what": what, "told": "setup channel"})
        if said := detail if what == "error" else account_news.trouble(entry.body):
            day = int(entry.first_at) // 86400
            await self._journal.append(
                notice(
                    f"account:{entry.source}:{said}:{day}", SETUP, "notice.account_error",
                    number=f"+{entry.source}", said=inert_line(said, 300),
                )
            )  # fmt: skip
            return Outcome({"what": what, "told": "setup channel"})
        return Outcome({"what": what})

    async def _call(self, entry: Entry) -> Outcome:
        """A customer's call is told once, when it comes in: to their agent, else in the setup channel."""
        item = obj(entry.body.get("item"))
        contact, phone, user_id = identity(item, {})
        ours = text(item.get("direction")).upper() == "BUSINESS_INITIATED"
        if not contact or ours or text(item.get("event")) not in ("", "connect"):
            return Outcome({"what": "call"})
        room = await self._room(entry, contact, user_id)
        if room is not None:
            await self._journal.append(notice(entry.key, room, "notice.called"))
            return Outcome({"what": "call", "told": room})
        who = phone or inert_line(contact, 80)
        told = notice(entry.key, SETUP, "notice.called_unknown", contact=who, number=f"+{entry.source}")
        await self._journal.append(told)
        return Outcome({"what": "call", "told": "setup channel"})

    async def _preference(self, entry: Entry) -> Outcome:
        """Of one customer (Meta: webhook `user_preferences`, for now of marketing messages alone): told to their agent.
        Where no conversation is open it is only recorded: WhatsApp itself keeps marketing templates from them, and says
        so of each that is tried."""
        item = obj(entry.body.get("item"))
        told = _PREFERENCES.get(text(item.get("value")).lower())
        contact, _, user_id = identity({"from": item.get("wa_id"), "from_user_id": item.get("user_id")}, {})
        room = await self._room(entry, contact, user_id)
        if told is None or room is None or not text(item.get("category")).startswith("marketing"):
            return Outcome({"what": "preferences"})
        await self._journal.append(notice(entry.key, room, told))
        return Outcome({"what": "preferences", "told": room})

    async def _room(self, entry: Entry, *names: str) -> RoomId | None:
        """The open conversation of this customer with the number."""
        for name in filter(None, names):
            conversation = await self._journal.conversation(NumberId(entry.source), ContactId(name))
            if conversation is not None and conversation.room is not None:
                return conversation.room
        return None


def _declined(item: Mapping[str, Any]) -> bool:
    """The business shares no history: an error in place of it."""
    return any(obj(one).get("errors") for one in items(item.get("history")))
