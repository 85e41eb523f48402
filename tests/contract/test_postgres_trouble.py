"""Several bots on one PostgreSQL, of which one is frozen, overworked, cut off before it could tell, or newer."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from bot.ports import Outcome, Step
from bot.storage import journal_postgres_tables as tables
from bot.storage.journal_postgres import HoldLost
from bot.storage.postgres_presence import Pace
from bot.storage.postgres_schema import LOCKS, SCHEMA, TALLY_SHARDS
from tests.contract.bots import OneBot, bot_on
from tests.contract.journals import entry, keys, take
from tests.contract.registries import SHOP
from tests.contract.test_postgres_shared import soon
from tests.nemesis.lines import SilentLine

if TYPE_CHECKING:
    from bot.storage.postgres import Db

DONE = Outcome()
ROOT = Path(__file__).parents[2]
QUICK = Pace(beat=0.05, grace=0.2, silence=1.0)


async def test_a_frozen_bot_stops_nobody_and_finds_its_work_given_away(url: str, tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    async with bot_on(url, key, QUICK) as there:
        await there.journal.append(entry("a"))
        frozen = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.contract.frozen", url, str(key), stdin=PIPE, stdout=PIPE, cwd=ROOT
        )
        assert frozen.stdin is not None
        assert frozen.stdout is not None
        try:
            assert await frozen.stdout.readline() == b"taken a\n"
            os.kill(frozen.pid, signal.SIGSTOP)

            [again] = await soon(lambda: there.journal.heads(10))
            assert again.key == "a"
            async with asyncio.timeout(10), there.database.alone("somebody"):
                assert await there.journal.append(entry("half", "other")) == 1
            await there.journal.progress(again, 0, Step("handed"))

            os.kill(frozen.pid, signal.SIGCONT)
            frozen.stdin.write(b"\n")
            assert await frozen.stdout.readline() == b"lost\n"
            await there.journal.done(again, DONE)
        finally:
            frozen.kill()
            await frozen.wait()


async def test_a_bot_that_was_frozen_between_the_commit_and_the_answer_hands_nothing_over(
    url: str, tmp_path: Path
) -> None:
    """Whoever took over has told that it is unknown, and a person may have sent it again."""
    key = tmp_path / "secret.key"
    async with SilentLine(url, b"nothing").laid() as line, bot_on(line.url, key, QUICK) as here:
        await here.journal.append(entry("a"))
        one = await take(here.journal, "a")
        async with bot_on(url, key, QUICK) as there:
            line.hold_answers_after(b"COMMIT")
            handing = asyncio.create_task(here.journal.progress(one, 0, Step("handed")))
            [again] = await soon(lambda: there.journal.heads(1))
            assert again.steps == {0: Step("handed")}
            line.go_on()

            with pytest.raises(HoldLost):
                await handing
            await there.journal.done(again, DONE)


async def test_what_was_retried_or_confirmed_is_said_though_the_connection_dies_in_the_commit(
    url: str, tmp_path: Path
) -> None:
    """The second try finds it made; a person who read that there is nothing to retry would look for it elsewhere."""
    key = tmp_path / "secret.key"
    async with SilentLine(url, b"nothing").laid() as line, bot_on(line.url, key) as here, bot_on(url, key) as there:
        await there.journal.append(entry("a"))
        await there.journal.park(await take(there.journal, "a"), "refused")
        line.hold_answers_after(b"COMMIT")
        retrying = asyncio.create_task(here.journal.retry("a"))
        [one] = await soon(lambda: there.journal.heads(1))
        line.cut()
        assert await retrying

        await there.journal.progress(one, 0, Step("handed"))
        await there.journal.again(one, 60, "unsure", confirm=True)
        line.hold_answers_after(b"COMMIT")
        confirming = asyncio.create_task(here.journal.confirm("a", 0, "wamid"))
        [one] = await soon(lambda: there.journal.heads(1))
        await there.journal.done(one, DONE)
        line.cut()
        assert await confirming

        assert not await here.journal.retry("a")
        assert not await here.journal.confirm("a", 0, "wamid")


async def test_a_bot_whose_old_session_lingers_takes_its_place_all_the_same(
    url: str, tmp_path: Path, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    with_number = b"whatsapp-360d-bot "  # in the first bytes of sessions that it opens later than the first ones
    async with SilentLine(url, with_number).laid() as line, bot_on(line.url, tmp_path / "secret.key") as bot:
        lock = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = $1 AND objid::bigint = $2"

        async def other_than(before: int) -> int:
            session = int(await admin.fetchval(lock, LOCKS, bot.database.presence.number) or before)
            return session if session != before else 0

        first = await soon(lambda: other_than(0))
        await admin.execute("SELECT pg_terminate_backend($1)", first)
        second = await soon(lambda: other_than(first))
        line.fall_silent()

        assert await soon(lambda: other_than(second), 20)


async def test_a_bot_that_has_much_to_tell_takes_over_from_the_dead(url: str, tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    async with bot_on(url, key, QUICK) as here, bot_on(url, key, QUICK) as there:
        await here.journal.append(entry("a"))
        await take(here.journal, "a")
        await here.database.presence.stop()
        told = 0

        async def tell() -> None:
            nonlocal told
            while True:
                there.database.presence.tell(f"something {told}")
                told += 1
                await asyncio.sleep(0)

        telling = asyncio.create_task(tell())
        try:
            assert [one.key for one in await soon(lambda: there.journal.heads(10))] == ["a"]
        finally:
            telling.cancel()


async def test_what_a_bot_changed_and_could_not_tell_is_known_to_the_others_soon(bots: list[OneBot]) -> None:
    here, there = bots
    await here.registry.put_number(SHOP)
    await here.registry.set_fact("f", "old")

    async def known(key: str, fact: str) -> bool:
        number = await there.registry.number(SHOP.id)
        return number is not None and (number.api_key, await there.registry.fact("f")) == (key, fact)

    await soon(lambda: known(SHOP.api_key, "old"))
    await here.database.presence.stop()  # as when it is killed before it could tell
    there.registry.changed.clear()

    await here.registry.put_number(replace(SHOP, api_key="a-new-key"))
    await here.registry.set_fact("f", "new")

    await soon(lambda: known("a-new-key", "new"))
    async with asyncio.timeout(10):
        await there.registry.changed.wait()


async def test_a_step_of_a_form_that_waited_long_for_the_database_undoes_none_that_came_after(
    bots: list[OneBot],
) -> None:
    """The page gives up after a while and the person sends it again: at another bot, and it goes on from there."""
    here, there = (bot.registry for bot in bots)
    first = {"id": "s", "revision": 1, "state": "open", "answers": {}}
    await here.put_session(first)
    submitted = {**first, "revision": 3, "state": "submitted"}
    await there.put_session(submitted)

    for late in ({**first, "revision": 2}, {**submitted, "state": "open"}):
        await here.put_session(late)
        assert await there.sessions() == [submitted]
    again = {**submitted, "answers": {"a": "b"}}
    await here.put_session(again)
    assert await there.sessions() == [again]
    done = {**submitted, "revision": 4, "state": "done"}
    await there.put_session(done)
    await here.put_session(again)
    assert await there.sessions() == [done]


async def test_a_newer_bot_that_adds_to_the_tables_stops_none_that_runs(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    journal = bots[0].journal
    await journal.append(entry("a"), entry("b"), entry("c"))
    await journal.done(await take(journal, "a"), DONE)
    for table in ("entries", "lanes", "conversations", "pairs"):
        await admin.execute(f"ALTER TABLE {table} ADD COLUMN of_a_newer_version text")

    await journal.done(await take(journal, "b"), DONE)

    assert await keys(bots[1].journal) == ["c"]


async def test_who_waits_for_a_conversation_holds_no_count_that_others_wait_for(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]", url: str
) -> None:
    await bots[0].journal.append(entry("a"))
    looks = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    async with admin.transaction():
        await admin.execute("SELECT FROM lanes FOR UPDATE")
        appending = asyncio.create_task(bots[0].journal.append(entry("b")))

        async def waits() -> bool:
            return bool(await looks.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))

        await soon(waits)
        free = await looks.fetch("SELECT FROM tally FOR UPDATE SKIP LOCKED")
    await looks.close()

    assert len(free) == TALLY_SHARDS
    assert await appending == 1


async def test_a_database_that_confirms_before_it_has_stored_is_told_not_to(
    url: str, tmp_path: Path, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """PostgreSQL: runtime-config-wal, synchronous_commit. Off, a crash of the server loses what was acknowledged."""
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    async with bot_on(url, tmp_path / "secret.key") as bot:
        assert [row[0] for row in await bot.database.fetch("SHOW synchronous_commit")] == ["on"]


async def test_a_server_that_isolates_transactions_more_leaves_nothing_lying(
    url: str, tmp_path: Path, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A transaction that sees only what stood at its beginning takes the lane away from under what came since."""
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'repeatable read'")
    async with bot_on(url, tmp_path / "secret.key") as bot:
        await bot.journal.append(entry("a"))
        one = await take(bot.journal, "a")

        async def slow(db: "Db") -> None:
            assert await db.fetchval("SELECT count(*) FROM entries") == 1
            await bot.journal.append(entry("b"))
            assert await tables.done(db, bot.database.presence.number, one, "{}", 1.0, pairs=(), sealed=None, then=())

        await bot.database.transact(slow)

        assert await admin.fetchval("SELECT count(*) FROM lanes") == 1, "b would wait for ever"
