"""Dead letters are kept for as many days as the configuration says, so that people can look at them and try again.

Then their content goes; that there was such a letter, and why it was given up, stays (see `Journal.expire`).
"""

from __future__ import annotations

import logging

from bot.ports import Clock, Journal

log = logging.getLogger(__name__)

DAY = 86400.0
_PERIOD = 3600.0


async def expire_for_ever(journal: Journal, clock: Clock, days: int) -> None:
    """`days` 0: nothing ever goes."""
    while days:
        gone = 0
        while some := await journal.expire(clock.now() - days * DAY):
            gone += some
        if gone:
            log.info("the content of %d dead letters is deleted: they were kept for %d days", gone, days)
        await clock.sleep(_PERIOD)
