"""How fast a number may send: turns that keep below its limit, so that an agent's reply never meets a refusal of bulk.

WhatsApp takes 80 messages a second from a number (1 000 after an upgrade, 20 when it is also used on a phone; Meta:
whatsapp/throughput) and refuses what is beyond with 130429. The limit of one customer (131056) needs no turns: it is
refused at once, and `relay.retry` lets only that conversation wait. Uploads have a limit of their own: 25 a second
(docs.360dialog.com: upload, retrieve or delete media).

Bots that share a database share each number, and so its limits: each takes its part of them, by how many of them live.
That is less than the limit for all together as long as no more bots than a fifth of it (16 of 80, 4 of 20) send at the
same moment; one more may be refused now and then.

Pure: moments come from outside, those of turns in seconds of any clock that never goes back.
"""

from __future__ import annotations

BULK = 0.5
"""Share of the pace that bulk may take: the other half is always there for conversations."""
RECOVERY = 240.0
"""Seconds until a pace that was halved to almost nothing is whole again."""
_SLOWEST = 1 / 16
_MOST_BOTS = 16
"""More are not believed: a count that is wrong must not bring a number to a standstill."""
_UPLOADS = 25
_LONGEST_HOLD = 3600.0
"""Seconds; who asks for more than this is asked again after this, as in `relay.retry`."""
_ONE_REFUSAL = 1.0
"""Seconds: what was under way together is refused together, and says one thing."""


class Turns:
    """Evenly spaced, `rate` a second, and `burst` at once after a pause: at most `burst` + `rate` in any second.

    The first ones are spaced: of bots that start together each would have a burst before it knows of the others."""

    def __init__(self, rate: float, burst: float = 1.0) -> None:
        self._rate = rate
        self._burst = burst
        self._next: float | None = None

    def take(self, now: float, share: float = 1.0) -> float:
        """Takes the next turn; seconds until it comes. `share` is the part of rate and burst that counts just now."""
        gap = 1 / (self._rate * share)
        ahead = max(0.0, self._burst * share - 1) * gap
        at = now + ahead + gap if self._next is None else max(self._next, now)
        self._next = at + gap
        return max(0.0, at - now - ahead)


class Pace:
    """One number's turns. `limit` is messages a second; below it there is room for what customers write, which counts
    too, and for requests that bunch on their way. `bots` is how many of us live and send from it, this one included.

    Who is refused all the same halves the pace, which then grows back: other programs may send from the same number, or
    its limit may be lower than we were told.
    """

    def __init__(self, limit: float) -> None:
        self._all = Turns(limit * 0.8, burst=max(1.0, limit / 8))
        self._bulk = Turns(limit * 0.8 * BULK)
        self._uploads = Turns(_UPLOADS * 0.8, burst=_UPLOADS / 5)
        self._share = 1.0
        self._changed = 0.0
        self._refused = float("-inf")

    def bulk(self, now: float, bots: int = 1) -> float:
        """Seconds that a message of many waits before it may ask for a turn like everybody."""
        return self._bulk.take(now, self._grown(now) * part_of(bots))

    def turn(self, now: float, bots: int = 1) -> float:
        """Seconds until the message may leave."""
        return self._all.take(now, self._grown(now) * part_of(bots))

    def upload(self, now: float, bots: int = 1) -> float:
        """Seconds until the file may leave."""
        return self._uploads.take(now, part_of(bots))

    def refused(self, now: float) -> None:
        """A message was refused, here or at another bot."""
        if now - self._refused >= _ONE_REFUSAL:
            self._share = max(_SLOWEST, self._grown(now) / 2)
            self._refused = now

    def _grown(self, now: float) -> float:
        self._share = min(1.0, self._share + max(0.0, now - self._changed) / RECOVERY)
        self._changed = now
        return self._share


class Hold:
    """Who is told how long to wait sends nothing from that number meanwhile. Moments are the wall clock's, by which
    a refused message waits too."""

    def __init__(self) -> None:
        self._until = self._asked = 0.0

    def ask(self, now: float, seconds: float) -> None:
        seconds = min(seconds, _LONGEST_HOLD)
        if seconds > self.left(now):
            self._until, self._asked = now + seconds, seconds

    def left(self, now: float) -> float:
        """Seconds for which nothing may leave; 0: it may. More than was asked for: the clock was put back."""
        left = self._until - now
        return left if 0 < left <= self._asked else 0.0


def part_of(bots: int) -> float:
    """The part of a number's limits that is one bot's."""
    return 1 / min(max(bots, 1), _MOST_BOTS)
