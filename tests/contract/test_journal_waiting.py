"""What every journal promises to whoever waits: woken at once, and never kept waiting for what is there."""

import asyncio

import pytest

from bot.ports import Journal, Outcome
from bot.relay.retry import LONGEST_BELIEVED
from tests.contract.journals import NOON, ManualClock, entry, keys, take

DONE = Outcome()


async def nothing_due(journal: Journal) -> None:
    assert await journal.heads(10) == []


async def test_waiting_ends_with_the_first_append(journal: Journal, clock: ManualClock) -> None:
    await nothing_due(journal)
    waiting = asyncio.create_task(journal.wait(1000))
    await clock.asleep()
    assert not waiting.done()

    await journal.append(entry("a"))

    await waiting
    assert clock.now() == NOON


async def test_waiting_ends_when_a_lane_becomes_free(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a"), entry("b"))
    one = await take(journal, "a")
    await nothing_due(journal)
    waiting = asyncio.create_task(journal.wait(1000))
    await clock.asleep()

    await journal.done(one, DONE)

    await waiting
    assert await keys(journal) == ["b"]


async def test_waiting_ends_when_the_next_entry_becomes_due(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a"), entry("b", "other"))
    a, b = await journal.heads(2)
    await journal.again(a, 50, "busy")
    await journal.again(b, 40, "busy")
    await nothing_due(journal)
    waiting = asyncio.create_task(journal.wait(1000))
    await clock.asleep()

    clock.advance(39)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(1)

    await waiting
    assert await keys(journal) == ["b"]


async def test_an_entry_that_rests_at_first_is_not_taken_before_and_wakes_who_waits(
    journal: Journal, clock: ManualClock
) -> None:
    await journal.append(entry("a"))
    await journal.done(await take(journal, "a"), Outcome(then=(entry("b", rest=30), entry("c"))))
    await nothing_due(journal)
    waiting = asyncio.create_task(journal.wait(1000))
    await clock.asleep()
    assert (await journal.find("b") or pytest.fail("lost")).due == NOON + 30

    clock.advance(30)

    await waiting
    await journal.done(await take(journal, "b"), DONE)
    assert await keys(journal) == ["c"]


async def test_a_clock_that_goes_back_lets_nothing_rest_for_ever(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a", rest=60))
    clock.advance(-30 * 86400)

    assert await keys(journal) == ["a"]


async def test_waiting_ends_with_its_timeout(journal: Journal, clock: ManualClock) -> None:
    await nothing_due(journal)
    waiting = asyncio.create_task(journal.wait(60))
    await clock.asleep()

    clock.advance(60)

    await waiting


async def test_what_came_between_looking_and_waiting_is_not_missed(journal: Journal) -> None:
    await nothing_due(journal)
    await journal.append(entry("a"))

    async with asyncio.timeout(5):
        await journal.wait(1000)


async def test_more_than_the_limit_is_not_waited_for(journal: Journal) -> None:
    await journal.append(entry("a", "A"), entry("b", "B"))
    assert await keys(journal, 1) == ["a"]

    async with asyncio.timeout(5):
        await journal.wait(1000)

    assert await keys(journal, 1) == ["b"]


async def test_closed_waits_for_the_end_of_an_entry(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a", "A"), entry("b", "B"))
    a, b = await journal.heads(2)
    first, second = asyncio.create_task(journal.closed("a", 100)), asyncio.create_task(journal.closed("b", 100))
    await clock.asleep()

    await journal.again(a, 0, "busy")
    await journal.done(await take(journal, "a"), Outcome({"n": 1}))
    await journal.park(b, "no")

    assert (await first or pytest.fail("lost")).result == {"n": 1}
    assert (await second or pytest.fail("lost")).state == "dead"
    assert await journal.closed("a", 0) == await journal.find("a")


async def test_closed_gives_up_after_its_timeout(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a"))
    for key in ("a", "unheard of"):
        waiting = asyncio.create_task(journal.closed(key, 5))
        await clock.asleep()
        clock.advance(5)
        assert await waiting is None


async def test_nothing_goes_on_waiting_when_whoever_asks_for_an_end_goes_away(
    journal: Journal, clock: ManualClock
) -> None:
    await journal.append(entry("a"))
    before = asyncio.all_tasks()
    asking = asyncio.create_task(journal.closed("a", 100))
    waits: set[asyncio.Task[object]] = set()
    async with asyncio.timeout(5):
        while not waits:
            await clock.sleep(0)
            waits = {one for one in asyncio.all_tasks() - before if "Event.wait" in repr(one.get_coro())}

    asking.cancel()

    _, pending = await asyncio.wait({asking, *waits}, timeout=3)
    assert not pending


async def test_a_clock_that_goes_back_makes_nothing_wait_for_the_time_that_went_twice(
    journal: Journal, clock: ManualClock
) -> None:
    await journal.append(entry("a"))
    await journal.again(await take(journal, "a"), 60, "busy")
    clock.advance(-30 * 86400)
    await journal.append(entry("b", "other"))

    assert {one.key for one in await journal.heads(10)} == {"a", "b"}


async def test_a_clock_that_goes_back_a_little_lengthens_no_pause(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a"), entry("b", "other", rest=90))
    await journal.again(await take(journal, "a"), 60, "busy")
    await journal.append(entry("behind"))
    await nothing_due(journal)
    clock.advance(-1800)
    await nothing_due(journal)

    clock.advance(60)
    await journal.done(await take(journal, "a"), DONE)
    assert await keys(journal) == ["behind"]
    clock.advance(30)
    assert await keys(journal) == ["b"]


async def test_a_pause_that_was_really_asked_for_is_kept(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a"))
    await journal.again(await take(journal, "a"), LONGEST_BELIEVED, "busy")
    assert await journal.heads(10) == []
