"""What every journal promises about an effect that cannot be repeated: nothing handed over is handed over twice."""

import asyncio

import pytest

from bot.ports import Entry, Journal, Outcome, Step
from tests.contract.journals import ManualClock, Store, entry, keys, take

HANDED = Step("handed")


async def begun(journal: Journal, *parts: Step) -> Entry:
    """An entry that is being worked on, with these parts noted."""
    await journal.append(entry("a", text="hello"))
    one = await take(journal, "a")
    for part, step in enumerate(parts):
        await journal.progress(one, part, step)
    return one


async def test_steps_survive_a_crash(store: Store, clock: ManualClock) -> None:
    async with store.open(clock) as journal:
        await begun(journal, Step("out", "wamid.1"), HANDED)

    async with store.open(clock) as journal:
        one = await take(journal, "a")
        assert one.steps == {0: Step("out", "wamid.1"), 1: HANDED}


async def test_after_a_crash_the_entry_that_was_begun_is_first(store: Store, clock: ManualClock) -> None:
    async with store.open(clock) as journal:
        await journal.append(entry("begun", at_ms=20))
        one = await take(journal, "begun")
        await journal.append(entry("earlier", at_ms=10))
        await journal.progress(one, 0, HANDED)

    async with store.open(clock) as journal:
        assert await keys(journal) == ["begun"]


async def test_a_part_that_was_surely_not_accepted_is_handed_over_again(journal: Journal) -> None:
    one = await begun(journal, Step("out", "wamid.1"), HANDED)

    await journal.again(one, 0, "busy")

    assert (await take(journal, "a")).steps == {0: Step("out", "wamid.1")}


async def test_a_part_without_an_answer_stays_unsure(journal: Journal) -> None:
    one = await begun(journal, HANDED)

    await journal.again(one, 0, "unsure", confirm=True)

    one = await take(journal, "a")
    assert (one.steps, one.confirming, one.tries) == ({0: HANDED}, True, 1)


async def test_a_later_busy_does_not_make_an_unsure_part_sure(journal: Journal) -> None:
    await journal.again(await begun(journal, HANDED), 0, "unsure", confirm=True)

    await journal.again(await take(journal, "a"), 0, "another server is busy")

    one = await take(journal, "a")
    assert (one.steps, one.confirming) == ({0: HANDED}, True)


async def test_a_busy_after_a_crash_does_not_make_an_unsure_part_sure(store: Store, clock: ManualClock) -> None:
    async with store.open(clock) as journal:
        await begun(journal, HANDED)

    async with store.open(clock) as journal:
        await journal.again(await take(journal, "a"), 0, "another server is busy")
        assert (await take(journal, "a")).steps == {0: HANDED}


async def test_what_a_status_has_told_is_not_taken_back_by_the_answer_that_comes_later(journal: Journal) -> None:
    one = await begun(journal, HANDED)
    assert await journal.confirm("a", 0, "wamid.1") is True

    await journal.progress(one, 0, Step("handed", "doubtful"))
    await journal.again(one, 60, "the server failed", confirm=True)

    one = await take(journal, "a")
    assert (one.steps, one.confirming) == ({0: Step("out", "wamid.1")}, False)


async def test_a_status_settles_what_is_being_confirmed_at_once(journal: Journal) -> None:
    await journal.again(await begun(journal, HANDED), 60, "unsure", confirm=True)
    assert await keys(journal) == []

    assert await journal.confirm("a", 0, "wamid.1") is True

    one = await take(journal, "a")
    assert (one.steps, one.confirming) == ({0: Step("out", "wamid.1")}, False)


async def test_a_status_that_comes_before_the_doubt_is_not_waited_for_again(journal: Journal) -> None:
    one = await begun(journal, HANDED)
    assert await journal.confirm("a", 0, "wamid.1") is True
    assert await keys(journal) == []

    await journal.again(one, 60, "unsure", confirm=True)

    assert (await take(journal, "a")).steps == {0: Step("out", "wamid.1")}


async def test_a_status_brings_a_dead_letter_back(journal: Journal) -> None:
    await journal.again(await begun(journal, HANDED), 0, "unsure", confirm=True)
    await journal.park(await take(journal, "a"), "unsure", entry("notice", "say"))
    assert await keys(journal) == ["notice"]

    assert await journal.confirm("a", 0, "wamid.1") is True

    one = await take(journal, "a")
    assert (one.steps, one.confirming, one.tries) == ({0: Step("out", "wamid.1")}, False, 0)
    assert one.body == {"text": "hello"}
    assert await journal.dead() == []


async def test_a_status_that_comes_just_before_giving_up_wins(journal: Journal, clock: ManualClock) -> None:
    await journal.again(await begun(journal, HANDED), 0, "unsure", confirm=True)
    one = await take(journal, "a")
    closed = asyncio.create_task(journal.closed("a", 100))
    await clock.asleep()
    await journal.confirm("a", 0, "wamid.1")

    await journal.park(one, "unsure", entry("notice", "say"))

    one = await take(journal, "a")
    assert one.steps == {0: Step("out", "wamid.1")}
    assert await journal.dead() == []
    assert await journal.find("notice") is None
    await journal.done(one, Outcome({"wamid": "wamid.1"}))
    assert (await closed or pytest.fail("not told")).state == "done"


async def test_one_part_settled_leaves_the_other_unsure(journal: Journal, clock: ManualClock) -> None:
    await journal.again(await begun(journal, HANDED, HANDED), 60, "unsure", confirm=True)

    assert await journal.confirm("a", 1, "wamid.2") is True

    assert await keys(journal) == []
    clock.advance(60)
    one = await take(journal, "a")
    assert (one.steps, one.confirming) == ({0: HANDED, 1: Step("out", "wamid.2")}, True)


async def test_a_status_does_not_hurry_an_entry_that_waits_for_another_reason(journal: Journal) -> None:
    await journal.again(await begun(journal, Step("out", "wamid.1")), 60, "busy")

    assert await journal.confirm("a", 0, "wamid.1") is True

    assert await keys(journal) == []


async def test_what_is_known_to_be_out_does_not_wake_a_dead_letter(journal: Journal) -> None:
    await journal.park(await begun(journal, Step("out", "wamid.1")), "the second part was refused")

    assert await journal.confirm("a", 0, "wamid.1") is False

    assert [letter.entry.key for letter in await journal.dead()] == ["a"]


async def test_nothing_can_be_confirmed_that_was_never_handed_over(journal: Journal) -> None:
    one = await begun(journal, HANDED)

    assert await journal.confirm("a", 1, "wamid.2") is False
    assert await journal.confirm("unheard of", 0, "wamid.2") is False
    await journal.done(one, Outcome())
    assert await journal.confirm("a", 0, "wamid.1") is False
    assert (await journal.find("a") or pytest.fail("lost")).state == "done"


async def test_a_person_may_decide_to_hand_it_over_again(journal: Journal) -> None:
    await journal.park(await begun(journal, Step("out", "wamid.1"), HANDED), "unsure")

    await journal.retry("a")

    assert (await take(journal, "a")).steps == {0: Step("out", "wamid.1")}


async def test_a_dead_letter_that_comes_back_does_not_overtake_what_is_being_worked_on(journal: Journal) -> None:
    await journal.park(await begun(journal, HANDED), "unsure")
    await journal.append(entry("b"))
    b = await take(journal, "b")

    await journal.confirm("a", 0, "wamid.1")

    assert await keys(journal) == []
    await journal.done(b, Outcome())
    assert await keys(journal) == ["a"]
