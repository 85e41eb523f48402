"""What was given up goes on when people want it: what came in for a number that was disconnected, in its order, and all
that surely reached nobody, however much else was given up."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.model import NumberId
from bot.ports import Entry, Journal, Stored
from bot.relay.overview import Link, Overview
from bot.relay.worker import Worker
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from bot.translations import translator
from tests.contract.journals import ManualClock, entry
from tests.relay.at_work import Log, at_work, closed, nobody

NUMBER, OTHER = "4930111", "4930222"


class Counting(SqliteJournal):
    """Notes how many dead letters were in memory at once."""

    most = 0

    async def dead(self, limit: int = 100, *, latest: bool = False, after: Stored | None = None) -> list[Stored]:
        letters = await super().dead(limit, latest=latest, after=after)
        self.most = max(self.most, len(letters))
        return letters


def overview_of(journal: Journal) -> Overview:
    return Overview(journal, lambda: Link(connected=True, since=0.0, heard_at=0.0), translator("en"), keep_days=30)


async def given_up(
    journal: Journal, clock: ManualClock, *entries: Entry, why: str = "NumberGone: it is disconnected"
) -> None:
    clock.advance(60)
    await journal.append(*entries)
    while some := await journal.heads(len(entries)):
        await asyncio.gather(*(journal.park(one, why) for one in some))


async def test_it_comes_back_in_order_and_nothing_else_does(journal: Journal, clock: ManualClock) -> None:
    missed = [entry(f"missed {n}", at_ms=n)._replace(source=NUMBER) for n in range(100)]
    await given_up(journal, clock, *missed)
    await given_up(journal, clock, *(entry(f"other {n}", f"lane {n}")._replace(source=OTHER) for n in range(1001)))
    overview = overview_of(journal)

    log = Log()
    async with at_work(Worker(journal, {"wa.message": log}, clock, nobody)):
        assert await overview.bring_back(NumberId(NUMBER)) == len(missed)
        assert set(await closed(journal, *(one.key for one in missed))) == {"done"}

    assert log.seen == [one.key for one in missed]
    assert (await journal.counts())["dead"] == 1001


async def test_however_many_dead_letters_there_are_some_hundred_are_read_at_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with Counting(tmp_path, Vault(tmp_path / "secret.key"), clock) as journal:
        for day in range(3):
            others = [entry(f"{day} other {n}", f"lane {n}")._replace(source=OTHER) for n in range(400)]
            await given_up(journal, clock, *others)
            await given_up(journal, clock, entry(f"missed {day}", at_ms=day)._replace(source=NUMBER))
        overview = overview_of(journal)

        assert await overview.bring_back(NumberId(NUMBER)) == 3

        assert journal.most <= 500
        assert (await journal.counts())["waiting"] == 3


async def test_letters_that_may_have_been_sent_do_not_hide_the_others(journal: Journal, clock: ManualClock) -> None:
    unsure, sure = [entry(f"unsure {n}", f"lane {n}") for n in range(1001)], [entry(f"sure {n}", "a") for n in range(3)]
    await given_up(journal, clock, *unsure, why="Unsure: no answer")
    await given_up(journal, clock, *sure, why="Trouble: it was away for long")
    overview = overview_of(journal)

    assert await overview.retry_all() == 3
    assert await overview.retry_all() == 0
    assert {key: state for key, state in (await journal.counts()).items() if state} == {"waiting": 3, "dead": 1001}
