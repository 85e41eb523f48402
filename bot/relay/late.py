"""An agent's message that has not gone out for minutes: the agent is told once an outage, and again when it is over.

Once a message has failed for a minute, or will be tried again only after that minute, an entry is stored that watches
it (kind `late`). The watch rests until the message is `LATE` seconds old. If the message still waits by then, the agent
is told, and the watch goes on looking until nothing in that conversation is late any more. Watches of later messages of
the conversation wait in the same lane behind the first one. Since watches are entries and each notice has a key of its
own, neither a restart nor a clock that jumps says anything twice. How the message ends (refused, or given up after a
day) is told elsewhere.
"""

from __future__ import annotations

from bot.errors import Busy, Trouble
from bot.model import RoomId
from bot.ports import Clock, Entry, Handler, Journal, Outcome
from bot.relay.notices import notice, of_late
from bot.relay.retry import DAY, TRIES_AT_LEAST

LATE = 180.0
_A_WHILE = 60.0
_LOOK = 20.0
_LAST_LOOK = DAY - 600.0
"""Seconds, the age of a watch. A little later it would be given up itself, and stand among the dead letters."""


class Late:
    """Handler of `late` entries."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def watching(self, handler: Handler) -> Handler:
        """The same handler of agents' messages, watched."""

        async def watched(entry: Entry) -> Outcome:
            try:
                return await handler(entry)
            except Busy as error:
                age = self._clock.now() - entry.first_at
                if age + (error.after or 0.0) >= _A_WHILE:
                    await self._journal.append(_watch(entry, rest=max(_A_WHILE, LATE - age)))
                raise

        return watched

    async def __call__(self, entry: Entry) -> Outcome:
        room, of = RoomId(entry.body["room"]), str(entry.body["of"])
        message = await self._journal.find(of)
        if entry.tries == 0:
            ours = await self._journal.conversation_of_room(room) is not None
            if message is None or message.state != "waiting" or not ours:
                return Outcome({"late": False})
            await self._journal.append(of_late(f"late:{of}", message.entry))
        elif not self._is_late(await self._journal.head(f"out:{room}")):
            if message is not None and message.state == "done":
                deleted = message.result.get("ignored") == "deleted_in_time"
                sentence = "notice.late_none" if deleted else "notice.late_over"
                await self._journal.append(notice(f"late over:{of}", room, sentence))
            return Outcome({"late": True})
        elif entry.tries >= TRIES_AT_LEAST and self._clock.now() - entry.first_at > _LAST_LOOK:
            return Outcome({"late": True})  # the watches of later messages go on
        raise Trouble("agents' messages wait to go out", after=_LOOK)

    def _is_late(self, waits: Entry | None) -> bool:
        if waits is None or waits.kind != "rc.message":
            return False
        return waits.tries > 0 or self._clock.now() - waits.first_at > LATE


def _watch(entry: Entry, rest: float) -> Entry:
    room = entry.body["message"]["rid"]
    return Entry(f"late:{entry.key}", f"late:{room}", "late", {"of": entry.key, "room": room}, rest=min(rest, LATE))
