"""One thread writes. What was asked for while the disk was busy goes into the next commit together.

A caller goes on only after the disk has its change. A commit is first tried in one go; when an operation fails, all of
it is done again one by one, so that the failing one is undone alone and its neighbours do not notice. Operations touch
nothing but the database, which makes doing them again harmless.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from bot.storage.files import DiskFull, StorageError, StorageHeld

T = TypeVar("T")
Item = TypeVar("Item")
Operation = Callable[[sqlite3.Connection], T]
Joint = Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]]
"""Does for many callers at once what each asked for; one result for each."""
Watch = Callable[[int, float], None]
"""Told in the writing thread of each commit: how many operations, how many seconds."""

_LITTLE = 64 * 1024
_LARGEST = 512
"""Operations in one commit: bounds how long the first of them waits for the last."""


_ALONE = object()


@dataclass(slots=True, eq=False)
class _Wish:
    operation: Callable[..., Any]
    item: object
    """`_ALONE`, or what a joint operation is asked for."""
    future: asyncio.Future[Any]
    then: Callable[[Any], None] | None
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """In the event loop, after the commit."""
        if self.error is not None:
            if not self.future.done():
                self.future.set_exception(self.error)
            return
        if self.then is not None:
            self.then(self.result)
        if not self.future.done():
            self.future.set_result(self.result)


class GroupCommit:
    """Owns the writing connection from `start` to `close`."""

    def __init__(self, db: sqlite3.Connection, path: Path, watch: Watch | None = None) -> None:
        self._db = db
        self._watch = watch
        self._path = path
        self._wishes: SimpleQueue[_Wish | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._open = True
        self._thread.start()

    def ask(self, operation: Operation[T], then: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Runs the operation in a transaction. `then` is called in the event loop right after the commit, also when
        nobody waits for the result any more.

        Raises StorageError when the database fails, otherwise what the operation raises.
        """
        return self._ask(operation, _ALONE, then)

    def ask_jointly(
        self, operation: Joint[Item, T], item: Item, then: Callable[[T], None] | None = None
    ) -> asyncio.Future[T]:
        """The same for one of many who ask for the same kind of change: those who meet in a commit share its
        statements. It may come before other changes in that commit."""
        return self._ask(operation, item, then)

    def _ask(self, operation: Callable[..., Any], item: object, then: Callable[[T], None] | None) -> asyncio.Future[T]:
        if not self._open:
            raise StorageError(f"{self._path} is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._wishes.put(_Wish(operation, item, future, then))
        return future

    async def close(self) -> None:
        """Commits what was asked for before, then closes."""
        if self._open:
            self._open = False
            self._wishes.put(None)
            await asyncio.to_thread(self._thread.join)
            await asyncio.sleep(0)  # what the thread handed to the loop last

    def _run(self) -> None:
        going = True
        while going:
            batch = []
            wish = self._wishes.get()
            while wish is not None:
                batch.append(wish)
                if len(batch) == _LARGEST or self._wishes.empty():
                    break
                wish = self._wishes.get()
            going = wish is not None
            if batch:
                began = time.perf_counter()
                self._commit(batch)
                if self._watch is not None:
                    self._watch(len(batch), time.perf_counter() - began)
                try:
                    self._loop.call_soon_threadsafe(_settle, batch)
                except RuntimeError:
                    going = False  # the loop is closed: nobody is left to hear
        self._db.close()

    def _commit(self, batch: list[_Wish]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._in_one_go(batch)
            except Exception:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._db.execute("BEGIN IMMEDIATE")
                self._one_by_one(batch)
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for wish in batch:
                wish.error = wish.error or _named(error, self._path)

    def _in_one_go(self, batch: list[_Wish]) -> None:
        joint: dict[Callable[..., Any], list[_Wish]] = {}
        for wish in batch:
            if wish.item is not _ALONE:
                joint.setdefault(wish.operation, []).append(wish)
        for wish in batch:
            if wish.item is _ALONE:
                wish.result = wish.operation(self._db)
            elif wishes := joint.pop(wish.operation, None):
                results = wish.operation(self._db, [one.item for one in wishes])
                for one, result in zip(wishes, results, strict=True):
                    one.result = result

    def _one_by_one(self, batch: list[_Wish]) -> None:
        for wish in batch:
            self._db.execute("SAVEPOINT one")
            try:
                if wish.item is _ALONE:
                    wish.result = wish.operation(self._db)
                else:
                    [wish.result] = wish.operation(self._db, [wish.item])
            except Exception as error:
                if not self._db.in_transaction:
                    raise  # a full disk may make SQLite undo all of it (sqlite.org/lang_transaction.html)
                self._db.execute("ROLLBACK TO one")
                wish.error = _named(error, self._path)
            self._db.execute("RELEASE one")


def _settle(batch: list[_Wish]) -> None:
    for wish in batch:
        wish.settle()


def _named(error: BaseException, path: Path) -> BaseException:
    if isinstance(error, sqlite3.Error):
        if _no_space(error, path):
            named: StorageError = DiskFull(
                f"The journal {path} failed: the disk is full ({error}). Make space: nothing is lost, and the bot goes "
                "on by itself."
            )
        elif _base(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            named = StorageHeld(
                f"Another program holds the journal {path} ({error}). Close what has it open, a database tool or a "
                "copy: nothing is lost, and the bot goes on by itself."
            )
        else:
            named = StorageError(f"The journal {path} failed: {error}. Is the disk damaged, or the file?")
        named.__cause__ = error
        return named
    return error


def _base(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _no_space(error: sqlite3.Error, path: Path) -> bool:
    """SQLite says so when a page finds no place; of its other files it only says that they cannot be written
    (sqlite.org/rescode.html: SQLITE_FULL, SQLITE_IOERR)."""
    code = _base(error)
    if code == sqlite3.SQLITE_IOERR:
        try:
            free = os.statvfs(path.parent)
        except OSError:
            return False
        return free.f_bavail * free.f_frsize < _LITTLE
    return code == sqlite3.SQLITE_FULL
