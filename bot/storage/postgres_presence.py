"""Bots that share a database know of each other: who lives, and what happened a moment ago.

Who lives: each bot has a number, and a connection whose session holds the advisory lock of that number. The server
frees the lock when the process dies, so nobody has to keep time. What a bot holds is taken over once its lock has been
free for three seconds (`Pace`): a bot whose connection was only cut, or whose server restarted, has it back by then.
So it is when that session has not asked anything for twenty seconds: a process that is frozen, or a machine that went
while something was being told to it, keeps its connection for long (Linux asks no peer for a sign of life while it
waits for an acknowledgement). One that comes back later finds what it held given away; every change of the journal
checks that (fencing).
They also divide what a number may send by how many of them live (`bots`), a tool that looks into the database included.

What happened: `tell` collects, and one NOTIFY carries what was collected while the last one was on its way. It is no
part of the commits that it tells of: a NOTIFY inside of a transaction makes all commits wait for each other
(PostgreSQL's src/backend/commands/async.c, PreCommit_Notify). What is lost that way with a dying bot is found by the
look that every bot takes each second.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from bot.storage.postgres_schema import LOCKS, SCHEMA

if TYPE_CHECKING:
    from bot.storage.postgres import Db

    Connection = asyncpg.Connection[asyncpg.Record]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds of real time: `patience` with a database that is away when a bot starts or stops, and `endurance` in
    between, `beat` between two looks, `grace` for a bot whose lock is gone, `silence` of one that has it and counts as
    dead all the same."""

    patience: float = 30.0
    endurance: float = 3600.0
    beat: float = 1.0
    grace: float = 3.0
    silence: float = 20.0


_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_ANSWER = 4.0
_FORGOTTEN = 3
"""Times the grace, after which nobody asks for a bot any more."""
_AT_ONCE = 150
"""Names in one notification: it holds 8000 bytes at most."""

_HAVE_LOCK = """
    FROM pg_locks l LEFT JOIN pg_stat_activity s ON s.pid = l.pid AND s.usename = current_user
    WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objsubid = 2 AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_ALIVE = f"SELECT l.objid::bigint::integer {_HAVE_LOCK}"
_SILENT = f"{_ALIVE} AND s.state_change < clock_timestamp() - make_interval(secs => $2)"
_END_FORMER = f"SELECT pg_terminate_backend(s.pid) {_HAVE_LOCK} AND l.objid::bigint = $2"
_END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name = ANY ($1)
"""

HERE = "here"
"""Told by a bot that has just come: whoever hears it knows of it before the next look."""

EVERYTHING = "*"
"""Told after the connection was away: anything may have happened."""


