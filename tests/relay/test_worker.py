"""The worker on a real journal: order, what becomes of errors, stopping, and a journal that fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.errors import Busy, Unsure, WindowClosed
from bot.ports import Entry, Journal, Outcome, Step
from bot.relay.masking import masked
from bot.relay.retry import BUG_PAUSES
from bot.relay.worker import Worker
from bot.storage.files import StorageError
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock, SqliteStore, entry

LONG = 3600.0

Handle = Callable[[Entry], Awaitable[Outcome]]


def nobody(entry: Entry, error: Exception) -> Sequence[Entry]:
    return ()


def somebody(parked: Entry, error: Exception) -> Sequence[Entry]:
    return (Entry(f"notice:{parked.key}", "say", "notice", {"about": type(error).__name__}),)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def journal(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Journal]:
    async with SqliteStore(tmp_path).open(clock) as opened:
        yield opened


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(worker.run())
    try:
        yield running
    finally:
        await worker.stop()
        await running


async def closed(journal: Journal, *keys: str) -> list[str]:
    """Waits until all of these are done or dead, and says which."""
    async with asyncio.timeout(10):
        found = [await journal.closed(key, LONG) for key in keys]
    return [one.state if one else "?" for one in found]


class Log:
    """A handler that notes what it does; what it does is given per key."""

    def __init__(self, **acts: Handle) -> None:
        self.acts = {key.replace("_", " "): act for key, act in acts.items()}
        self.seen: list[str] = []
        self.busy = 0
        self.most = 0

    async def __call__(self, entry: Entry) -> Outcome:
        self.seen.append(entry.key)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            act = self.acts.get(entry.key)
            return await act(entry) if act else Outcome({"did": entry.key})
        finally:
            self.busy -= 1


def failing(*errors: BaseException) -> Handle:
    """Raises these, one at each look, then succeeds."""
    left = list(errors)

    async def act(entry: Entry) -> Outcome:
        if left:
            raise left.pop(0)
        return Outcome({"after": len(errors)})

    return act


async def patiently(clock: ManualClock, journal: Journal, key: str) -> str:
    """Lets time pass, a second whenever everybody sleeps, until the entry is closed."""
    waiting = asyncio.create_task(journal.closed(key, 10 * LONG))
    async with asyncio.timeout(10):
        while not waiting.done():
            clock.advance(1)
            await journal.find(key)  # a turn of the disk and of the loop
    found = await waiting
    return found.state if found else "?"


# --- order ----------------------------------------------------------------------------------------------------------


async def test_a_lane_is_worked_on_in_order(journal: Journal, clock: ManualClock) -> None:
    log = Log()
    await journal.append(entry("c", at_ms=3), entry("a", at_ms=1), entry("b", at_ms=2))

    async with at_work(Worker(journal, {"wa.message": log}, clock, nobody)):
        assert await closed(journal, "a", "b", "c") == ["done"] * 3

    assert log.seen == ["a", "b", "c"]
    assert log.most == 1


async def test_lanes_are_worked_on_together_but_not_more_than_the_limit(journal: Journal, clock: ManualClock) -> None:
    together = asyncio.Barrier(4)

    async def meet(entry: Entry) -> Outcome:
        await together.wait()
        return Outcome()

    log = Log(**{f"k{n}": meet for n in range(8)})
    await journal.append(*(entry(f"k{n}", f"lane {n}") for n in range(8)))

    async with at_work(Worker(journal, {"wa.message": log}, clock, nobody, limit=4)):
        await closed(journal, *(f"k{n}" for n in range(8)))

    assert log.most == 4
    assert sorted(log.seen) == [f"k{n}" for n in range(8)]


async def test_what_enters_while_it_waits_is_done_at_once(journal: Journal, clock: ManualClock) -> None:
    async with at_work(Worker(journal, {"wa.message": Log()}, clock, nobody)):
        await clock.asleep()
        await journal.append(entry("a"))
        assert await closed(journal, "a") == ["done"]

    assert (await journal.find("a") or pytest.fail("lost")).result == {"did": "a"}


# --- errors ---------------------------------------------------------------------------------------------------------


async def test_busy_is_tried_again_and_its_lane_waits(journal: Journal, clock: ManualClock) -> None:
    log = Log(a=failing(Busy("slow down", after=30), Busy("still", after=30)))
    await journal.append(entry("a", "A", 1), entry("behind it", "A", 2), entry("elsewhere", "B"))

    async with at_work(Worker(journal, {"wa.message": log}, clock, nobody)):
        assert await closed(journal, "elsewhere") == ["done"]
        assert (await journal.counts())["waiting"] == 2
        assert await patiently(clock, journal, "behind it") == "done"

    assert [key for key in log.seen if key != "elsewhere"] == ["a", "a", "a", "behind it"]
    assert (await journal.find("a") or pytest.fail("lost")).result == {"after": 2}


async def test_a_refusal_is_parked_told_and_does_not_hold_up_the_lane(journal: Journal, clock: ManualClock) -> None:
    log, notices = Log(a=failing(WindowClosed("131047"))), Log()
    await journal.append(entry("a", at_ms=1), entry("b", at_ms=2))

    async with at_work(Worker(journal, {"wa.message": log, "notice": notices}, clock, somebody)):
        assert await closed(journal, "a", "b", "notice:a") == ["dead", "done", "done"]

    [letter] = await journal.dead()
    assert letter.why == "WindowClosed: 131047"
    assert log.seen == ["a", "b"]


async def test_what_is_unsure_is_looked_at_once_more_and_then_left_to_people(
    journal: Journal, clock: ManualClock
) -> None:
    looks: list[tuple[float, bool]] = []

    async def unsure(entry: Entry) -> Outcome:
        looks.append((clock.now(), entry.confirming))
        raise Unsure("no answer")

    await journal.append(entry("a"))

    async with at_work(Worker(journal, {"wa.message": unsure}, clock, nobody)):
        assert await patiently(clock, journal, "a") == "dead"

    [(first, _), (second, _)] = looks
    assert [confirming for _, confirming in looks] == [False, True]
    assert second - first >= 60


async def test_what_was_handed_over_before_a_bug_is_not_handed_over_again(journal: Journal, clock: ManualClock) -> None:
    sends = 0

    async def sends_then_breaks(entry: Entry) -> Outcome:
        nonlocal sends
        if entry.steps:
            raise Unsure("handed over before")
        await journal.progress(entry, 0, Step("handed"))
        sends += 1
        raise KeyError("the answer looked odd")

    await journal.append(entry("a"))

    async with at_work(Worker(journal, {"wa.message": sends_then_breaks}, clock, nobody)):
        assert await patiently(clock, journal, "a") == "dead"

    assert sends == 1


async def test_a_bug_does_not_stop_the_neighbours_and_quotes_nobody(
    journal: Journal, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bug = [ValueError("the customer wrote: my password") for _ in range(len(BUG_PAUSES) + 1)]
    log = Log(a=failing(*bug))
    await journal.append(entry("a", at_ms=1), entry("b", at_ms=2), entry("c", "other"))

    async with at_work(Worker(journal, {"wa.message": log}, clock, nobody)):
        assert await closed(journal, "c") == ["done"]
        assert await patiently(clock, journal, "a") == "dead"
        assert await closed(journal, "b") == ["done"]

    assert log.seen.count("a") == len(bug)
    assert "bug: ValueError" in caplog.text
    assert "test_worker.py" in caplog.text
    assert "password" not in caplog.text
    assert [letter.why for letter in await journal.dead()] == ["bug: ValueError"]


async def test_a_kind_that_nobody_handles_is_kept(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a", text="hello"))

    async with at_work(Worker(journal, {}, clock, nobody)):
        assert await patiently(clock, journal, "a") == "dead"

    assert [letter.entry.body for letter in await journal.dead()] == [{"text": "hello"}]


async def test_an_outcome_that_cannot_be_stored_is_the_handlers_bug(journal: Journal, clock: ManualClock) -> None:
    async def odd(entry: Entry) -> Outcome:
        return Outcome({"thing": object()})

    await journal.append(entry("a", at_ms=1), entry("b", at_ms=2))

    async with at_work(Worker(journal, {"wa.message": Log(a=odd)}, clock, nobody)):
        assert await patiently(clock, journal, "a") == "dead"
        assert await closed(journal, "b") == ["done"]


def broken_notices(entry: Entry, error: Exception) -> Sequence[Entry]:
    raise RuntimeError("cannot say it")


def unstorable_notices(entry: Entry, error: Exception) -> Sequence[Entry]:
    return (Entry("notice", "say", "notice", {"thing": object()}),)


@pytest.mark.parametrize("notices", [broken_notices, unstorable_notices])
async def test_a_bug_in_a_notice_does_not_keep_the_dead_letter_in_its_lane(
    journal: Journal, clock: ManualClock, notices: Callable[[Entry, Exception], Sequence[Entry]]
) -> None:
    await journal.append(entry("a", at_ms=1), entry("b", at_ms=2))

    async with at_work(Worker(journal, {"wa.message": Log(a=failing(WindowClosed()))}, clock, notices)):
        assert await closed(journal, "a", "b") == ["dead", "done"]


async def test_a_handler_that_is_cancelled_from_inside_is_a_bug_like_others(
    journal: Journal, clock: ManualClock
) -> None:
    cancelled = [asyncio.CancelledError() for _ in range(len(BUG_PAUSES) + 1)]
    await journal.append(entry("a", at_ms=1), entry("b", at_ms=2))

    async with at_work(Worker(journal, {"wa.message": Log(a=failing(*cancelled))}, clock, nobody)):
        assert await patiently(clock, journal, "a") == "dead"
        assert await closed(journal, "b") == ["done"]


# --- stopping -------------------------------------------------------------------------------------------------------


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


# --- logs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to +491701234567 failed", "to …567 failed"),
        ("491701234567", "…567"),
        ("call:491701234567:1", "call:…567:1"),
        ("wamid.HBgMNDkxNzAxMjM0NTY3FQIAERgS", "wamid.HBgMNDkxNzAxMjM0NTY3FQIAERgS"),
        ("HTTP 131047", "HTTP 131047"),
        ("code 131047, after 60 s", "code 131047, after 60 s"),
    ],
)
def test_phone_numbers_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert masked(text) == shown


async def test_logs_name_the_entry_and_neither_its_words_nor_phone_numbers(
    journal: Journal, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    log = Log(**{"wa:1": failing(WindowClosed("for +491701234567"))})
    await journal.append(entry("wa:1", "in:49151:491701234567", text="my words"), entry("wa:2", text="my words"))

    async with at_work(Worker(journal, {"wa.message": log}, clock, nobody)):
        await closed(journal, "wa:1", "wa:2")

    assert "wa:1 (wa.message): WindowClosed: for …567; parked" in caplog.text
    assert "wa:2 done" in caplog.text
    assert "491701234" not in caplog.text
    assert "my words" not in caplog.text
