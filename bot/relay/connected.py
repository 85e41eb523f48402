"""Whose number an entry came in for."""

from __future__ import annotations

from bot.errors import Busy, NumberGone
from bot.model import Number, NumberId
from bot.ports import Entry, Registry


async def connected_number(registry: Registry, entry: Entry) -> Number:
    """Raises NumberGone for one that was disconnected, and Busy while one comes back: what was given up meanwhile is
    put in front of this entry first."""
    number = await registry.number(NumberId(entry.source))
    if number is not None:
        return number
    former = await registry.former(NumberId(entry.source))
    if former is not None and former.connected_at:
        raise Busy("the number is just being connected again")
    raise NumberGone(entry.source)
