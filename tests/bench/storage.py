"""Size: what a message costs after a million, how long a restart takes with a full journal, and memory."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from bot.doors import SystemClock
from bot.ports import Entry, Outcome
from bot.stage import Stage
from bot.storage.journal_sqlite import FILE, SqliteJournal
from bot.storage.secrets import Vault
from bot.whatsapp.envelope import entries
from tests.bench.between import Instant
from tests.bench.load import body
from tests.bench.machine import Server, memory_mb, on_core, shoot
from tests.bench.relay import meet
from tests.bench.table import Row, at_most
from tests.bench.webhooks import bot_alone

_WARM, _MEASURED, _ROUNDS = 300, 2_000, 10


async def rows(finished: int, waiting: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="whatsapp-bench-") as folder:
        few, many = Path(folder, "few"), Path(folder, "many")
        ratio, detail = await _cost(few, many, finished)
    return [
        at_most(f"cost of a message after {finished:,} finished ones ÷ after 1,000", ratio, 1.1, detail),
        await _restart(waiting),
    ]


async def _cost(few: Path, many: Path, finished: int) -> tuple[float, str]:
    """Stored, taken, closed: one message at a time, in turns in both journals."""
    for folder, count in ((few, 1_000), (many, finished)):
        await _fill(folder, count)
    took: dict[Path, list[float]] = {few: [], many: []}
    vaults = {folder: Vault(folder / "secret.key") for folder in took}
    async with (
        SqliteJournal(few, vaults[few], SystemClock()) as small,
        SqliteJournal(many, vaults[many], SystemClock()) as large,
    ):
        for step in range(_WARM + _MEASURED):
            for folder, journal in ((few, small), (many, large)):
                began = time.perf_counter()
                entry = Entry(f"wa:bench{step}", f"in:1:{step % 50}", "wa.message", {"text": "x" * 300})
                await journal.append(entry)
                [head] = await journal.heads(1)
                await journal.done(head, Outcome({"room": "r", "message": "m"}))
                if step >= _WARM:
                    took[folder].append(time.perf_counter() - began)
    each = {folder: median(all_of) * 1000 for folder, all_of in took.items()}
    return each[many] / each[few], f"{each[many]:.2f} ms, {each[few]:.2f} ms, fsync included"


async def _fill(folder: Path, count: int) -> None:
    """Finished entries with their message-id pairs, written straight into the tables: the road would take an hour."""
    async with SqliteJournal(folder, Vault(folder / "secret.key"), SystemClock()):
        pass
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        db.execute("PRAGMA synchronous = OFF")
        db.executemany(
            "INSERT INTO entries (key, lane, kind, source, at_ms, first_at, state, result, closed_at) "
            "VALUES (?, '', 'wa.message', '4915112345678', ?, ?, 'done', ?, ?)",
            (
                (f"wa:wamid.{number * 7919 % 10**9:040}", number, float(number), '{"room":"r","message":"m"}', 1.0)
                for number in range(count)
            ),
        )
        db.executemany(
            "INSERT INTO pairs VALUES (?, ?, ?, '4915112345678', ?, 0, ?, '', 0)",
            (
                (f"wamid.{number * 7919 % 10**9:040}", f"wam{number:032}", f"room{number % 5000}",
                 f"4917{number % 5000:08}", f"wa:{number}")
                for number in range(count)
            ),
        )  # fmt: skip
    db.close()


async def _restart(waiting: int) -> Row:
    """Rocket.Chat was away, so much has piled up, the bot is killed and started again: until the first is relayed."""
    async with bot_alone() as (stage, server):
        await shoot(server, seconds=60, requests=100, people=100)
        await stage.rc.until(lambda: _relayed(stage) >= 100, timeout=60)
        empty = await _until_first(stage, 0)
        await stage.kill()
        await _pile_up(stage, waiting)
        full = await _until_first(stage, waiting)
    return Row(
        f"restart with {waiting:,} waiting messages until the first is relayed",
        f"{full:.1f} s ({full / empty:.2f} × the restart with none)",
        "< 3 s",
        full < 3,
    )


def _relayed(stage: Stage) -> int:
    return sum(len(stage.from_customer(id)) for id, room in stage.rc.rooms.items() if room["t"] == "l")


async def _until_first(stage: Stage, waiting: int) -> float:
    await stage.kill()
    before = _relayed(stage)
    began = time.perf_counter()
    with on_core(bot=True):
        await stage.program.spawn()
    if waiting:
        await stage.rc.until(lambda: _relayed(stage) > before, timeout=120)
    else:
        await stage.alive()
    return time.perf_counter() - began


async def _pile_up(stage: Stage, waiting: int) -> None:
    """Through the journal's own door, as the edge does, of a hundred people."""
    storage = stage.settings.storage
    number = stage.number.digits
    async with SqliteJournal(storage.data_dir, Vault(storage.key_file), SystemClock()) as journal:
        for start in range(0, waiting, 1000):
            turns = range(start, min(start + 1000, waiting))
            bodies = [body(number, turn % 100, f"pile{turn:08}", 1_790_100_000 + turn) for turn in turns]
            await journal.append(*(entry for one in bodies for entry in entries(one, number, time.time())))


async def memory(people: int, messages: int) -> list[Row]:
    """In ten rounds: of a hundred messages one is an agent's, with all its statuses and marks."""
    instant = Instant()
    async with bot_alone(instant.before) as (stage, server):
        idle, data = memory_mb(server.pid), stage.settings.storage.data_dir
        stage.wa.auto_status = False  # what follows a message comes in the rounds
        await meet(stage, server, people)
        talking, empty = memory_mb(server.pid), _size(data)
        await instant.begin()
        rounds = [await _round(instant, server, people, messages // _ROUNDS) for _ in range(_ROUNDS)]
        each = (_size(data) - empty) / messages
    first, *_, last = rounds
    return [
        Row("memory at idle, resident", f"{idle:.0f} MB"),
        Row(f"memory with {people:,} open conversations ÷ at idle", f"{talking / idle:.2f} ({talking:.0f} MB)"),
        Row(
            f"memory after {messages // _ROUNDS:,} more messages ÷ before them",
            f"{first / talking:.2f} ({first:.0f} MB)",
        ),
        at_most(
            f"memory after {messages:,} more messages ÷ after the first tenth of them",
            last / first,
            1.1,
            f"{last:.0f} MB",
        ),
        Row("disk for each of these messages, what the journal remembers of it included", f"{each:.0f} bytes"),
    ]


async def _round(instant: Instant, server: Server, people: int, messages: int) -> float:
    """The bot's memory once all of them have arrived."""
    agents = messages // 100
    before = await instant.counts()
    shot = await shoot(server, seconds=3600, requests=messages - agents, people=people)
    assert shot.refused == 0, "what was not taken never arrives"
    await instant.until(lambda now: now["posts"] - before["posts"] >= messages - agents)
    await instant.agents_write(agents, statuses=True)
    await instant.until(lambda now: all(now[one] - before[one] >= agents for one in ("sends", "marks")))
    return memory_mb(server.pid)


def _size(folder: Path) -> int:
    """Bytes of its files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
