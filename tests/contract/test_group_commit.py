"""Changes that meet in a commit share its fsync, and nothing else: what fails, fails alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.storage.files import DiskFull, StorageError
from bot.storage.group_commit import GroupCommit


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[GroupCommit]:
    db = sqlite3.connect(tmp_path / "x", isolation_level=None, check_same_thread=False)
    db.execute("CREATE TABLE words (word TEXT UNIQUE NOT NULL)")
    writer = GroupCommit(db, tmp_path / "x")
    yield writer
    await writer.close()


class Pause:
    """Holds the writing thread, so that what is asked for meanwhile meets in the next commit."""

    def __init__(self, writer: GroupCommit) -> None:
        self._go = threading.Event()
        self._held = writer.ask(self._wait)

    def _wait(self, _: sqlite3.Connection) -> None:
        self._go.wait(10)

    async def over(self) -> None:
        self._go.set()
        await self._held


def add(db: sqlite3.Connection, words: Sequence[str]) -> list[int]:
    """How many words there are after each of them."""
    (before,) = db.execute("SELECT count(*) FROM words").fetchone()
    db.executemany("INSERT INTO words VALUES (?)", [(word,) for word in words])
    return [before + place + 1 for place in range(len(words))]


def words(db: sqlite3.Connection) -> list[str]:
    return [word for (word,) in db.execute("SELECT word FROM words ORDER BY rowid")]


async def test_those_who_ask_jointly_are_done_together_and_each_has_its_own_result(writer: GroupCommit) -> None:
    calls = []

    def counted(db: sqlite3.Connection, some: Sequence[str]) -> list[int]:
        calls.append(len(some))
        return add(db, some)

    pause = Pause(writer)
    asked = [writer.ask_jointly(counted, word) for word in ("a", "b", "c")]
    await pause.over()

    assert await asyncio.gather(*asked) == [1, 2, 3]
    assert calls == [3]


async def test_one_of_them_that_fails_is_told_so_and_the_others_are_stored(writer: GroupCommit) -> None:
    assert await writer.ask_jointly(add, "b") == 1
    pause = Pause(writer)
    asked = [writer.ask_jointly(add, word) for word in ("a", "b", "c")]
    alone = writer.ask(lambda db: db.execute("INSERT INTO words VALUES ('d')").rowcount)
    broken = writer.ask(lambda db: db.execute("INSERT INTO words VALUES ('e')") and 1 // 0)
    await pause.over()

    first, second, third, fourth, fifth = await asyncio.gather(*asked, alone, broken, return_exceptions=True)
    assert (first, third, fourth) == (2, 3, 1)
    assert isinstance(second, StorageError)
    assert isinstance(fifth, ZeroDivisionError)
    assert await writer.ask(words) == ["b", "a", "c", "d"]


async def test_what_is_told_after_a_commit_is_told_once_though_it_was_done_twice(writer: GroupCommit) -> None:
    told: list[int] = []
    pause = Pause(writer)
    asked = [writer.ask_jointly(add, word, told.append) for word in ("a", "b")]
    broken = writer.ask(lambda _: 1 // 0, told.append)
    await pause.over()

    await asyncio.gather(*asked, broken, return_exceptions=True)
    assert told == [1, 2]


async def test_a_disk_that_is_full_in_the_midst_of_a_commit_is_named_as_that(writer: GroupCommit) -> None:
    """SQLite may then end the whole transaction, savepoints and all."""
    await writer.ask(lambda db: db.execute("PRAGMA max_page_count = 20").fetchall())
    with pytest.raises(DiskFull):
        await writer.ask(lambda db: add(db, ["x" * 100_000]))
    assert await writer.ask(lambda db: add(db, ["goes on"])) == [1]
    assert await writer.ask(words) == ["goes on"]
