"""Every number's turns, in step with the other bots that send from it. Fits `WhatsApp.turn`.

A bot takes its part of a number's pace by how many of them live (`pace.part_of`): of 80 messages a second each of two
has 40, and all 80 a few seconds after the other has gone. They know of each other at once when one comes, and see each
second who is there (`storage.postgres_presence`). A number that is refused for its pace, or that is told how long to
wait, is so for all: who meets it tells the others, and they need not meet it themselves. The limit of one customer
needs nothing of the kind: the lane that waits for it is in the database.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from bot.errors import RateLimited
from bot.ports import Nobody, Others
from bot.whatsapp.pace import Hold, Pace

_REFUSED = "refused"
"""Told to the other bots: the number's name, and for how many seconds it was asked to wait (0: nothing was said)."""


class Paces:
    """`limit` is a number's messages a second. `name` turns an API key into what the bots call that number among
    themselves: it must not give the key away. `now` is the wall clock."""

    def __init__(
        self,
        limit: float = 80,
        others: Others | None = None,
        name: Callable[[str], str] = str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._others = others = others or Nobody()
        self._name = name
        self._numbers: defaultdict[str, _Number] = defaultdict(lambda: _Number(limit, others))
        others.listeners.append(self._hear)

    async def turn(self, api_key: str, *, bulk: bool = False) -> None:
        """Raises RateLimited while the number is asked to wait."""
        number = self._numbers[self._name(api_key)]
        self._heed(number)
        if bulk:
            await number.bulk.wait()
        await number.all.wait()
        self._heed(number)

    async def upload(self, api_key: str) -> None:
        """The same for a file, which a message follows."""
        number = self._numbers[self._name(api_key)]
        self._heed(number)
        await number.uploads.wait()

    def refused(self, api_key: str, error: RateLimited) -> None:
        name, after = self._name(api_key), error.after or 0.0
        self._slow_down(name, after)
        self._others.tell(f"{_REFUSED} {name} {after:g}")

    def _heed(self, number: _Number) -> None:
        if left := number.hold.left(self._now()):
            raise RateLimited("WhatsApp has asked this number to wait", after=left)

    def _hear(self, what: frozenset[str]) -> None:
        for one in what:
            match one.split(" "):
                case [word, name, after] if word == _REFUSED:
                    try:
                        self._slow_down(name, float(after))
                    except ValueError:
                        continue

    def _slow_down(self, name: str, after: float) -> None:
        number = self._numbers[name]
        number.pace.refused(asyncio.get_running_loop().time())
        number.hold.ask(self._now(), after)


class _Number:
    def __init__(self, limit: float, others: Others) -> None:
        self.pace = Pace(limit)
        self.hold = Hold()
        self.all = _Line(self.pace.turn, others)
        self.bulk = _Line(self.pace.bulk, others)
        self.uploads = _Line(self.pace.upload, others)


class _Line:
    """Only whoever is first has a turn already: a pace that changes counts at once for all who wait behind."""

    def __init__(self, take: Callable[[float, int], float], others: Others) -> None:
        self._take = take
        self._others = others
        self._first = asyncio.Lock()

    async def wait(self) -> None:
        async with self._first:
            await asyncio.sleep(self._take(asyncio.get_running_loop().time(), self._others.bots))
