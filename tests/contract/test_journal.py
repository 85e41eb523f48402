"""What every journal promises about the queue: identity, order and holding."""

import asyncio

import pytest

from bot.ports import Backlog, Entry, Journal, Outcome, Step
from tests.contract.journals import NOON, ManualClock, Store, entry, keys, take

DONE = Outcome()


# --- identity -------------------------------------------------------------------------------------------------------


async def test_a_key_is_taken_once_for_ever(journal: Journal) -> None:
    assert await journal.append(entry("a"), entry("b", "other"), entry("a")) == 2
    assert await journal.append(entry("a", "third lane"), entry("c")) == 1

    for one in await journal.heads(10):
        await journal.done(one, DONE)

    assert await journal.append(entry("a"), entry("b")) == 0
    assert await keys(journal) == ["c"]


async def test_what_is_next_in_a_lane_can_be_seen_while_it_is_worked_on(journal: Journal) -> None:
    await journal.append(entry("a", at_ms=2), entry("b", at_ms=1), entry("c", "other"))
    assert (await journal.head("lane") or pytest.fail("lost")).key == "b"
    one, _ = await journal.heads(10)
    await journal.append(entry("earlier"))
    await journal.progress(one, 0, Step("handed"))
    assert (await journal.head("lane") or pytest.fail("lost")).key == "b"
    await journal.done(one, Outcome())

    assert (await journal.head("lane") or pytest.fail("lost")).key == "earlier"
    assert await journal.head("nobody's") is None


async def test_a_key_is_known_after_a_restart(store: Store, clock: ManualClock) -> None:
    async with store.open(clock) as journal:
        await journal.append(entry("waits"), entry("is done", "other"))
        await journal.done(next(one for one in await journal.heads(2) if one.key == "is done"), DONE)

    async with store.open(clock) as journal:
        assert await journal.append(entry("waits"), entry("is done")) == 0


async def test_an_entry_comes_back_as_it_was_stored(journal: Journal, clock: ManualClock) -> None:
    body = {"text": "naïve 😄 \x00 \ud83d", "list": [1, 2.5, None, True], "inner": {"": ""}}
    await journal.append(Entry("k/ä=", "lane:ü", "rc.message", body, at_ms=1_790_000_000_123, source="49151"))

    assert await journal.heads(1) == [
        Entry(
            "k/ä=", "lane:ü", "rc.message", body, at_ms=1_790_000_000_123, source="49151", first_at=NOON,
            seq=(await journal.find("k/ä=") or pytest.fail("lost")).entry.seq,
        )
    ]  # fmt: skip


async def test_a_key_that_is_no_valid_text_is_stored_all_the_same(journal: Journal) -> None:
    odd = entry("half \ud83d and nul \x00", "lane \udc00")

    assert await journal.append(odd) == 1
    assert await journal.append(odd) == 0
    [one] = await journal.heads(1)
    await journal.done(one, DONE)
    assert (await journal.find(odd.key) or pytest.fail("lost")).state == "done"


async def test_the_journals_own_fields_are_ignored_on_append(journal: Journal) -> None:
    await journal.append(entry("a")._replace(seq=99, tries=7, confirming=True, first_at=1.0))

    one = await take(journal, "a")

    assert (one.tries, one.confirming, one.first_at, one.steps) == (0, False, NOON, {})


async def test_what_cannot_be_written_is_refused_and_nothing_of_it_stays(journal: Journal) -> None:
    with pytest.raises(TypeError):
        await journal.append(entry("fine"), entry("not json", thing=object()))

    assert await journal.find("fine") is None
    assert await keys(journal) == []


async def test_many_at_once_are_all_stored(journal: Journal) -> None:
    new = await asyncio.gather(*(journal.append(entry(f"k{n % 40}", f"lane {n % 7}")) for n in range(120)))

    assert sum(new) == 40
    assert (await journal.counts())["waiting"] == 40


async def test_many_at_once_in_one_lane_wait_in_the_order_in_which_they_were_written(journal: Journal) -> None:
    written = [(n * 37) % 100 for n in range(100)]
    await asyncio.gather(*(journal.append(entry(f"k{at}", "one lane", at)) for at in written))

    for at in range(100):
        await journal.done(await take(journal, f"k{at}"), DONE)
    assert await keys(journal) == []


