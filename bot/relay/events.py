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
            await self._call(entry)
        elif what.startswith("template_"):
            await self._templates.outdate()
        elif what == "error":
            day = int(entry.first_at) // 86400
            await self._journal.append(
                notice(
                    f"account:{entry.source}:{detail}:{day}", SETUP, "notice.account_error",
                    number=f"+{entry.source}", said=detail,
                )
            )  # fmt: skip
        return Outcome({"what": what})

    async def _call(self, entry: Entry) -> None:
        item = entry.body.get("item")
        if not isinstance(item, dict) or not item.get("from") or item.get("event", "connect") != "connect":
            return
        caller = str(item["from"])
        conversation = await self._journal.conversation(NumberId(entry.source), ContactId(caller))
        if conversation is not None and conversation.room is not None:
            told = notice(entry.key, conversation.room, "notice.called")
        else:
            told = notice(entry.key, SETUP, "notice.called_unknown", contact=f"+{caller}", number=f"+{entry.source}")
        await self._journal.append(told)
