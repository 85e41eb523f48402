"""The PostgreSQL database that several bots share: connections, patience with it, and what all of them must agree on.

A server that restarts, fails over or is out of connections for a while is waited for: every change is one transaction
and is tried again as a whole, with growing pauses, for half a minute at the start and for an hour later on (`Pace`).
Only then it is a StorageError.

Each bot has its own `data_dir` and the same secret key file. Connections must keep their session (notifications and
advisory locks do not survive a pooler that shares sessions between transactions).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg

from bot.storage.files import StorageError
from bot.storage.postgres_locks import Locks
from bot.storage.postgres_origin import check_origin
from bot.storage.postgres_presence import Pace, Presence, session_name
from bot.storage.postgres_schema import SCHEMA, migrate
from bot.storage.secrets import Vault, key_name

if TYPE_CHECKING:
    Row = asyncpg.Record
    Db = asyncpg.Connection[Row] | asyncpg.pool.PoolConnectionProxy[Row]

log = logging.getLogger(__name__)

T = TypeVar("T")

NEWEST_KEY = "newest key"
"""In `about`: name of the key with which everything was sealed last."""
WHICH_KEYS = "which keys?"
KEYS = "keys"
"""What bots ask each other, and how the answer begins: number, and names of the keys from the first one on."""

MOST_CONNECTIONS = 8
_PACE = Pace()
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_CONNECT = 5.0
_ANSWER = 20.0
"""Seconds after which a connection that says nothing counts as dead; the server gives up earlier."""
_CLOSE = 5.0

_SESSION = {
    "application_name": session_name(0),
    "search_path": SCHEMA,
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read committed",  # each statement sees what others have committed meanwhile
    "synchronous_commit": "on",  # what is acknowledged is on the disk, whatever the database has as its own
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    # Within a transaction nothing but the database is waited for: a bot that says nothing is frozen, and others wait.
    "idle_in_transaction_session_timeout": "5s",
    # A machine that vanished without a word is noticed within some ten seconds, and what it held is free.
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",  # also when it vanished while something was being told to it
    "jit": "off",
}

_PASSING = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that is just being ended by the server
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,  # another bot, of a newer version, has just changed the tables
)
"""The server is away, on its way down or up, or two bots stood in each other's way: it may be well in a moment."""


