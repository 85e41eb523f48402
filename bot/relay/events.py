"""Webhook items that are neither a message nor a status: calls, echoes of the phone app, account news, unknown JSON.

Each is recorded with a word for what it was. A call and an account error are told to people; what the business wrote on
its phone is shown (see `echoes`); a change of a template makes the kept lists outdated; nothing here ever opens a
conversation.
"""

from __future__ import annotations

from bot.model import ContactId, NumberId
from bot.ports import Entry, Journal, Outcome
from bot.relay.echoes import Echoes
from bot.relay.notices import SETUP, notice
from bot.relay.templates import Templates
from bot.whatsapp import parse
from bot.whatsapp.markup import inert_line
from bot.whatsapp.raw import identity, obj, text


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
        if what.startswith("template_"):
            await self._templates.outdate()
        elif what == "error":
            day = int(entry.first_at) // 86400
            await self._journal.append(
                notice(
                    f"account:{entry.source}:{detail}:{day}", SETUP, "notice.account_error",
                    number=f"+{entry.source}", said=detail,
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
        for name in filter(None, (contact, user_id)):
            conversation = await self._journal.conversation(NumberId(entry.source), ContactId(name))
            if conversation is not None and conversation.room is not None:
                await self._journal.append(notice(entry.key, conversation.room, "notice.called"))
                return Outcome({"what": "call", "told": conversation.room})
        who = phone or inert_line(contact, 80)
        told = notice(entry.key, SETUP, "notice.called_unknown", contact=who, number=f"+{entry.source}")
        await self._journal.append(told)
        return Outcome({"what": "call", "told": "setup channel"})
