"""Dead letters are kept for as many days as the configuration says, so that people can look at them and try again.

Then their content goes; that there was such a letter, and why it was given up, stays (see `Journal.expire`). Templates
that nobody will be shown any more (`unseen`) go by the same look at the time (`believed`).

A letter that seems older than what was deleted long ago was given up while the clock stood far behind: it is kept from
now on.
"""

from __future__ import annotations

import logging

from bot.ports import Clock, Journal
from bot.relay.believed import advance
from bot.relay.unseen import Unseen

log = logging.getLogger(__name__)

DAY = 86400.0
DAYS_KEPT = 7
"""For so long after a number was disconnected, what 360Dialog delivers for it is stored, and shown if it is connected
again: as long as 360Dialog would go on delivering what is not taken."""
PERIOD = 300.0
"""Seconds between two looks. A bot that is started anew every hour, or more often, has its turn too."""
_SWEPT = "retention swept"
"""Mark: what was given up before that moment is deleted."""


def days_kept(dead_letters: int) -> int:
    """Of `DAYS_KEPT` as many as dead letters are kept at all (0: for ever), because that is what they become."""
    return min(DAYS_KEPT, dead_letters or DAYS_KEPT)


async def forget_for_ever(journal: Journal, clock: Clock, days: int, unseen: Unseen, every: float = PERIOD) -> None:
    """`days` 0: no dead letter ever goes."""
    while True:
        await clock.sleep(every)
        now = await advance(journal, clock, every)
        if now is None:
            continue
        await unseen.let_go(now)
        if days:
            await _expire(journal, now - days * DAY, days)


async def _expire(journal: Journal, before: float, days: int) -> None:
    swept = float(await journal.mark(_SWEPT) or 0.0)
    gone = 0
    while some := await journal.expire(before, swept):
        gone += some
    await journal.set_mark(_SWEPT, str(before), forward=True)
    if gone:
        log.info("the content of %d dead letters is deleted: they were kept for %d days", gone, days)
