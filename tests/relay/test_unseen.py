"""Templates to people without an open conversation: none is lost before it was shown, none is kept for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports import Journal, Outcome
from bot.relay.retention import DAY, forget_for_ever
from bot.relay.unseen import LIFE, Unseen
from bot.storage.local_locks import LocalLocks
from tests.contract.journals import ManualClock, entry, take

WITH = Conversation(NumberId("4915112345678"), ContactId("491701234567"), VisitorToken("t"))
LIFE_DAYS = round(LIFE / DAY)


def pair_of(key: str, to: Conversation = WITH, state: str = "") -> Pair:
    wamid = Wamid(f"wamid.{key}")
    return Pair(wamid, MessageId(""), RoomId(""), to.number, to.contact, outbound=True, entry=key, state=state)


async def sent(unseen: Unseen, key: str, to: Conversation = WITH) -> None:
    await unseen.add(pair_of(key, to), by="", template="hello", text=f"> {key}")


async def shown(journal: Journal, *keys: str) -> list[str]:
    return [key for key in keys if await journal.find(f"notice:{key}")]


async def test_two_templates_at_once_are_both_shown(journal: Journal, clock: ManualClock) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    await asyncio.gather(sent(unseen, "one"), sent(unseen, "two"))
    await unseen.show(WITH, RoomId("room"))

    assert await shown(journal, "one", "two") == ["one", "two"]


async def test_what_never_arrived_is_not_shown(journal: Journal, clock: ManualClock) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    for key, state in (("on its way", ""), ("read", "read"), ("failed", "failed")):
        await sent(unseen, key)
        await journal.append(entry(key))
        await journal.done(await take(journal, key), Outcome(pairs=(pair_of(key, state=state),)))
    await unseen.show(WITH, RoomId("room"))

    assert await shown(journal, "on its way", "read", "failed") == ["on its way", "read"]


async def test_of_many_the_latest_are_shown_with_what_they_say(journal: Journal, clock: ManualClock) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    for number in range(5):
        await sent(unseen, f"k{number}")
    await unseen.add(pair_of("k4"), by="Ada", template="hello", text="> k4")  # tried again
    await unseen.show(WITH, RoomId("room"))

    assert await shown(journal, *(f"k{number}" for number in range(5))) == ["k2", "k3", "k4"]
    told = [(one.body["key"], one.body["values"]["text"], one.body["wamid"]) for one in await journal.heads(10)]
    assert told == [("notice.template_before", "> k2", "wamid.k2")], "in the order in which they were sent"
    by = await journal.find("notice:k4")
    assert by is not None and by.entry.body["key"] == "notice.template_before_by"
    assert by.entry.body["values"]["by"] == "Ada"
    assert await kept_with(journal, WITH) == "", "and once"


async def test_one_that_goes_out_while_a_room_opens_is_shown_there_or_in_the_next(
    journal: Journal, clock: ManualClock
) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    await sent(unseen, "one")
    await asyncio.gather(unseen.show(WITH, RoomId("room")), sent(unseen, "two"))
    await unseen.show(WITH, RoomId("next"))

    assert await shown(journal, "one", "two") == ["one", "two"]


@asynccontextmanager
async def running(journal: Journal, clock: ManualClock, unseen: Unseen) -> AsyncIterator[None]:
    """The bot runs, and looks once a day."""
    sweeping = asyncio.create_task(forget_for_ever(journal, clock, 0, unseen, DAY))
    await clock.asleep()
    yield
    sweeping.cancel()


async def days(clock: ManualClock, many: int) -> None:
    for _ in range(many):
        clock.advance(DAY)
        await clock.asleep()


async def kept_with(journal: Journal, conversation: Conversation) -> str:
    marks = (await journal.belongings(conversation.contact)).marks
    return " ".join(f"{name} {value}" for name, value in marks.items())


async def test_what_nobody_answered_is_let_go_when_it_would_not_be_shown_any_more(
    journal: Journal, clock: ManualClock
) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    other = replace(WITH, contact=ContactId("491700000000"))
    await sent(unseen, "old")
    await sent(unseen, "old too", other)
    async with running(journal, clock, unseen):
        await days(clock, LIFE_DAYS)
        held = [await kept_with(journal, one) for one in (WITH, other)]
        await sent(unseen, "new", other)
        await days(clock, 1)

    assert "old" in held[0] and "old too" in held[1], "in time"
    assert await kept_with(journal, WITH) == "", "nothing of it, not even with whom it was"
    left = await kept_with(journal, other)
    assert "new" in left and "old too" not in left
    await unseen.show(other, RoomId("room"))
    assert await shown(journal, "old too", "new") == ["new"]


async def test_a_clock_that_stands_far_ahead_for_a_day_hides_and_takes_nothing(
    journal: Journal, clock: ManualClock
) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    other = replace(WITH, contact=ContactId("491700000000"))
    await sent(unseen, "kept")
    await sent(unseen, "asked for", other)
    async with running(journal, clock, unseen):
        await days(clock, 1)
        clock.advance(10_000 * DAY)
        await clock.asleep()
        await unseen.show(other, RoomId("other room"))
    clock.time -= 10_000 * DAY
    restarted = Unseen(journal, clock, LocalLocks().alone)
    async with running(journal, clock, restarted):
        await days(clock, 2)
    await restarted.show(WITH, RoomId("room"))

    assert await shown(journal, "asked for", "kept") == ["asked for", "kept"]


async def test_what_was_sent_while_the_clock_stood_far_behind_is_shown_when_it_stands_right(
    journal: Journal, clock: ManualClock
) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    async with running(journal, clock, unseen):
        await days(clock, 1)
    clock.time -= 10_000 * DAY
    await sent(unseen, "kept")
    clock.time += 10_000 * DAY
    async with running(journal, clock, unseen):
        await days(clock, 1)
    await unseen.show(WITH, RoomId("room"))

    assert await shown(journal, "kept") == ["kept"]
