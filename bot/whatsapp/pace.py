"""How fast a number may send: turns that keep below its limit, so that an agent's reply never meets a refusal of bulk.

WhatsApp takes 80 messages a second from a number (1 000 after an upgrade, 20 when it is also used on a phone; Meta:
whatsapp/throughput) and refuses what is beyond with 130429. The limit of one customer (131056) needs no turns: it is
refused at once, and `relay.retry` lets only that conversation wait. Pure: moments come from outside, in seconds of any
clock that never goes back.
"""

from __future__ import annotations

BULK = 0.5
"""Share of the pace that bulk may take: the other half is always there for conversations."""
RECOVERY = 240.0
"""Seconds until a pace that was halved to almost nothing is whole again."""
_SLOWEST = 1 / 16
_ONE_REFUSAL = 1.0
"""Seconds: what was under way together is refused together, and says one thing."""


class Turns:
    """Evenly spaced, `rate` a second, and `burst` at once after a pause: at most `burst` + `rate` in any second."""

    def __init__(self, rate: float, burst: float = 1.0) -> None:
        self._rate = rate
        self._burst = burst
        self._next = 0.0

    def take(self, now: float, share: float = 1.0) -> float:
        """Takes the next turn; seconds until it comes."""
        gap = 1 / (self._rate * share)
        at = max(self._next, now)
        self._next = at + gap
        return max(0.0, at - now - (self._burst - 1) * gap)


class Pace:
    """One number's turns. `limit` is messages a second; below it there is room for what customers write, which counts
    too, and for requests that bunch on their way.

    Who is refused all the same halves the pace, which then grows back: other programs may send from the same number, or
    its limit may be lower than we were told.
    """

    def __init__(self, limit: float) -> None:
        self._all = Turns(limit * 0.8, burst=max(1.0, limit / 8))
        self._bulk = Turns(limit * 0.8 * BULK)
        self._share = 1.0
        self._changed = 0.0
        self._refused = float("-inf")

    def bulk(self, now: float) -> float:
        """Seconds that a message of many waits before it may ask for a turn like everybody."""
        return self._bulk.take(now, self._grown(now))

    def turn(self, now: float) -> float:
        """Seconds until the message may leave."""
        return self._all.take(now, self._grown(now))

    def refused(self, now: float) -> None:
        if now - self._refused >= _ONE_REFUSAL:
            self._share = max(_SLOWEST, self._grown(now) / 2)
            self._refused = now

    def _grown(self, now: float) -> float:
        self._share = min(1.0, self._share + max(0.0, now - self._changed) / RECOVERY)
        self._changed = now
        return self._share
