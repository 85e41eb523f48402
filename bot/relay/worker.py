"""The worker: takes the head of each free lane, lets its handler do it, and writes down what became of it.

Here is the only `except` on the road. What an error means is decided in `retry`; what the journal cannot store is never
passed over: a failing journal ends `run` with its error, and everything that was held is found again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from bot.errors import BotError, Busy, Refused
from bot.logs import about
from bot.ports import Clock, Entry, Handler, Journal, Kind
from bot.relay.masking import masked, place_of
from bot.relay.places import PLACES, Places
from bot.relay.retry import Again, Confirm, Decision, Park, decide

log = logging.getLogger(__name__)

Watch = Callable[[Kind, str, float], None]
"""Told of an entry's kind, what became of it (done, again, unsure, dead) and its age in seconds."""
_OUTCOMES: Mapping[type[Decision], str] = {Again: "again", Confirm: "unsure", Park: "dead"}

_WAIT = 60.0
_LAST = 5.0
"""Seconds for storing what is decided while the worker stops."""


def _unwatched(kind: Kind, outcome: str, age: float) -> None:
    """Nobody counts."""


class Worker:
    """`run` works until `stop`; otherwise it comes back only with the error of a journal that failed.

    `notices(entry, error)` are the entries that tell people about a dead letter; they are stored together with it.
    """

    def __init__(
        self,
        journal: Journal,
        handlers: Mapping[Kind, Handler],
        clock: Clock,
        notices: Callable[[Entry, Exception], Sequence[Entry]],
        *,
        limit: int = PLACES,
        watch: Watch = _unwatched,
    ) -> None:
        self._journal = journal
        self._handlers = handlers
        self._clock = clock
        self._notices = notices
        self._places = Places(limit)
        self._watch = watch
        self._busy: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        """Set when a server that had no place left has one again."""
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as house:
            stopping = house.create_task(self._stopping.wait())
            while not self._stopping.is_set():
                self._freed.clear()
                most, shut = self._places.left()
                for entry in await self._taken(most, shut, stopping) if most else ():
                    self._places.take(entry.lane)
                    task = house.create_task(self._work(entry), name=f"work {entry.key}")
                    self._busy.add(task)
                    task.add_done_callback(partial(self._leave, entry.lane))
                news: list[asyncio.Task[Any]] = [house.create_task(self._freed.wait())]
                if most:
                    news.append(house.create_task(self._journal.wait(_WAIT)))
                await asyncio.wait((*news, stopping), return_when=asyncio.FIRST_COMPLETED)
                for one in news:
                    one.cancel()

    async def _taken(self, most: int, shut: Sequence[str], stopping: asyncio.Task[Any]) -> list[Entry]:
        """Nothing when the worker is stopped meanwhile: storage that is away may not answer for an hour."""
        taking = asyncio.ensure_future(self._journal.heads(most, shut))
        try:
            await asyncio.wait((taking, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            taking.cancel()
        if not self._stopping.is_set():
            return taking.result()
        [taken] = await asyncio.gather(taking, return_exceptions=True)
        for entry in taken if isinstance(taken, list) else ():
            await self._journal.release(entry)
        return []

    def _leave(self, lane: str, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        if self._places.free(lane):
            self._freed.set()

    async def stop(self, grace: float = 10.0) -> None:
        """Takes nothing new, lets what is being done finish for `grace` seconds, and gives the rest back untouched."""
        self._stopping.set()
        if not self._busy:
            return
        finished = asyncio.gather(*self._busy, return_exceptions=True)
        over = asyncio.ensure_future(self._clock.sleep(grace))
        await asyncio.wait((finished, over), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not finished.done():
            log.warning("stopping: %d entries are not finished and go on at the next start", len(self._busy))
            finished.cancel()
        await asyncio.gather(finished, over, return_exceptions=True)

    async def _work(self, entry: Entry) -> None:
        with about(entry.key):
            await self._handle(entry)

    async def _handle(self, entry: Entry) -> None:
        try:
            outcome = await self._handlers[entry.kind](entry)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                await _to_the_end(self._journal.release(entry))
                raise
            await self._judge(entry, RuntimeError(f"a handler was cancelled from inside: {error}"))
            return
        except Exception as error:
            await self._judge(entry, error)
            return
        try:
            await _to_the_end(self._journal.done(entry, outcome))
        except (TypeError, ValueError) as error:  # what the handler returned cannot be stored: its bug
            await self._judge(entry, error)
        else:
            self._watch(entry.kind, "done", self._clock.now() - entry.first_at)
            if log.isEnabledFor(logging.DEBUG):
                log.debug("%s done", masked(entry.key))

    async def _judge(self, entry: Entry, error: Exception) -> None:
        age = self._clock.now() - entry.first_at
        decision = decide(error, tries=entry.tries, age=age, confirming=entry.confirming)
        _tell(entry, error, decision)
        self._watch(entry.kind, _OUTCOMES[type(decision)], age)
        match decision:
            case Again(after, why):
                await _to_the_end(self._journal.again(entry, after, why))
            case Confirm(after, why):
                await _to_the_end(self._journal.again(entry, after, why, confirm=True))
            case Park(why):
                await self._park(entry, error, why)

    async def _park(self, entry: Entry, error: Exception, why: str) -> None:
        """A bug in a notice must not keep the dead letter in its lane."""
        try:
            notices = self._notices(entry, error)
        except Exception as bug:
            log.error("%s: nobody is told of it: %s %s", masked(entry.key), type(bug).__name__, place_of(bug))
            notices = ()
        sure = isinstance(error, Refused | Busy)
        try:
            await _to_the_end(self._journal.park(entry, why, *notices, sure=sure))
        except (TypeError, ValueError) as bug:
            log.error("%s: nobody is told of it: %s %s", masked(entry.key), type(bug).__name__, place_of(bug))
            await _to_the_end(self._journal.park(entry, why, sure=sure))


def _tell(entry: Entry, error: Exception, decision: Decision) -> None:
    """Without bodies, and of a bug only where it is: its text could quote anything."""
    detail = "" if isinstance(error, BotError) else f" {place_of(error)}"
    what = masked(f"{entry.key} ({entry.kind}): {decision.why}{detail}")
    match decision:
        case Again(after) | Confirm(after):
            level = logging.INFO if isinstance(error, BotError) else logging.ERROR
            log.log(level, "%s; %s in %.0f s", what, type(decision).__name__.lower(), after)
        case Park():
            log.warning("%s; parked as a dead letter", what)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """A decision that was made is stored, also when the worker is stopped in this very moment; unless storage is full
    or away, for which nobody who wants to stop waits long. Then the effect is recognised, or in doubt, at the start."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LAST)
        if task.done():
            task.result()
        else:
            log.warning("stopping: what became of an entry cannot be stored")
            task.cancel()
        raise
