"""The worker on a real journal: order, what becomes of errors, and what is written to the log."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from bot.errors import Busy, Unsure, WindowClosed
from bot.ports import Entry, Handler, Journal, Kind, Outcome, Step
from bot.relay.masking import masked
from bot.relay.retry import BUG_PAUSES, CONFIRM_AFTER
from bot.relay.worker import Worker
from tests.contract.journals import ManualClock, entry
from tests.relay.at_work import Log, at_work, closed, failing, nobody, patiently, somebody

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


async def test_a_server_that_hangs_takes_no_place_of_another(journal: Journal, clock: ManualClock) -> None:
    """Everybody else goes on, however many wait for it, and its places are used again when it answers."""
    answers = asyncio.Event()

    async def hang(entry: Entry) -> Outcome:
        await answers.wait()
        return Outcome()

    rocketchat, rest = Log(**{f"in{n}": hang for n in range(12)}), Log()
    await journal.append(*(entry(f"in{n}", f"in:1:{n}", n) for n in range(12)))
    await journal.append(*(entry(f"st{n}", f"st:1:{n}")._replace(kind="wa.status") for n in range(12)))
    handlers: dict[Kind, Handler] = {"wa.message": rocketchat, "wa.status": rest, "rc.message": rest}

    async with at_work(Worker(journal, handlers, clock, nobody, limit=4)):
        await closed(journal, *(f"st{n}" for n in range(12)))
        await journal.append(entry("reply", "out:room")._replace(kind="rc.message"))
        assert await closed(journal, "reply") == ["done"]
        assert rocketchat.seen == ["in0", "in1", "in2", "in3"]
        answers.set()
        assert await closed(journal, *(f"in{n}" for n in range(12))) == ["done"] * 12

    assert rocketchat.most == 4


async def test_who_writes_a_lot_keeps_nobody_waiting(journal: Journal, clock: ManualClock) -> None:
    log = Log()
    await journal.append(*(entry(f"busy {n}", "in:1:busy", n) for n in range(200)))
    await journal.append(*(entry(f"calm {n}", f"in:1:calm {n}", 1000) for n in range(5)))

    async with at_work(Worker(journal, {"wa.message": log}, clock, nobody, limit=4)):
        await closed(journal, *(f"calm {n}" for n in range(5)))
        await closed(journal, "busy 199")

    assert max(log.seen.index(f"calm {n}") for n in range(5)) < 20


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
    assert second - first >= CONFIRM_AFTER


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
    assert "(at_work.py:" in caplog.text
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


# --- logs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to +491701234567 failed", "to …567 failed"),
        ("491701234567", "…567"),
        ("call:491701234567:1", "call:…567:1"),
        ("wamid.HBgMNDkxNzAxMjM0NTY3FQIAERgS", "wamid.…FQIAERgS"),
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


async def test_whoever_counts_is_told_of_every_outcome_with_the_age(journal: Journal, clock: ManualClock) -> None:
    told: list[tuple[str, str, float]] = []
    fails = {"busy": Busy("later"), "unsure": Unsure("lost"), "no": WindowClosed("no")}

    async def handle(entry: Entry) -> Outcome:
        if entry.key in fails and not entry.tries:
            raise fails[entry.key]
        return Outcome()

    everything = asyncio.Event()

    def watch(kind: str, outcome: str, age: float) -> None:
        told.append((kind, outcome, age))
        if len(told) == 4:
            everything.set()

    await journal.append(*(entry(key, lane=key) for key in ("fine", *fails)))
    async with at_work(Worker(journal, {"wa.message": handle}, clock, nobody, watch=watch)):
        await asyncio.wait_for(everything.wait(), 5)

    assert sorted((kind, outcome) for kind, outcome, _ in told) == [
        ("wa.message", "again"), ("wa.message", "dead"), ("wa.message", "done"), ("wa.message", "unsure"),
    ]  # fmt: skip
    assert all(age >= 0 for _, _, age in told)
