"""What the SQLite journal promises besides: its file is safe, private, and as fast with a million finished entries."""

import asyncio
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.model import ContactId, Conversation, NumberId, RoomId, VisitorToken
from bot.ports import Outcome
from bot.storage import journal_schema
from bot.storage import journal_tables as tables
from bot.storage.files import StorageError
from bot.storage.journal_schema import MIGRATIONS, open_journal
from bot.storage.journal_sqlite import FILE, SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock, entry, keys, take

SECRET_TOKEN = "the-visitors-token"


def journal_in(folder: Path, key: str = "secret.key") -> SqliteJournal:
    return SqliteJournal(folder, Vault(folder / key), ManualClock())


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    async with journal_in(tmp_path):
        with pytest.raises(StorageError, match=rf"{tmp_path} is in use by process \d+ on "):
            async with journal_in(tmp_path):
                pytest.fail("two in one folder")

    async with journal_in(tmp_path):
        pass


async def test_opening_that_fails_leaves_the_folder_free(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database, and longer than a header of one " * 50)
    for _ in range(2):
        with pytest.raises(StorageError, match=FILE):
            await journal_in(tmp_path).__aenter__()


async def test_the_files_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    before = os.umask(0)
    try:
        async with journal_in(folder) as journal:
            await journal.append(entry("a"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {name for name, mode in modes.items() if mode != 0o600} == set()
    assert {FILE, f"{FILE}-wal"} <= set(modes)


async def test_what_was_delivered_is_not_in_the_files_any_more(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await journal.append(entry("a", text="words of the customer"), entry("b", text="more words"))
        await journal.done(await take(journal, "a"), Outcome())

    content = bytes_in(tmp_path)
    assert b"words of the customer" not in content
    assert b"more words" in content


async def test_tokens_are_not_in_the_files_in_clear(tmp_path: Path) -> None:
    talk = Conversation(NumberId("49"), ContactId("491"), VisitorToken(SECRET_TOKEN), RoomId("r"))
    async with journal_in(tmp_path) as journal:
        await journal.remember(talk)
        assert await journal.conversation_of_token(talk.token) == talk
        content = bytes_in(tmp_path)

    assert SECRET_TOKEN.encode() not in content


async def test_another_secret_key_is_noticed_at_the_start(tmp_path: Path) -> None:
    async with journal_in(tmp_path):
        pass

    with pytest.raises(StorageError, match=r"another secret key than .*other\.key"):
        await journal_in(tmp_path, "other.key").__aenter__()


@pytest.mark.parametrize("damage", [b"no database", b"SQLite format 3\x00" + b"\xff" * 4096])
async def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / FILE
    path.write_bytes(damage)

    with pytest.raises(StorageError, match=f"{path}.*(backup|another program)"):
        await journal_in(tmp_path).__aenter__()

    assert path.read_bytes() == damage


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()

    with pytest.raises(StorageError, match="another program"):
        await journal_in(tmp_path).__aenter__()


async def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with journal_in(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / FILE)) as newer, newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()

    with pytest.raises(StorageError, match="newer version"):
        await journal_in(tmp_path).__aenter__()


async def test_a_journal_from_before_counts_on_and_keeps_its_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to format 3 a trigger counted each row."""
    monkeypatch.setattr(journal_schema, "MIGRATIONS", MIGRATIONS[:3])
    write = "INSERT INTO entries (key, lane, kind, source, at_ms, first_at, body) VALUES (?, '', '', '', 0, 0, '{}')"
    writing, reading = open_journal(tmp_path / FILE)
    writing.executemany(write, [("a",), ("b",)])
    writing.close()
    reading.close()
    monkeypatch.undo()

    async with journal_in(tmp_path) as journal:
        assert await journal.append(entry("b"), entry("c"), entry("c"), entry("d")) == 2
        assert (await journal.counts())["waiting"] == 4

    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with pytest.raises(sqlite3.IntegrityError, match="state = 'waiting'"):
            db.execute("UPDATE entries SET state = 'gone'")


def test_a_new_row_is_written_without_a_table_made_for_it(db: sqlite3.Connection) -> None:
    said: list[str] = []
    db.set_trace_callback(said.append)
    tables.append(db, [([(f"k{n}", "lane", "wa.message", "", n, "{}", 0.0) for n in range(3)], 0.0)])
    db.set_trace_callback(None)

    [insert] = [statement for statement in said if statement.startswith("INSERT INTO entries")]
    assert "OpenEphemeral" not in {step[1] for step in db.execute(f"EXPLAIN {insert}")}


async def test_after_closing_it_says_so(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        pass

    with pytest.raises(StorageError, match="closed"):
        await journal.append(entry("a"))


async def test_what_was_asked_for_before_closing_is_on_the_disk(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        appending = [asyncio.create_task(journal.append(entry(f"k{n}", f"lane {n}"))) for n in range(50)]
        await asyncio.sleep(0)

    assert [await one for one in appending] == [1] * 50
    async with journal_in(tmp_path) as journal:
        assert (await journal.counts())["waiting"] == 50


async def test_a_disk_that_is_full_is_said_and_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    async with SqliteJournal(tmp_path, Vault(tmp_path / "secret.key"), clock) as journal:
        await journal.append(entry("a"))
        one = await take(journal, "a")
        database = journal._db
        [pages] = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")

        appending = [asyncio.create_task(journal.append(entry(f"k{n}", text="x" * 9000))) for n in range(5)]
        await clock.asleep()
        appending[0].cancel()
        assert re.search(f"{FILE} failed: the disk is full", caplog.text)
        assert dict(await journal.counts()) == {"waiting": 1, "aside": 0, "done": 0, "dead": 0}

        database.execute("PRAGMA max_page_count = 1000000")
        await journal.done(one, Outcome())
        clock.advance(60)
        assert await asyncio.gather(*appending[1:]) == [1] * 4
        assert await journal.append(entry("k0")) == 1, "whoever did not wait any longer has left nothing behind"
        assert dict(await journal.counts()) == {"waiting": 5, "aside": 0, "done": 1, "dead": 0}


async def test_a_clock_that_was_put_back_lengthens_no_pause_though_the_disk_fails_just_then(tmp_path: Path) -> None:
    clock = ManualClock()
    async with SqliteJournal(tmp_path, Vault(tmp_path / "secret.key"), clock) as journal:
        await journal.append(entry("a"))
        await journal.again(await take(journal, "a"), 60, "busy")
        assert await keys(journal) == []
        journal._db.execute(
            "CREATE TEMP TRIGGER broken BEFORE UPDATE OF due ON main.entries BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )
        clock.advance(-1800)
        with pytest.raises(StorageError):
            await journal.heads(10)
        journal._db.execute("DROP TRIGGER broken")
        clock.advance(50)
        assert await keys(journal) == [], "not sooner either"
        clock.advance(10)

        assert await keys(journal) == ["a"]


async def test_several_appends_share_a_commit(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        commits = 0

        def count(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        journal._db.set_trace_callback(count)
        await asyncio.gather(*(journal.append(entry(f"k{n}", f"lane {n}")) for n in range(200)))

    assert commits < 100


# --- query plans ----------------------------------------------------------------------------------------------------


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    writing, reading = open_journal(tmp_path / FILE)
    reading.close()
    yield writing
    writing.close()


def plan(db: sqlite3.Connection, query: str) -> list[str]:
    return [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", (1,) * query.count("?"))]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (tables.HEAD_OF_LANE, "SEARCH entries USING INDEX entries_waiting (lane=?)"),
        (tables.READY_LANES, "SEARCH lanes USING COVERING INDEX lanes_turn (delayed=?)"),
        (tables.DUE_LANES, "SEARCH lanes USING COVERING INDEX lanes_turn (delayed=? AND since<?)"),
        (tables.FAR_LANES, "SEARCH lanes USING COVERING INDEX lanes_turn (delayed=? AND since>?)"),
        (tables.NEXT_DUE, "SEARCH lanes USING COVERING INDEX lanes_turn (delayed=? AND since>?)"),
        (tables.DEAD, "SEARCH entries USING INDEX entries_dead (closed_at>?)"),
        (tables.ENTRY_BY_KEY, "SEARCH entries USING INDEX sqlite_autoindex_entries_1 (key=?)"),
        (tables.CONVERSATION_BY[0], "SEARCH conversations USING PRIMARY KEY (number=? AND contact=?)"),
        (tables.CONVERSATION_BY_HASH, "SEARCH conversations USING INDEX conversations_token (token_hash=?)"),
        (tables.PAIR, "SEARCH pairs USING PRIMARY KEY (wamid=?)"),
        (tables.PAIRS_OF_MESSAGE, "SEARCH pairs USING INDEX pairs_message (message=?)"),
    ],
)
def test_no_query_of_the_road_reads_more_than_it_needs(db: sqlite3.Connection, query: str, index: str) -> None:
    assert plan(db, query) == [index]  # one step: no sorting, no second table


def test_a_room_leads_to_its_conversation_by_two_keys(db: sqlite3.Connection) -> None:
    assert plan(db, tables.CONVERSATION_OF_ROOM) == [
        "SEARCH r USING PRIMARY KEY (room=?)",
        "SEARCH c USING PRIMARY KEY (number=? AND contact=?)",
    ]


def test_other_names_of_a_customer_are_looked_up_by_index(db: sqlite3.Connection) -> None:
    _, by_phone, by_user = tables.CONVERSATION_BY

    assert plan(db, by_phone)[0] == "SEARCH conversations USING INDEX conversations_phone (phone=? AND number=?)"
    assert plan(db, by_user)[0] == "SEARCH conversations USING INDEX conversations_user (user_id=? AND number=?)"


def steps_of(db: sqlite3.Connection, limit: int) -> int:
    """What `heads` costs, in thousands of the database's own instructions."""
    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    db.set_progress_handler(tick, 10)
    tables.heads(db, limit, (), 0.0)
    db.set_progress_handler(None, 0)
    return ticks


def test_the_next_ones_cost_the_same_however_much_is_done_or_waits(db: sqlite3.Connection) -> None:
    def fill(first: int, count: int, lane: str) -> None:
        rows = [(f"k{n}", f"{lane} {n % 500}", "wa.message", "", n, "{}", 0.0) for n in range(first, count)]
        tables.append(db, [(rows, 0.0)])

    fill(0, 1_000, "lane")
    few = steps_of(db, 10)

    db.execute("BEGIN")
    fill(1_000, 6_000, "lane")
    db.executemany(
        "INSERT INTO entries (key, lane, kind, source, at_ms, first_at, state) VALUES (?, '', '', '', 0, 0, 'done')",
        [(f"done {n}",) for n in range(6_000)],
    )
    db.execute("COMMIT")

    assert few > 0
    assert steps_of(db, 10) <= few * 1.1
