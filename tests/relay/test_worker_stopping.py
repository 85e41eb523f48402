"""The worker stops without losing anything: in time, out of time, cancelled, or because its journal failed."""

import asyncio
from pathlib import Path

import pytest

from bot.ports import Entry, Journal, Outcome
from bot.relay.worker import Worker
from bot.storage.files import StorageError
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock, entry
from tests.relay.at_work import Log, closed, nobody


class Gate:
    """A handler that waits until it is let through."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, entry: Entry) -> Outcome:
        self.entered.set()
        await self.open.wait()
        return Outcome()


async def test_stopping_finishes_what_is_being_done_and_takes_nothing_new(journal: Journal, clock: ManualClock) -> None:
    gate = Gate()
    await journal.append(entry("a", at_ms=1), entry("b", at_ms=2))
    worker = Worker(journal, {"wa.message": gate}, clock, nobody)
    running = asyncio.create_task(worker.run())
    await gate.entered.wait()

    stopping = asyncio.create_task(worker.stop(grace=10))
    await asyncio.sleep(0)
    gate.open.set()
    await stopping
    await running

    assert await closed(journal, "a") == ["done"]
    assert [one.key for one in await journal.heads(10)] == ["b"]


async def test_what_is_not_finished_in_time_is_given_back(journal: Journal, clock: ManualClock) -> None:
    gate = Gate()
    await journal.append(entry("a"))
    worker = Worker(journal, {"wa.message": gate}, clock, nobody)
    running = asyncio.create_task(worker.run())
    await gate.entered.wait()
    await clock.asleep()

    stopping = asyncio.create_task(worker.stop(grace=10))
    await clock.asleep()
    clock.advance(9)
    await asyncio.sleep(0)
    assert not stopping.done()
    clock.advance(1)
    await stopping
    await running

    [one] = await journal.heads(10)
    assert (one.key, one.tries) == ("a", 0)


async def test_an_idle_worker_stops_at_once(journal: Journal, clock: ManualClock) -> None:
    worker = Worker(journal, {}, clock, nobody)
    running = asyncio.create_task(worker.run())
    await clock.asleep()

    await worker.stop()
    await running
    await worker.stop()


async def test_what_is_just_being_taken_when_it_stops_is_given_back(journal: Journal, clock: ManualClock) -> None:
    log = Log()
    await journal.append(entry("a"), entry("b", "other"))
    worker = Worker(journal, {"wa.message": log}, clock, nobody)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)  # the journal has been asked and has not answered yet

    await worker.stop()
    await running

    assert log.seen == []
    assert {one.key for one in await journal.heads(10)} == {"a", "b"}


async def test_a_worker_that_was_stopped_before_it_began_takes_nothing(journal: Journal, clock: ManualClock) -> None:
    log = Log()
    await journal.append(entry("a"))
    worker = Worker(journal, {"wa.message": log}, clock, nobody)

    await worker.stop()
    await worker.run()

    assert log.seen == []


async def test_cancelling_gives_back_what_is_held(journal: Journal, clock: ManualClock) -> None:
    gate = Gate()
    await journal.append(entry("a"))
    running = asyncio.create_task(Worker(journal, {"wa.message": gate}, clock, nobody).run())
    await gate.entered.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert [one.key for one in await journal.heads(10)] == ["a"]


async def test_a_result_that_is_there_is_stored_though_the_worker_is_cancelled(
    journal: Journal, clock: ManualClock
) -> None:
    reached = asyncio.Event()

    async def quick(entry: Entry) -> Outcome:
        asyncio.get_running_loop().call_soon(reached.set)  # once the result is on its way to the disk
        return Outcome({"did": True})

    await journal.append(entry("a"))
    running = asyncio.create_task(Worker(journal, {"wa.message": quick}, clock, nobody).run())
    await reached.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (await journal.find("a") or pytest.fail("lost")).result == {"did": True}


# --- a journal that fails -------------------------------------------------------------------------------------------


async def test_a_journal_that_fails_ends_the_work_loudly_and_nothing_is_lost(
    tmp_path: Path, clock: ManualClock
) -> None:
    gate = Gate()
    async with SqliteJournal(tmp_path, Vault(tmp_path / "key"), clock) as journal:
        await journal.append(entry("a"), entry("b", "other"))
        running = asyncio.create_task(Worker(journal, {"wa.message": gate}, clock, nobody).run())
        await gate.entered.wait()
    gate.open.set()  # its results come when the journal is closed

    with pytest.raises(ExceptionGroup) as failed:
        await running

    assert failed.group_contains(StorageError, match="closed")
    async with SqliteJournal(tmp_path, Vault(tmp_path / "key"), clock) as journal:
        assert {one.key for one in await journal.heads(10)} == {"a", "b"}
