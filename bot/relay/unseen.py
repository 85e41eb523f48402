"""Templates that went to people without an open conversation: shown to the agents in the next one.

The answer to a template opens a room, and "yes, please" alone says nothing (chatwoot#12685: agents saw the name of what
was sent, or nothing). What is remembered belongs to the contact, is erased with them, and is let go when it would not
be shown any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.model import Conversation, NumberId, Pair, RoomId
from bot.ports import Alone, Clock, Journal
from bot.relay.believed import believed
from bot.relay.notices import notice, standing_for

LIFE = 30 * 86400.0
"""As long as WhatsApp itself tries to deliver (Meta: send messages)."""
_PERIOD = 86400.0
_PREFIX = "unseen:"
_MOST = 3
"""So many of the latest ones are shown."""


class Unseen:
    def __init__(self, journal: Journal, clock: Clock, alone: Alone) -> None:
        self._journal = journal
        self._clock = clock
        self._alone = alone
        self._looked = -_PERIOD

    async def add(self, pair: Pair, *, by: str, template: str, text: str) -> None:
        """`by` (perhaps empty), `template` and `text` are the words of a notice: inert. Repeatable."""
        name = _name(pair.number, pair.contact)
        now = max(self._clock.now(), await believed(self._journal, self._clock))
        told = {"key": pair.entry, "wamid": pair.wamid, "at": now}
        told |= {"by": by, "template": template, "text": text}
        async with self._alone(name):
            others = [one for one in await self._kept(name) if one["key"] != pair.entry]
            await self._journal.set_mark(name, json.dumps([*others, told][-_MOST:]))

    async def show(self, conversation: Conversation, room: RoomId) -> None:
        """In the room that was opened for them, except what never arrived. Repeatable."""
        name = _name(conversation.number, conversation.contact)
        if not await self._kept(name):
            return  # as nearly always
        async with self._alone(name):
            now = await believed(self._journal, self._clock)
            for one in await self._kept(name):
                pair = await self._journal.pair(one["wamid"])
                if _is_old(one, now) or (pair is not None and pair.state == "failed"):
                    continue
                when = datetime.fromtimestamp(one["at"], UTC).strftime("%Y-%m-%d %H:%M UTC")
                words = {"by": one["by"], "template": one["template"], "text": one["text"], "when": when}
                sentence = "notice.template_before_by" if one["by"] else "notice.template_before"
                await self._journal.append(standing_for(one["wamid"], notice(one["key"], room, sentence, **words)))
            await self._journal.set_mark(name, "")

    async def let_go(self, now: float) -> None:
        """`now` is believed, not read off the clock; once a day it walks through all that is kept."""
        if now - self._looked < _PERIOD:
            return
        self._looked = now
        last = ""
        while some := await self._journal.marks(_PREFIX, after=last):
            for last, stored in some.items():
                if not stored or any(_is_old(one, now) for one in json.loads(stored)):
                    await self._let_go(last, now)

    async def _let_go(self, name: str, now: float) -> None:
        async with self._alone(name):
            left = [one for one in await self._kept(name) if not _is_old(one, now)]
            await self._journal.set_mark(name, json.dumps(left) if left else "")

    async def _kept(self, name: str) -> list[dict[str, Any]]:
        stored = await self._journal.mark(name)
        return list(json.loads(stored)) if stored else []


def _is_old(one: Mapping[str, Any], now: float) -> bool:
    return bool(now - one["at"] > LIFE)


def _name(number: NumberId, contact: str) -> str:
    return f"{_PREFIX}{number}:{contact}"