async def test_each_who_brings_the_same_at_once_is_told_what_was_new(journal: Journal) -> None:
    new = await asyncio.gather(*(journal.append(entry(f"k{n}"), entry(f"k{n + 1}")) for n in range(100)))

    assert sum(new) == 101
    assert set(new) <= {0, 1, 2}
    assert await journal.append(*(entry(f"k{n}") for n in range(102))) == 1


async def test_what_waits_is_told_by_kind_with_the_time_of_the_first(journal: Journal, clock: ManualClock) -> None:
    assert await journal.backlog() == {}

    await journal.append(entry("a"), entry("b", "other")._replace(kind="wa.status"))
    clock.advance(5)
    await journal.append(entry("c", "third"))
    assert await journal.backlog() == {"wa.message": Backlog(2, NOON), "wa.status": Backlog(1, NOON)}

    for one in await journal.heads(10):
        await (journal.park(one, "no") if one.key == "b" else journal.done(one, Outcome()))
    assert await journal.backlog() == {}


# --- order and holding ----------------------------------------------------------------------------------------------


async def test_a_lane_gives_one_entry_at_a_time_in_order(journal: Journal) -> None:
    await journal.append(entry("third", at_ms=30), entry("first", at_ms=10), entry("second", at_ms=20))

    seen = []
    while taken := await journal.heads(10):
        [one] = taken
        seen.append(one.key)
        assert await journal.heads(10) == []
        await journal.done(one, DONE)

    assert seen == ["first", "second", "third"]


async def test_entries_of_the_same_moment_keep_their_order_of_arrival(journal: Journal) -> None:
    await journal.append(entry("z", at_ms=5), entry("y", at_ms=5))
    await journal.append(entry("x", at_ms=5))

    seen = []
    while taken := await journal.heads(1):
        seen.append(taken[0].key)
        await journal.done(taken[0], DONE)

    assert seen == ["z", "y", "x"]


async def test_lanes_are_worked_on_together_the_oldest_first(journal: Journal, clock: ManualClock) -> None:
    for name in ("c", "a", "b"):
        await journal.append(entry(name, name))
        clock.advance(1)

    assert await keys(journal, 2) == ["c", "a"]
    assert await keys(journal, 2) == ["b"]
    assert await keys(journal, 2) == []


async def test_a_lane_that_stands_behind_many_held_ones_is_found(journal: Journal) -> None:
    await journal.append(*(entry(f"k{n}", f"lane {n}") for n in range(50)))
    assert len(await journal.heads(49)) == 49

    assert await keys(journal, 1) == ["k49"]


async def test_what_was_written_earlier_goes_first_though_it_arrived_later(journal: Journal) -> None:
    await journal.append(entry("later", at_ms=20))
    await journal.append(entry("earlier", at_ms=10))

    assert await keys(journal) == ["earlier"]


async def test_an_entry_that_was_begun_stays_in_front(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("begun", at_ms=20))
    one = await take(journal, "begun")
    await journal.append(entry("earlier", at_ms=10))
    await journal.again(one, 0, "busy")

    one = await take(journal, "begun")
    await journal.done(one, DONE)
    assert await keys(journal) == ["earlier"]


async def test_a_dead_letter_that_is_retried_goes_before_what_was_tried_after_it(
    journal: Journal, clock: ManualClock
) -> None:
    """A number is connected again: what comes in meanwhile has been told to wait, and what came before follows."""
    await journal.append(entry("gone", at_ms=10))
    await journal.park(await take(journal, "gone"), "its number is gone", sure=True)
    await journal.append(entry("waits", at_ms=20))
    await journal.again(await take(journal, "waits"), 0, "its number is coming back")

    await journal.retry("gone")

    await journal.done(await take(journal, "gone"), DONE)
    assert await keys(journal) == ["waits"]


async def test_a_dead_letter_that_is_retried_does_not_come_between_the_parts_of_another(
    journal: Journal, clock: ManualClock
) -> None:
    await journal.append(entry("gone", at_ms=10))
    await journal.park(await take(journal, "gone"), "no", sure=True)
    await journal.append(entry("long", at_ms=20))
    one = await take(journal, "long")
    await journal.progress(one, 0, Step("out", "wamid.1"))
    await journal.again(one, 0, "busy")

    await journal.retry("gone")

    await journal.done(await take(journal, "long"), DONE)
    assert await keys(journal) == ["gone"]


