"""How far time is believed to have come, for whoever deletes: what is deleted cannot be had back, so no single look at
the clock decides.

A clock that jumps ahead is followed at no more than twice the pace of the running bot: one that stands wrong for half a
day costs what is kept half a day, not its content. After the bot itself was away for long things are kept longer, until
it has caught up.
"""

from __future__ import annotations

from bot.ports import Clock, Journal

_SEEN = "retention seen"
"""Mark: unix seconds."""


async def believed(journal: Journal, clock: Clock) -> float:
    """Unix seconds; behind a clock that has jumped ahead, ahead of one that was put back."""
    return float(await journal.mark(_SEEN) or clock.now())


async def advance(journal: Journal, clock: Clock, ran: float) -> float | None:
    """To be called whenever the bot has run for `ran` seconds more: how far time is believed to have come now. None
    while the clock stands behind that: then nothing is to be deleted."""
    seen = await believed(journal, clock)
    if clock.now() < seen:
        return None
    seen = min(clock.now(), seen + 2 * ran)
    await journal.set_mark(_SEEN, str(seen), forward=True)
    return seen
