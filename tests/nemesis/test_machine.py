"""The machine in trouble: its disk, its clock, its files. The table is in the package's docstring."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bot.errors import Busy
from bot.ports import Entry, Outcome
from bot.relay.retry import Again, decide
from bot.stage import Stage, config_text, staged
from bot.storage import journal_schema
from bot.storage.files import StorageError
from bot.storage.journal_sqlite import FILE, SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock, entry, take
from tests.nemesis.clocks import FastClock

ROOT = Path(__file__).parents[2]


def with_data_in(stage: Stage, folder: Path) -> None:
    storage = stage.settings.storage.model_copy(update={"data_dir": folder})
    stage.settings = stage.program.settings = stage.settings.model_copy(update={"storage": storage})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    made = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("a small disk needs the right to mount one (root); without it a full disk is tested in contract")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


async def readiness(stage: Stage, status: int) -> object:
    """What it says it waits for, once `/readyz` answers with this status."""
    async with asyncio.timeout(20):
        while True:
            async with stage.http.get(f"{stage.settings.server.public_url}/readyz") as answer:
                if answer.status == status:
                    return (await answer.json()).get("waits_for")
            await asyncio.sleep(0.1)


async def test_a_full_disk_turns_webhooks_away_and_is_survived(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with staged(start=False) as stage:
        with_data_in(stage, small_disk / "data")
        await stage.start(FastClock(10))
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        ballast = filled(small_disk)
        for number in range(12):
            await stage.customer.write(stage.number, f"{number} " + "long " * 700)
            if stage.wa.deliveries[-1].statuses[0] != 200:
                break
        assert stage.wa.deliveries[-1].statuses[0] == 503
        assert "the disk is full" in caplog.text
        assert await readiness(stage, 503) == "space on its disk"
        ballast.unlink()
        assert await readiness(stage, 200) is None

        await stage.customer.write(stage.number, "the end")
        await stage.agent_reads("the end")
        await stage.wa.settled()
        await stage.agent_reads(f"{number} long")
        shown = [text.split()[0] for text in stage.from_customer(room)]
        assert sorted(shown) == sorted(["hi", *(str(n) for n in range(number + 1)), "the"])
        await stage.agent_writes(room, "and back")
        await stage.customer_reads("and back")


async def test_another_program_that_holds_the_database_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        tool = sqlite3.connect(stage.settings.storage.data_dir / FILE, isolation_level=None)
        tool.execute("BEGIN IMMEDIATE")
        try:
            await stage.agent_writes(room, "and back")
            for number in range(12):
                await stage.customer.write(stage.number, f"word {number}")
                if "Another program holds the journal" in caplog.text:
                    break
            assert stage.wa.deliveries[-1].statuses[0] == 503
            assert await readiness(stage, 503) in ("its storage", "its journal, which another program holds")
        finally:
            tool.close()
        assert await readiness(stage, 200) is None

        await stage.customer_reads("and back")
        await stage.wa.settled()
        await stage.agent_reads(f"word {number}")
        assert sorted(stage.from_customer(room)) == sorted(["hi", *(f"word {n}" for n in range(number + 1))])
        assert "Another program holds the journal" in caplog.text


async def test_a_bot_that_starts_while_the_disk_is_full_writes_nothing_that_it_knows(tmp_path: Path) -> None:
    async with staged(start=False) as stage:
        with_data_in(stage, tmp_path / "data")
        await stage.start()
        await stage.connect()
        await stage.stop()
        await stage.start()
        known = (tmp_path / "data" / "registry.json").stat().st_mtime_ns
        await stage.stop()
        await stage.start()
        await stage.customer.write(stage.number, "hi")
        await stage.agent_reads("hi")
        assert (tmp_path / "data" / "registry.json").stat().st_mtime_ns == known


async def test_a_full_disk_does_not_keep_the_bot_from_stopping_and_nothing_is_lost(small_disk: Path) -> None:
    async with staged(start=False) as stage:
        with_data_in(stage, small_disk / "data")
        await stage.start_process()
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        stage.wa.levers.add("/messages", delay=2)
        await stage.agent_writes(room, "on its way")
        await stage.wa.until(lambda: stage.wa.levers.idle)
        ballast = filled(small_disk)
        await stage.customer_reads("on its way")
        for number in range(3):
            await stage.agent_writes(room, f"answer {number}")
            await stage.customer.write(stage.number, f"{number} " + "long " * 700)
        await stage.wa.until(lambda: any(503 in delivery.statuses for delivery in stage.wa.deliveries))
        async with asyncio.timeout(30):
            assert await stage.program.asked_to_stop() == 0
        ballast.unlink()

        await stage.start_process()
        await stage.customer.write(stage.number, "the end")
        await stage.agent_reads("the end")
        await stage.wa.settled(timeout=30)
        await stage.agent_reads("2 long")
        shown = [text.split()[0] for text in stage.from_customer(room)]
        assert sorted(shown) == sorted(["hi", "0", "1", "2", "the"])
        await stage.customer_reads("answer 2")
        got = [one.text for one in stage.customer.received]
        assert got == ["on its way", "answer 0", "answer 1", "answer 2"]


def filled(disk: Path) -> Path:
    """To the last byte, whatever somebody else writes meanwhile."""
    free, ballast = os.statvfs(disk), disk / "ballast"
    with suppress(OSError):
        ballast.write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    return ballast


def test_a_clock_that_goes_forward_gives_nothing_up_that_was_hardly_tried() -> None:
    assert isinstance(decide(Busy(), tries=3, age=400 * 86400.0, confirming=False), Again)


async def test_a_clock_that_jumps_while_messages_pass_loses_and_doubles_nothing() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(5)
        await stage.start(clock)
        await stage.connect()
        await stage.customer.write(stage.number, "0")
        room = await stage.agent_reads("0")
        for number, jump in enumerate((7200, -1800, -86400, 30 * 86400), start=1):
            stage.rc.levers.add("livechat/message", status=502, body="")
            await stage.customer.write(stage.number, f"word {number}")
            await stage.rc.until(lambda: stage.rc.calls[-1].status == 502)
            clock.jump(jump)
            await stage.agent_writes(room, f"answer {number}")
            await stage.agent_reads(f"word {number}")
            await stage.customer_reads(f"answer {number}")
        words = [text.splitlines()[-1] for text in stage.from_customer(room)]
        assert words == ["0", *(f"word {number}" for number in range(1, 5))]
        assert [one.text for one in stage.customer.received] == [f"answer {number}" for number in range(1, 5)]


@pytest.mark.parametrize("hours", [25, -25])
async def test_a_clock_that_is_a_day_wrong_doubles_no_file_whose_answer_got_lost(hours: int) -> None:
    async with staged(start=False) as stage:
        clock = FastClock(5)
        clock.jump(hours * 3600)
        await stage.start(clock)
        await stage.connect()
        stage.rc.levers.add("livechat/upload", when="after", drop=True)
        await stage.customer.send_file(stage.number, b"%PDF-1.7 x", "application/pdf", filename="contract.pdf")
        await stage.customer.write(stage.number, "and this")
        room = await stage.agent_reads("and this")
        assert len([message for message in stage.rc.messages(room) if message.get("file")]) == 1


async def ends_with(stage: Stage) -> tuple[int | None, str]:
    """Code and last words of the real program with these settings."""
    config = stage.settings.storage.data_dir.parent / "second.toml"
    config.write_text(config_text(stage.settings), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=ROOT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_second_bot_on_one_folder_says_who_has_it_and_ends() -> None:
    async with staged() as stage:
        code, said = await ends_with(stage)
        assert code == 2
        assert f"in use by process {os.getpid()}" in said
        assert "its own data_dir" in said
        assert "Traceback" not in said


async def test_a_registry_that_cannot_be_written_ends_the_bot_with_one_sentence() -> None:
    async with staged(start=False) as stage:
        (stage.settings.storage.data_dir / "registry.json.new").mkdir(parents=True)
        code, said = await ends_with(stage)
        assert code == 1
        assert "cannot be written: Is a directory. Make space, or let it write there." in said
        assert "Traceback" not in said


async def test_a_damaged_journal_is_left_as_it_is_and_the_bot_says_what_to_do() -> None:
    async with staged() as stage:
        await stage.stop()
        path = stage.settings.storage.data_dir / FILE
        damaged = path.read_bytes()[:4096] + b"\xff" * 20_000
        path.write_bytes(damaged)
        code, said = await ends_with(stage)
        assert code == 2
        assert str(path) in said
        assert "backup" in said
        assert "Traceback" not in said
        assert path.read_bytes() == damaged


async def test_an_older_journal_is_copied_before_it_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqliteJournal(tmp_path, Vault(tmp_path / "key"), ManualClock()) as journal:
        await journal.append(Entry("a", "lane", "wa.message", {"text": "hi"}))
    old = len(journal_schema.MIGRATIONS)
    monkeypatch.setattr(journal_schema, "MIGRATIONS", (*journal_schema.MIGRATIONS, "CREATE TABLE later (x)"))

    async with SqliteJournal(tmp_path, Vault(tmp_path / "key"), ManualClock()) as journal:
        await journal.done(await take(journal, "a"), Outcome())

    copy = tmp_path / f"journal.format-{old}.sqlite3"
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as before, before:
        assert before.execute("PRAGMA user_version").fetchone() == (old,)
        assert before.execute("SELECT key, state FROM entries").fetchall() == [("a", "waiting")]
    before.close()


async def test_a_step_that_fails_leaves_the_older_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqliteJournal(tmp_path, Vault(tmp_path / "key"), ManualClock()) as journal:
        await journal.append(entry("a"))
    steps = journal_schema.MIGRATIONS
    monkeypatch.setattr(journal_schema, "MIGRATIONS", (*steps, "CREATE TABLE later (x); CREATE TABLE entries (x)"))
    with pytest.raises(StorageError, match="entries"):
        await SqliteJournal(tmp_path, Vault(tmp_path / "key"), ManualClock()).__aenter__()

    monkeypatch.setattr(journal_schema, "MIGRATIONS", steps)
    async with SqliteJournal(tmp_path, Vault(tmp_path / "key"), ManualClock()) as journal:
        await take(journal, "a")