def short(name: str) -> str:
    """A name as it is told: two that share it cost a look in vain."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def session_name(number: int) -> str:
    """As the server shows it in pg_stat_activity; 0: of a bot that has no number yet."""
    return f"whatsapp-360d-bot {number}" if number else "whatsapp-360d-bot"


class Presence:
    def __init__(self, connect: Callable[[], Awaitable[Connection]], pace: Pace) -> None:
        self._pace = pace
        self._connect = connect
        self._db: Connection | None = None
        self._present = False
        """The lock of our number is ours."""
        self._to_tell: set[str] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._alive: set[int] = set()
        """Other bots that had their lock at the last look, or were heard since."""
        self._missing: dict[int, float] = {}
        """Bots without their lock, and since when."""
        self._looked = 0.0
        self.number = 0
        self.listeners: list[Callable[[frozenset[str]], None]] = []
        """Called with what other bots told; with EVERYTHING after each time that nothing could be heard."""
        self.looks: list[Callable[[Db], Awaitable[None]]] = []
        """Called with every beat."""

    @property
    def hears(self) -> bool:
        """Whether what others tell comes in now."""
        return self._db is not None and not self._db.is_closed()

    @property
    def bots(self) -> int:
        """How many live, this one included. One that is missing still counts while it may come back, and while nothing
        can be heard all do that were there before."""
        return 1 + len(self._alive) + sum(self._is_patient(since) for since in self._missing.values())

    @property
    def sure_for(self) -> float:
        """Seconds after which a bot that was not heard of may be thought dead soon."""
        return self._pace.silence / 2

    def tell(self, *what: str) -> None:
        self._to_tell.update(what)
        self._wake.set()

    async def start(self) -> None:
        db = await self._connect()
        try:
            self.number = self.number or int(await db.fetchval("SELECT nextval('bots')"))
            await self._settle_in(db)
        except BaseException:
            db.terminate()
            raise
        self._task = asyncio.create_task(self._run(), name="presence")

    async def stop(self) -> None:
        """Tells what is left to tell, and goes."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._db is not None:
            await self._leave(self._db)

    def lost(self, holders: Iterable[int]) -> list[int]:
        """Which of these bots are dead: silent, or without their lock for so long that they will not come back."""
        missing = set(holders) - self._alive - {self.number}
        return sorted(one for one in missing if not self._is_patient(self._missing.setdefault(one, self._looked)))

    async def alive(self, db: Db) -> set[int]:
        return {int(row[0]) for row in await db.fetch(_ALIVE, LOCKS)}

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _settle_in(self, db: Connection) -> None:
        self._present = False
        await db.add_listener(SCHEMA, self._hear)
        db.add_termination_listener(self._gone)
        await self._take_lock(db)
        await self._look_around(db)
        self._db = db
        self.tell(HERE)
        self._say(frozenset({EVERYTHING}))

    async def _take_lock(self, db: Db) -> None:
        """An old session of ours may still have it: the server has not noticed its end, and is told."""
        self._present = bool(await db.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCKS, self.number))
        if not self._present:
            await db.execute(_END_FORMER, LOCKS, self.number)

    async def _look_around(self, db: Db) -> None:
        silent = {int(row[0]) for row in await db.fetch(_SILENT, LOCKS, self._pace.silence)}
        alive = await self.alive(db) - silent - {self.number}
        self._looked = now = asyncio.get_running_loop().time()
        gone = {one: self._missing.get(one, now) for one in (self._alive | self._missing.keys()) - alive}
        self._alive = alive
        self._missing = {one: since for one, since in gone.items() if now - since < _FORGOTTEN * self._pace.grace}
        frozen = [one for one in silent & self._missing.keys() if not self._is_patient(self._missing[one])]
        if frozen:  # what it locked, others wait for
            await db.execute(_END, [session_name(number) for number in frozen])

    def _is_patient(self, since: float) -> bool:
        """Whether a bot that is missing since then may come back."""
        return self._looked - since < self._pace.grace

    def _gone(self, _: object) -> None:
        self._wake.set()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: Any) -> None:
        try:
            number, *what = json.loads(payload)
            sender = int(number)
        except (OverflowError, TypeError, ValueError):
            return
        if sender != self.number:
            if HERE in what:
                self._alive.add(sender)
                self._missing.pop(sender, None)
            self._say(frozenset(str(one) for one in what))

    def _say(self, what: frozenset[str]) -> None:
        for listener in self.listeners:
            listener(what)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        pause, beat = _FIRST_PAUSE, clock() + self._pace.beat
        while not (self._stopping and not (self._to_tell and self.hears)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(beat):
                    await self._wake.wait()
            self._wake.clear()
            look = beat <= clock()
            try:
                async with asyncio.timeout(_ANSWER):
                    await self._round(look)
                pause = _FIRST_PAUSE
            except Exception as error:  # whatever it is: without this task nobody would ever hear of us again
                log.warning("out of touch with the other bots, again in %.2f s: %s", pause, type(error).__name__)
                if self._db is not None:
                    self._db.terminate()
                    self._db = None
                if self._stopping:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                self._wake.set()
            if look:
                beat = clock() + self._pace.beat

    async def _round(self, look: bool) -> None:
        if not self.hears:
            db = await self._connect()
            try:
                await self._settle_in(db)
            except BaseException:
                db.terminate()
                raise
        assert self._db is not None
        if self._to_tell:
            some = [self._to_tell.pop() for _ in range(min(_AT_ONCE, len(self._to_tell)))]
            try:
                await self._db.execute("SELECT pg_notify($1, $2)", SCHEMA, json.dumps([self.number, *some]))
            except BaseException:
                self._to_tell.update(some)
                raise
            if self._to_tell:
                self._wake.set()
        if look:
            if not self._present:
                await self._take_lock(self._db)
            await self._look_around(self._db)
            for one in self.looks:
                await one(self._db)

    async def _leave(self, db: Connection) -> None:
        try:
            await db.close(timeout=_ANSWER)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            db.terminate()