async def test_dead_letters_that_are_retried_one_after_the_other_keep_their_order_while_they_are_sent(
    journal: Journal, clock: ManualClock
) -> None:
    names = ["first", "second", "third", "fourth"]
    for at_ms, name in enumerate(names):
        await journal.append(entry(name, at_ms=at_ms))
        await journal.park(await take(journal, name), "no", sure=True)

    await journal.retry("first")
    first = await take(journal, "first")
    await journal.progress(first, 0, Step("handed"))
    await journal.retry("second")
    await journal.retry("third")
    await journal.done(first, DONE)
    await journal.retry("fourth")

    for name in names[1:]:
        await journal.done(await take(journal, name), DONE)


async def test_lanes_that_are_shut_are_passed_by(journal: Journal, clock: ManualClock) -> None:
    """By the whole first word of their name; what is delayed, too."""
    names = ["in:1:a", "in:1:b", "inner:1", "out:in:x", "say", "tpl:1:a"]
    await journal.append(*(entry(lane, lane, n) for n, lane in enumerate(names)))
    await journal.again((await journal.heads(1))[0], 5, "busy")
    clock.advance(6)

    assert {one.lane for one in await journal.heads(10, ["in", "say"])} == {"inner:1", "out:in:x", "tpl:1:a"}
    assert await journal.heads(10, ["in", "say"]) == []
    assert {one.lane for one in await journal.heads(10)} == {"in:1:a", "in:1:b", "say"}


async def test_a_retry_keeps_its_lane_waiting(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a1", "A", 1), entry("a2", "A", 2), entry("b1", "B", 3))
    a1, b1 = await journal.heads(10)
    await journal.done(b1, DONE)

    await journal.again(a1, 30, "busy")

    clock.advance(29.9)
    assert await keys(journal) == []
    clock.advance(0.2)
    one = await take(journal, "a1")
    assert one.tries == 1


async def test_a_lane_with_much_to_do_does_not_starve_one_that_was_put_back(
    journal: Journal, clock: ManualClock
) -> None:
    await journal.append(entry("put back", "A"))
    await journal.again(await take(journal, "put back"), 5, "busy")
    clock.advance(6)
    await journal.append(*(entry(f"new {n}", f"lane {n}") for n in range(5)))

    assert await keys(journal, 1) == ["put back"]


async def test_new_entries_do_not_wait_for_a_clock_that_was_set_back(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a"))
    clock.advance(-3600)

    assert await keys(journal) == ["a"]


async def test_released_entries_come_back_untouched(journal: Journal) -> None:
    await journal.append(entry("a"), entry("b"))
    one = await take(journal, "a")

    await journal.release(one)

    assert await take(journal, "a") == one


async def test_releasing_what_is_done_does_not_free_the_next(journal: Journal) -> None:
    await journal.append(entry("a"), entry("b"))
    one = await take(journal, "a")
    await journal.done(one, DONE)
    await take(journal, "b")

    await journal.release(one)

    assert await keys(journal) == []


async def test_a_dead_process_holds_nothing(store: Store, clock: ManualClock) -> None:
    async with store.open(clock) as journal:
        await journal.append(entry("a"), entry("b", "other"))
        assert await keys(journal) == ["a", "b"]

    async with store.open(clock) as journal:
        assert await keys(journal) == ["a", "b"]


async def test_asking_for_heads_and_going_away_holds_nothing(journal: Journal) -> None:
    await journal.append(entry("a"))
    asking = asyncio.create_task(journal.heads(10))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert await keys(journal) == ["a"]


async def test_two_who_ask_at_once_never_get_the_same_lane(journal: Journal) -> None:
    await journal.append(*(entry(f"k{n}", f"lane {n}") for n in range(20)))

    taken = await asyncio.gather(*(journal.heads(3) for _ in range(10)))

    assert sorted(one.key for some in taken for one in some) == sorted(f"k{n}" for n in range(20))
