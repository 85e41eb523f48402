"""How the bot is and what it holds, for whoever asks in chat: the connection, what waits, what was given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bot.errors import SENT_SINCE, NumberGone, Unsure
from bot.model import NumberId
from bot.ports import ASIDE, Backlog, Journal, Kind, Stored
from bot.relay.retention import DAY, days_kept
from bot.relay.trace import Trace, Track
from bot.translations import Translate

LATEST = 5
"""Dead letters that are shown."""
_MOST = 1000
"""Dead letters that are retried at once."""
_PAGE = 200
"""Dead letters, with their bodies, that are in memory at once."""
Way = Literal["in", "out", "other"]
_WAYS: Mapping[Kind, Way] = {
    "wa.message": "in", "wa.media": "in", "wa.other": "in",
    "rc.message": "out", "auto.message": "out", "template.send": "out", "template.order": "out",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """The connection to Rocket.Chat. Unix seconds; 0: never so far."""

    connected: bool
    since: float
    heard_at: float


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, for people."""

    key: str
    who: str
    at: float
    reason: str
    perhaps_sent: bool
    """It may have reached the customer, so sending it again may double it."""


@dataclass(frozen=True, slots=True)
class Standing:
    link: Link
    waits: Mapping[Way, Backlog]
    dead: int
    latest: tuple[Letter, ...]
    keep_days: int
    """For how many days dead letters are kept; 0: for ever."""
    next_goes: float
    """Unix seconds at which the next dead letter goes; 0: never, or there is none."""


class Overview:
    def __init__(self, journal: Journal, link: Callable[[], Link], t: Translate, *, keep_days: int) -> None:
        self._journal = journal
        self._link = link
        self._keep_days = keep_days
        self._trace = Trace(journal, t)

    async def trace(self, word: str) -> list[Track]:
        return await self._trace.of(word)

    async def standing(self, besides: str = "") -> Standing:
        """`besides`: the key of the entry that asks, which waits itself until it is answered."""
        waits: dict[Way, Backlog] = {}
        backlog = dict(await self._journal.backlog())
        asking = await self._journal.find(besides) if besides else None
        if asking is not None and asking.state == "waiting" and (its := backlog.get(asking.entry.kind)):
            backlog[asking.entry.kind] = replace(its, waiting=its.waiting - 1)
        for kind, one in backlog.items():
            if not one.waiting or kind in ASIDE:
                continue
            way = _WAYS.get(kind, "other")
            so_far = waits.get(way, Backlog(0, one.oldest))
            waits[way] = Backlog(so_far.waiting + one.waiting, min(so_far.oldest, one.oldest))
        dead = (await self._journal.counts())["dead"]
        latest = await self._journal.dead(LATEST, latest=True) if dead else []
        next_goes = 0.0
        if latest and self._keep_days:
            next_goes = min(one.closed_at for one in await self._journal.dead(1)) + self._keep_days * DAY
        letters = tuple([await self._letter(one) for one in latest])
        return Standing(self._link(), waits, dead, letters, self._keep_days, next_goes)

    async def retry(self, key: str) -> bool:
        return await self._journal.retry(key)

    async def retry_all(self) -> int:
        """How many wait again. Those that may have reached the customer stay: of them a person decides one by one."""
        return await self._retry(lambda one: not perhaps_sent(one), _MOST)

    @property
    def days_kept(self) -> int:
        """For how many days what comes in for a number that was disconnected can be brought back."""
        return days_kept(self._keep_days)

    async def bring_back(self, number: NumberId) -> int:
        """Lets what came in for a number while it was disconnected wait again, the first of it first; how many."""
        return await self._retry(lambda one: _missed(one, number))

    async def _retry(self, wanted: Callable[[Stored], bool], most: int | None = None) -> int:
        """The first of them first, at most so many; how many wait again."""
        keys: list[str] = []
        page = await self._journal.dead(_PAGE)
        while page and (most is None or len(keys) < most):
            keys += [one.entry.key for one in page if wanted(one)]
            page = await self._journal.dead(_PAGE, after=page[-1])
        return sum([await self._journal.retry(key) for key in keys[:most]])

    async def _letter(self, stored: Stored) -> Letter:
        _, who = await self._trace.headed(stored)
        return Letter(stored.entry.key, who, stored.closed_at, self._trace.reason(stored.why), perhaps_sent(stored))


def _missed(stored: Stored, number: NumberId) -> bool:
    entry = stored.entry
    return entry.source == number and entry.kind.startswith("wa.") and stored.why.startswith(NumberGone.__name__)


def perhaps_sent(stored: Stored) -> bool:
    """Whether a dead letter may have reached the customer: whether to send it again, a person decides."""
    handed = any(step.state == "handed" for step in stored.entry.steps.values())
    return handed or stored.why.startswith(Unsure.__name__) or stored.why.endswith(SENT_SINCE)
