"""What agents wrote before a message, and Rocket.Chat has not announced yet.

A message with a link is announced after the link's preview was fetched, up to 10 s late (8.3 app/oembed, setting
API_EmbedTimeout), and the bus of a cluster may turn events around: what was written next is heard first. So before an
agent's message is stored, its room is asked over REST for what was written shortly before; in the lane the server's
moments decide. Where that cannot be asked, what was heard goes on without it: a late message is better than none.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeVar

from bot.errors import BotError, RateLimited, Refused
from bot.model import RoomId
from bot.ports import Entry, Journal, Json, Workspace
from bot.relay.together import together
from bot.rocketchat.parse import changed_at

K = TypeVar("K")
V = TypeVar("V")

log = logging.getLogger(__name__)

LATE = 12.0
"""Seconds before a message in which another one may have been written that is announced after it."""
_OVERLAP = 2.0
"""Seconds that are read again: a message gets its moment a little before others can read it."""
_PATIENCE = 2.0
"""Seconds; everything that is heard waits for this."""
_PAUSE = 30.0
"""Seconds without a question after one that was not answered."""
_LONGEST_PAUSE = 60.0
"""Seconds, however long a limit is said to last: Rocket.Chat's own lasts as long (8.3 server/settings/rate.ts), to ask
once more costs one refusal, and until then the order is left to chance."""
_TOGETHER = 8
_REMEMBERED = 5000


class Unannounced:
    def __init__(self, journal: Journal, workspace: Workspace) -> None:
        self._journal = journal
        self._workspace = workspace
        self._heard: OrderedDict[str, None] = OrderedDict()
        """Keys of what is known: a message is announced again with every reaction on it."""
        self._read: OrderedDict[RoomId, float] = OrderedDict()
        """Until which moment of the server a room is known."""
        self._rest = 0.0

    async def before(self, entries: Iterable[Entry]) -> list[Json]:
        """What is news in the rooms of what was just heard, that included: of one millisecond, the server knows the
        order. Never raises BotError."""
        firsts: dict[RoomId, float] = {}
        now: set[str] = set()
        for entry in entries:
            if entry.kind == "rc.message" and entry.key not in self._heard:
                _remember(self._heard, entry.key, None)
                now.add(entry.key)
                room, at = RoomId(str(entry.body["message"]["rid"])), entry.at_ms / 1000
                firsts[room] = min(firsts.get(room, at), at)
        found: list[Json] = []
        clock = asyncio.get_running_loop().time
        if not firsts or clock() < self._rest:
            return found

        async def ask(room: RoomId) -> None:
            if await self._journal.conversation_of_room(room) is None:
                return
            since = max(firsts[room] - LATE, self._read.get(room, 0.0) - _OVERLAP)
            try:
                messages = await self._workspace.messages_since(room, since)
            except Refused:
                return  # this room alone
            for one in messages:
                if (key := f"rc:{one.get('_id')}") in now or key not in self._heard:
                    found.append(one)
                    _remember(self._heard, key, None)
            _remember(self._read, room, max([firsts[room], *map(changed_at, messages)]))

        try:
            async with asyncio.timeout(_PATIENCE):
                await together(ask, firsts, _TOGETHER)
        except (BotError, TimeoutError) as error:
            asked = error.after if isinstance(error, RateLimited) else None
            pause = min(asked or _PAUSE, _LONGEST_PAUSE)
            self._rest = clock() + pause
            log.warning("agents' messages may come out of order for %.0f s: %s", pause, error or "no answer")
        return found


def _remember(kept: OrderedDict[K, V], name: K, value: V) -> None:
    """The latest ones alone."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
