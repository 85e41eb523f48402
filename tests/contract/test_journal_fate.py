"""What every journal promises about the end of an entry: done once, or kept as a dead letter."""

import asyncio

import pytest

from bot.model import ContactId, MessageId, NumberId, Pair, RoomId, Wamid
from bot.ports import ASIDE, Journal, Outcome, Step
from tests.contract.journals import NOON, ManualClock, entry, keys, take

DONE = Outcome()


async def test_done_forgets_the_body_and_keeps_the_outcome(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a", "someone's lane", text="hello"))
    one = await take(journal, "a")
    clock.advance(5)

    await journal.done(one, Outcome({"room": "r1"}))

    stored = await journal.find("a") or pytest.fail("lost")
    assert (stored.state, stored.result, stored.closed_at) == ("done", {"room": "r1"}, NOON + 5)
    assert (stored.entry.kind, stored.entry.body, stored.entry.first_at) == ("wa.message", {}, NOON)
    assert await journal.heads(10) == []


async def test_an_entry_is_closed_once(journal: Journal) -> None:
    await journal.append(entry("a"))
    one = await take(journal, "a")
    await journal.done(one, Outcome({"n": 1}))

    for again in (
        journal.done(one, Outcome({"n": 2})),
        journal.again(one, 0, "?"),
        journal.park(one, "?", entry("notice")),
    ):
        with pytest.raises(LookupError):
            await again
    assert (await journal.find("a") or pytest.fail("lost")).result == {"n": 1}
    assert await journal.find("notice") is None


async def test_one_that_fails_does_not_fail_its_neighbours(journal: Journal) -> None:
    await journal.append(entry("a"))
    one = await take(journal, "a")
    await journal.done(one, DONE)

    results = await asyncio.gather(
        *(journal.append(entry(f"before {n}")) for n in range(5)),
        journal.done(one, DONE),
        *(journal.append(entry(f"after {n}")) for n in range(5)),
        return_exceptions=True,
    )

    assert [result for result in results if isinstance(result, int)] == [1] * 10
    assert [type(result) for result in results if not isinstance(result, int)] == [LookupError]
    assert (await journal.counts())["waiting"] == 10


async def test_what_fails_halfway_is_undone_and_its_neighbours_are_not(journal: Journal) -> None:
    await journal.append(entry("a"))
    one = await take(journal, "a")
    pairs = tuple(
        Pair(Wamid(id), MessageId("m"), RoomId("r"), NumberId("49"), ContactId("491"), True)
        for id in ("good", "not text: \ud83d")
    )

    before, failed, after = await asyncio.gather(
        journal.append(entry("before")),
        journal.done(one, Outcome({}, pairs)),
        journal.append(entry("after")),
        return_exceptions=True,
    )

    assert (before, after) == (1, 1)
    assert isinstance(failed, ValueError)
    assert await journal.pair(Wamid("good")) is None
    assert (await journal.find("a") or pytest.fail("lost")).state == "waiting"
    assert (await journal.counts())["done"] == 0


async def test_a_result_that_cannot_be_written_leaves_the_entry_waiting(journal: Journal) -> None:
    await journal.append(entry("a"))
    one = await take(journal, "a")

    with pytest.raises(TypeError):
        await journal.done(one, Outcome({"x": object()}))

    await journal.release(one)
    assert await keys(journal) == ["a"]


async def test_a_dead_letter_keeps_its_body_and_frees_its_lane(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a", text="hello"), entry("b"))
    one = await take(journal, "a")
    clock.advance(3)

    await journal.park(one, "WindowClosed", entry("notice", "say"))

    assert await keys(journal) == ["b", "notice"]
    [letter] = await journal.dead()
    assert (letter.entry.key, letter.why, letter.closed_at) == ("a", "WindowClosed", NOON + 3)
    assert letter.entry.body == {"text": "hello"}
    assert await journal.find("a") == letter


async def test_a_dead_letter_and_its_notices_are_stored_together_or_not_at_all(journal: Journal) -> None:
    await journal.append(entry("a"))
    one = await take(journal, "a")

    with pytest.raises(TypeError):
        await journal.park(one, "no", entry("notice 1"), entry("notice 2", thing=object()))

    assert await journal.dead() == []
    assert await journal.find("notice 1") is None


async def test_a_notice_that_was_given_before_is_not_repeated(journal: Journal) -> None:
    await journal.append(entry("a"), entry("b", "other"))
    first, second = await journal.heads(2)

    await journal.park(first, "no", entry("notice", "say"))
    await journal.park(second, "no", entry("notice", "say"))

    assert await keys(journal) == ["notice"]


async def test_dead_letters_are_listed_in_the_order_of_their_death(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a", "A"), entry("b", "B"), entry("c", "C"))
    for one in reversed(await journal.heads(3)):
        clock.advance(1)
        await journal.park(one, "no")

    assert [letter.entry.key for letter in await journal.dead()] == ["c", "b", "a"]
    first = await journal.dead(limit=1)
    assert [letter.entry.key for letter in first] == ["c"]
    second = await journal.dead(limit=1, after=first[0])
    assert [letter.entry.key for letter in second] == ["b"]
    assert [letter.entry.key for letter in await journal.dead(after=second[0])] == ["a"]


async def test_dead_letters_of_one_moment_are_read_on_without_leaving_one_out(journal: Journal) -> None:
    await journal.append(entry("a", "A"), entry("b", "B"), entry("c", "C"))
    for one in await journal.heads(3):
        await journal.park(one, "no")

    read: list[str] = []
    page = await journal.dead(limit=2)
    while page:
        read += [letter.entry.key for letter in page]
        page = await journal.dead(limit=2, after=page[-1])

    assert read == ["a", "b", "c"]


async def test_a_dead_letter_can_be_tried_again_from_the_beginning(journal: Journal) -> None:
    await journal.append(entry("a", text="hello"), entry("b"))
    await journal.again(await take(journal, "a"), 0, "busy")
    await journal.park(await take(journal, "a"), "no")
    assert await keys(journal) == ["b"]

    assert await journal.retry("a") is True
    assert await journal.retry("a") is False
    assert await journal.retry("b") is False
    assert await journal.retry("unheard of") is False

    await journal.done((await journal.find("b") or pytest.fail("lost")).entry, DONE)
    one = await take(journal, "a")
    assert (one.tries, one.body) == (0, {"text": "hello"})
    assert await journal.dead() == []


async def test_what_nobody_waits_for_is_counted_apart(journal: Journal) -> None:
    await journal.append(
        *(entry(f"{kind}:1", f"{kind}:m")._replace(kind=kind) for kind in ASIDE), entry("ticket", "ticket")
    )
    assert dict(await journal.counts()) == {"waiting": 3, "aside": 2, "done": 0, "dead": 0}

    for one in await journal.heads(3):
        await (journal.done(one, DONE) if one.key != "tick:1" else journal.park(one, "no"))
    assert dict(await journal.counts()) == {"waiting": 0, "aside": 0, "done": 2, "dead": 1}


async def test_counts_follow_every_change(journal: Journal) -> None:
    async def counts() -> tuple[int, int, int]:
        found = await journal.counts()
        return found["waiting"], found["done"], found["dead"]

    assert await counts() == (0, 0, 0)
    await journal.append(entry("a", "A"), entry("b", "B"), entry("c", "C"))
    a, b, c = await journal.heads(3)
    assert await counts() == (3, 0, 0)
    await journal.done(a, DONE)
    await journal.park(b, "no", entry("notice"))
    await journal.again(c, 60, "busy")
    assert await counts() == (2, 1, 1)
    await journal.retry("b")
    assert await counts() == (3, 1, 0)


async def test_dead_letters_expire_and_stay_known(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("old", "A", text="a secret"), entry("young", "B", text="kept"), entry("waits", "C"))
    old, young, _ = await journal.heads(3)
    await journal.progress(old, 0, Step("handed"))
    await journal.park(old, "InvalidRequest: said with a secret")
    clock.advance(10)
    await journal.park(young, "WindowClosed")

    assert await journal.expire(clock.now()) == 1
    assert await journal.expire(clock.now()) == 0

    stored = await journal.find("old") or pytest.fail("lost")
    assert (stored.state, stored.entry.body, stored.result) == ("done", {}, {"expired": "InvalidRequest"})
    assert (stored.closed_at, stored.why, stored.entry.steps) == (NOON, "", {})
    assert [one.entry.key for one in await journal.dead()] == ["young"]
    assert dict(await journal.counts()) == {"waiting": 1, "aside": 0, "done": 1, "dead": 1}
    assert not await journal.retry("old")
    assert await journal.append(entry("old", "A")) == 0


async def test_a_dead_letter_that_is_too_old_to_be_true_counts_as_given_up_now(
    journal: Journal, clock: ManualClock
) -> None:
    await journal.append(entry("wrong", "A"), entry("right", "B"))
    wrong, right = await journal.heads(2)
    clock.advance(-1000)
    await journal.park(wrong, "WindowClosed")
    clock.advance(900)
    await journal.park(right, "WindowClosed")
    clock.advance(150)

    assert await journal.expire(NOON, NOON - 500) == 1

    [letter] = await journal.dead()
    assert (letter.entry.key, letter.closed_at) == ("wrong", NOON + 50)


async def test_what_waits_again_knows_when_it_was_given_up(journal: Journal, clock: ManualClock) -> None:
    await journal.append(entry("a"))
    first = await take(journal, "a")
    assert first.given_up_at == 0
    clock.advance(5)
    await journal.park(first, "no")
    clock.advance(60)

    await journal.retry("a")

    one = await take(journal, "a")
    waiting = await journal.find("a") or pytest.fail("lost")
    assert (one.given_up_at, waiting.closed_at) == (NOON + 5, 0)
    await journal.park(one, "no again")
    dead = await journal.find("a") or pytest.fail("lost")
    assert (dead.entry.given_up_at, dead.closed_at) == (0, NOON + 65)
