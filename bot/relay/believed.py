"""What time it is, for code that deletes what is old. What is deleted cannot be had back, so the clock alone does not
decide: it may be wrong.

The believed time is stored. It follows the clock, but moves at most two seconds in each second that the bot runs. So a
clock that is years ahead for half a day makes things only half a day older than they are, and nothing is deleted that
should have stayed for years. After the bot was stopped for long, the believed time is behind for a while: things are
kept a little longer than they need be.
"""

from __future__ import annotations

from bot.ports import Clock, Journal

_SEEN = "retention seen"
"""Mark: unix seconds."""


async def believed(journal: Journal, clock: Clock) -> float:
    """Unix seconds; behind a clock that has jumped ahead, ahead of one that was put back."""
    return float(await journal.mark(_SEEN) or clock.now())


async def advance(journal: Journal, clock: Clock, ran: float) -> float | None:
    """To be called each time that the bot has run for `ran` seconds more: the believed time now. None while the clock
    is behind it, because it was put back: then nothing is to be deleted."""
    seen = await believed(journal, clock)
    if clock.now() < seen:
        return None
    seen = min(clock.now(), seen + 2 * ran)
    await journal.set_mark(_SEEN, str(seen), forward=True)
    return seen