class Database:
    """`async with Database(url, vault) as database`.

    Opening raises StorageError when the server cannot be used, its tables are newer than this program, they were
    written with another secret key, or they were put back from a dump, unless that is known (`put_back`).
    """

    def __init__(self, url: str, vault: Vault, pace: Pace = _PACE, *, put_back: bool = False) -> None:
        self._url = url
        self._put_back = put_back
        self._vault = vault
        self._pace = pace
        self._patience = pace.patience
        self._closing = AsyncExitStack()
        self._under_way: set[asyncio.Task[Any]] = set()
        self.where = without_password(url)
        self.presence = Presence(self.connect, pace)
        self._locks = Locks(self.connect, self._patiently)
        self.alone = self._locks.alone

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._pool = await self._patiently(self._make_pool)
            stack.push_async_callback(self._close_pool)
            await self._patiently(self._prepare)
            self.presence.listeners.append(self._tell_keys)
            stack.push_async_callback(self._locks.close)
            await self._patiently(self.presence.start)
            stack.push_async_callback(self.presence.stop)
            self._closing = stack.pop_all()
        self._patience = self._pace.endurance
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def transact(self, work: Callable[[Db], Awaitable[T]]) -> T:
        """Does the work in one transaction; it may be called several times, and each time from the beginning.

        When the connection was lost in the very moment of the commit, a second try finds the first one done.
        """

        async def attempt() -> T:
            async with self._pool.acquire(timeout=_ANSWER) as db, db.transaction():
                return await work(db)

        return await self._patiently(attempt)

    async def fetch(self, query: str, *values: object) -> list[Row]:
        """One statement that is a transaction of its own."""

        async def attempt() -> list[Row]:
            return await self._pool.fetch(query, *values)

        return await self._patiently(attempt)

    async def obstacle(self, work: Callable[[Db], Awaitable[object]]) -> str:
        """What the change lacks, in words for people; empty: it was made. Tried once."""
        try:
            async with self._pool.acquire(timeout=_ANSWER) as db:
                await work(db)
        except asyncpg.DiskFullError:
            return "space on the disk of its database"
        except asyncpg.ReadOnlySQLTransactionError:
            return "its database, which takes no changes"
        except _PASSING:
            return "its database, which does not answer"
        except asyncpg.PostgresError as error:
            raise self._failed(error) from error
        return ""

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Closing waits for it."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    async def to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """A change that was begun is made though nobody waits for it any more."""
        return await asyncio.shield(self.begin(work))

    async def settled(self) -> None:
        """Everything that was begun has ended, done or given up: whoever waits for that is about to leave."""
        self._patience = self._pace.patience
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def connect(self) -> asyncpg.Connection[Row]:
        """A connection of its own, beside the pool."""
        named = {**_SESSION, "application_name": session_name(self.presence.number)}
        return await asyncpg.connect(self._url, timeout=_CONNECT, command_timeout=_ANSWER, server_settings=named)

    def _tell_keys(self, what: frozenset[str]) -> None:
        if WHICH_KEYS in what:
            self._vault.reload()
            self.presence.tell(" ".join((KEYS, str(self.presence.number), *map(key_name, self._vault.keys))))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked has it, or has gone

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        began, pause = clock(), _FIRST_PAUSE
        while True:
            try:
                return await attempt()
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
                # Its text may quote what was given.
                raise ValueError(f"{type(error).__name__}: the database cannot hold this value") from None
            except _PASSING as error:
                if clock() + pause > began + self._patience:
                    raise self._failed(error) from error
                level = logging.WARNING if pause == _LONGEST_PAUSE else logging.INFO
                log.log(level, "the database %s does not answer, again in %.2f s: %s", self.where, pause, _text(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except asyncpg.PostgresError as error:
                raise self._failed(error) from error
            except asyncpg.ClientConfigurationError as error:
                raise self._failed(error) from None

    def _failed(self, error: Exception) -> StorageError:
        return StorageError(f"The database {self.where} cannot be used: {_text(error)}.")

    async def _prepare(self) -> None:
        async with self._pool.acquire(timeout=_ANSWER) as db:
            encoding = await db.fetchval("SHOW server_encoding")
            if encoding != "UTF8":
                raise StorageError(f"The database {self.where} is encoded in {encoding}: UTF8 is needed.")
            await migrate(db, self.where)
            if not self._put_back:
                await check_origin(db, self.where)
            proof = self._vault.derive("database").hex()
            await db.execute("INSERT INTO about VALUES ('vault', $1) ON CONFLICT DO NOTHING", proof)
            if await db.fetchval("SELECT value FROM about WHERE name = 'vault'") != proof:
                raise StorageError(
                    f"The database {self.where} was written with another secret key than {self._vault.path}. All bots "
                    "that share a database need the same key file: copy it from the first one."
                )
            newest = await db.fetchval("SELECT value FROM about WHERE name = $1", NEWEST_KEY)
            if newest is not None and newest not in map(key_name, self._vault.keys):
                raise StorageError(
                    f"The key file {self._vault.path} is older than what is stored in the database {self.where}: the "
                    "key was changed (python -m bot keys rotate). Copy the key file from the bot where that was done."
                )

    async def _make_pool(self) -> asyncpg.Pool[Row]:
        return await asyncpg.create_pool(
            self._url,
            min_size=0,  # else the pool itself tries again and again while the server is away, and says so at length
            max_size=MOST_CONNECTIONS,
            timeout=_CONNECT,
            command_timeout=_ANSWER,
            server_settings=_SESSION,
            reset=_as_it_is,
        )

    async def _close_pool(self) -> None:
        await self.settled()
        try:
            async with asyncio.timeout(_CLOSE):
                await self._pool.close()
        except (TimeoutError, *_PASSING):
            self._pool.terminate()


async def _as_it_is(_: object) -> None:
    """Nothing of ours stays in a session, so there is nothing to reset: one round trip less for each use."""


def _text(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def without_password(url: str) -> str:
    """`name at host:port`, for people. Raises StorageError for what is no address of a database."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or "".join(parse_qs(parts.query).get("host", [])) or "this machine"
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("postgresql", "postgres"):
        raise StorageError("[storage] database_url must look like postgresql://user:password@host/name")
    return f"{parts.path.strip('/') or parts.username or 'postgres'} at {host}{port}"
