"""Whether anything can be stored is told by storing something, at once, and for many who ask by storing it once."""

import asyncio
import sqlite3
from pathlib import Path

import asyncpg

from bot.ports import Journal
from bot.startup import Storing
from bot.storage.journal_sqlite import FILE, SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.bots import OneBot
from tests.contract.journals import ManualClock, entry, keys
from tests.contract.test_postgres_shared import soon


async def test_nothing_lacks_and_the_look_leaves_nothing_to_do(journal: Journal, clock: ManualClock) -> None:
    for _ in range(2):
        assert await journal.obstacle() == ""
        clock.advance(1)
    await journal.append(entry("a"))
    assert await keys(journal) == ["a"]


async def test_a_journal_that_another_program_holds_is_named_at_once(tmp_path: Path) -> None:
    async with SqliteJournal(tmp_path, Vault(tmp_path / "secret.key"), ManualClock()) as journal:
        journal._db.execute("PRAGMA busy_timeout = 0")
        tool = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        tool.execute("BEGIN IMMEDIATE")
        assert await journal.obstacle() == "its journal, which another program holds"
        tool.close()
        assert await journal.obstacle() == ""


async def test_a_full_disk_is_named_though_a_small_change_would_still_fit(tmp_path: Path) -> None:
    async with SqliteJournal(tmp_path, Vault(tmp_path / "secret.key"), ManualClock()) as journal:
        [pages] = journal._db.execute("PRAGMA page_count").fetchone()
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        await journal.set_mark("small", "fits")
        assert await journal.obstacle() == "space on its disk"
        journal._db.execute("PRAGMA max_page_count = 1000000")
        assert await journal.obstacle() == ""


async def has_changed(journal: Journal, before: str) -> list[str]:
    told = await journal.obstacle()
    return [] if told == before else [told]


async def test_a_database_that_takes_no_changes_is_named(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """As after a failover to a standby."""
    name = await admin.fetchval("SELECT current_database()")
    journal = bots[0].journal
    assert await journal.obstacle() == ""
    for value, found in (("on", "its database, which takes no changes"), ("off", "")):
        await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        [told] = await soon(lambda: has_changed(journal, "its database, which does not answer"))
        assert told == found


async def test_however_many_ask_something_is_stored_once(tmp_path: Path) -> None:
    commits: list[int] = []
    vault = Vault(tmp_path / "secret.key")
    async with SqliteJournal(
        tmp_path, vault, ManualClock(), lambda operations, _: commits.append(operations)
    ) as journal:
        storing = Storing(journal)
        commits.clear()
        assert set(await asyncio.gather(*(storing.obstacle() for _ in range(100)))) == {""}
        assert await storing.obstacle() == ""
        assert commits == [1]


async def test_a_closed_journal_is_an_obstacle_and_no_error(tmp_path: Path) -> None:
    async with SqliteJournal(tmp_path, Vault(tmp_path / "secret.key"), ManualClock()) as journal:
        storing = Storing(journal)
    assert await storing.obstacle() == "its storage"
