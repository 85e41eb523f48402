"""Dead letters are kept for as many days as the configuration says, so that people can look at them and try again.

Then their content goes; that there was such a letter, and why it was given up, stays (see `Journal.expire`).

What is deleted cannot be had back, so no single look at the clock decides. One that jumps ahead is followed at no more
than twice the pace of the running bot: a clock that stands wrong for half a day costs letters half a day, not their
content. After the bot itself was away for long they are kept longer, until it has caught up. And a letter that seems
older than what was deleted long ago was given up while the clock stood far behind: it is kept from now on.
"""

from __future__ import annotations

import logging

from bot.ports import Clock, Journal

log = logging.getLogger(__name__)

DAY = 86400.0
DAYS_KEPT = 7
"""For so long after a number was disconnected, what 360Dialog delivers for it is stored, and shown if it is connected
again: as long as 360Dialog would go on delivering what is not taken."""
_PERIOD = 3600.0
_SEEN = "retention seen"
"""Mark: how far time is believed to have come, in unix seconds."""
_SWEPT = "retention swept"
"""Mark: what was given up before that moment is deleted."""


def days_kept(dead_letters: int) -> int:
    """Of `DAYS_KEPT` as many as dead letters are kept at all (0: for ever), because that is what they become."""
    return min(DAYS_KEPT, dead_letters or DAYS_KEPT)


async def expire_for_ever(journal: Journal, clock: Clock, days: int) -> None:
    """`days` 0: nothing ever goes."""
    while days:
        await clock.sleep(_PERIOD)
        await _sweep(journal, clock.now(), days)


async def _sweep(journal: Journal, now: float, days: int) -> None:
    seen = float(await journal.mark(_SEEN) or now)
    if now < seen:
        return
    seen = min(now, seen + 2 * _PERIOD)
    swept = float(await journal.mark(_SWEPT) or 0.0)
    before = seen - days * DAY
    gone = 0
    while some := await journal.expire(before, swept):
        gone += some
    await journal.set_mark(_SEEN, str(seen), forward=True)
    await journal.set_mark(_SWEPT, str(before), forward=True)
    if gone:
        log.info("the content of %d dead letters is deleted: they were kept for %d days", gone, days)
