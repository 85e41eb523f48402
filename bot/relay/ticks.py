"""What became of a message to a customer, as a reaction of the bot's on it: sent, delivered, read, or failed.

It is decoration: a lane for each message and places of its own, few calls at a time, tried some minutes apart while
Rocket.Chat is away, and given up quietly after a day. A tick rests for a moment before it is worked on, and one that is
outdated by then does nothing, because the status that outdated it has left a tick of its own: of `sent` and `delivered`
within two seconds, or of a backlog after an outage, only the last costs calls. What is shown is worked out from the
journal and compared with what is there, so a restart in the middle leaves nothing behind. A message that went out in
several parts shows the least of them.

A template, a welcome and what customers hear when nobody is here stand in the room as posts of the bot's, and those
bear the same marks; where such a post is written only after the first statuses came, it leaves a tick. `shouldReact`
and its traps, and who may react: Rocket.Chat 8.3 app/reactions/server/setReaction.ts (access to the room suffices; a
closed conversation is no hindrance). Each emoji has the same name in both of its lists (8.3
app/emoji-emojione/lib/emojiPicker.ts; later app/emoji-native, names of milesj/emojibase
packages/data/en/shortcodes/emojibase.raw.json); a mailbox, for one, has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from bot.errors import BotError, Busy, RateLimited, Unsure
from bot.model import MessageId, Pair, Wamid
from bot.ports import Clock, Entry, Journal, Outcome
from bot.relay.own_reactions import OwnReactions
from bot.relay.retry import DAY
from bot.whatsapp.short_codes import codes

MARKS: Mapping[str, str] = {"sent": "📤", "delivered": "📥", "read": "👀", "failed": "❌"}
_CODES = {state: frozenset(codes(mark)) for state, mark in MARKS.items()}
TICKS = frozenset().union(*_CODES.values())
"""Short codes that, on a message to a customer, are the bot's and say what became of it."""
REST = 2.0
"""Seconds in which what follows at once, as `delivered` does after `sent`, makes one change of two."""
_AT_ONCE = 4
_TRIES = 10
"""After so many the pauses grow, because an outage makes many of these."""
_PAUSE = 300.0
_LAST_TRY = DAY - 2 * _PAUSE
"""Seconds, the age of a tick. A little later it would stand among the dead letters."""
_LONGEST_QUIET = 60.0
_RANK = ("", "sent", "delivered", "read")


_MARKED = ("rc:", "tpl:", "welcome:", "offline:")


def bears_ticks(pair: Pair) -> bool:
    return pair.outbound and bool(pair.message) and pair.entry.startswith(_MARKED)


def of_parts(states: Iterable[str]) -> str:
    """The state of a message whose parts are in these: failed if one is, else the least; empty: not all are sent."""
    seen = {"read" if state == "played" else state for state in states}
    if "failed" in seen:
        return "failed"
    return min((state if state in _RANK else "" for state in seen), key=_RANK.index, default="")


class Ticks:
    """Handler of `tick` entries, and who makes them. With `wanted` off it makes none and leaves what is there."""

    def __init__(self, journal: Journal, reactions: OwnReactions, clock: Clock, *, wanted: bool) -> None:
        self._journal = journal
        self._reactions = reactions
        self._clock = clock
        self._wanted = wanted
        self._few = asyncio.Semaphore(_AT_ONCE)
        self._quiet_until = 0.0

    def of_status(self, pair: Pair, state: str) -> tuple[Entry, ...]:
        """To be stored together with the new state of the pair."""
        if not self._wanted or not bears_ticks(pair) or not of_parts([state]):
            return ()
        return (_tick(f"tick:{pair.wamid}:{state}", pair.message, pair.wamid, state),)

    def of_shown(self, pairs: Iterable[Pair]) -> tuple[Entry, ...]:
        """For a post that stands for these and was written in this moment: their first statuses may have found none."""
        marked = [pair for pair in pairs if bears_ticks(pair)]
        if not self._wanted or not of_parts(pair.state for pair in marked):
            return ()
        last = marked[-1]
        return (_tick(f"tick:{last.message}:shown", last.message, last.wamid, last.state),)

    def of_placed(self, pair: Pair) -> tuple[Entry, ...]:
        """For a message that stood nowhere until this moment: a status that is being stored in it leaves no tick, so
        this one goes by whatever is known by then."""
        if not self._wanted or not bears_ticks(pair):
            return ()
        return (_tick(f"tick:{pair.message}:shown", pair.message, pair.wamid, None),)

    def of_parked(self, entry: Entry, error: Exception) -> Sequence[Entry]:
        """For an agent's message that was given up. Of one that may have arrived nobody says that it failed."""
        if not self._wanted or entry.kind != "rc.message" or isinstance(error, Unsure):
            return ()
        return (_tick(f"tick:{entry.key}:failed", entry.body["message"]["_id"], "", "failed"),)

    async def __call__(self, entry: Entry) -> Outcome:
        if not self._wanted:
            return Outcome({"ignored": "switched off"})
        message, wamid = MessageId(entry.body["message"]), Wamid(entry.body["wamid"])
        pairs = [pair for pair in await self._journal.pairs_of_message(message) if bears_ticks(pair)]
        knew = entry.body["state"]
        if knew is not None and any(pair.wamid == wamid and pair.state != knew for pair in pairs):
            return Outcome({"ignored": "outdated"})
        state = of_parts(pair.state for pair in pairs) if pairs else await self._of_unsent(message)
        if not state:
            return Outcome({"ignored": "not all of it is sent"})
        try:
            async with self._few:
                self._keep_quiet()
                return await self._show(message, state)
        except Busy as error:
            if error.after:
                self._quiet_until = self._clock.now() + min(error.after, _LONGEST_QUIET)
            if entry.tries >= _TRIES:
                if self._clock.now() - entry.first_at > _LAST_TRY:
                    return Outcome({"gave_up": str(error)})
                error.after = max(error.after or 0.0, _PAUSE)
            raise
        except BotError as error:
            return Outcome({"gave_up": str(error)})

    async def _of_unsent(self, message: MessageId) -> str:
        """Given up for good, if no part of it may have arrived without our knowing."""
        stored = await self._journal.find(f"rc:{message}")
        if stored is None or stored.state != "dead":
            return ""
        return "" if any(step.state == "handed" for step in stored.entry.steps.values()) else "failed"

    def _keep_quiet(self) -> None:
        """The server has asked one of us to wait; it means all."""
        left = self._quiet_until - self._clock.now()
        if 0 < left <= _LONGEST_QUIET:  # more: the clock was put back
            raise RateLimited("asked to wait", after=left)

    async def _show(self, message: MessageId, state: str) -> Outcome:
        """The new one is set before the former goes: nobody sees a message without any."""
        async with self._reactions.alone(message):
            there = await self._reactions.on(message)
            if there is None:
                return Outcome({"ignored": "the message is gone"})
            shown = TICKS.intersection(there)
            if not shown & _CODES[state] and await self._reactions.set(message, MARKS[state]) is None:
                return Outcome({"ignored": "this workspace does not know the emoji"})
            for former in sorted(shown - _CODES[state]):
                await self._reactions.take_back(message, former)
        return Outcome({"shown": state})


def _tick(key: str, message: str, wamid: str, state: str | None) -> Entry:
    """`state`: another one by then outdates it; None: none does."""
    return Entry(key, f"tick:{message}", "tick", {"message": message, "wamid": wamid, "state": state}, rest=REST)
