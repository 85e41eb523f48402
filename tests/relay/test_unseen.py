"""Templates to people without an open conversation: none is lost before it was shown, none is kept for ever."""

import asyncio
from dataclasses import replace

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports import Journal
from bot.relay.unseen import LIFE, Unseen
from bot.storage.local_locks import LocalLocks
from tests.contract.journals import ManualClock

WITH = Conversation(NumberId("4915112345678"), ContactId("491701234567"), VisitorToken("t"))


async def sent(unseen: Unseen, key: str, to: Conversation = WITH) -> None:
    pair = Pair(Wamid(f"wamid.{key}"), MessageId(""), RoomId(""), to.number, to.contact, outbound=True, entry=key)
    await unseen.add(pair, by="", template="hello", text=f"> {key}")


async def shown(journal: Journal, *keys: str) -> list[str]:
    return [key for key in keys if await journal.find(f"notice:{key}")]


async def test_two_templates_at_once_are_both_shown(journal: Journal, clock: ManualClock) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    await asyncio.gather(sent(unseen, "one"), sent(unseen, "two"))
    await unseen.show(WITH, RoomId("room"))

    assert await shown(journal, "one", "two") == ["one", "two"]


async def test_one_that_goes_out_while_a_room_opens_is_shown_there_or_in_the_next(
    journal: Journal, clock: ManualClock
) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    await sent(unseen, "one")
    await asyncio.gather(unseen.show(WITH, RoomId("room")), sent(unseen, "two"))
    await unseen.show(WITH, RoomId("next"))

    assert await shown(journal, "one", "two") == ["one", "two"]


async def test_what_nobody_answered_is_let_go_when_it_would_not_be_shown_any_more(
    journal: Journal, clock: ManualClock
) -> None:
    unseen = Unseen(journal, clock, LocalLocks().alone)
    other = replace(WITH, contact=ContactId("491700000000"))
    await sent(unseen, "old")
    await sent(unseen, "old too", other)
    clock.advance(LIFE - 1)
    await sent(unseen, "new", other)
    sweeping = asyncio.create_task(unseen.let_go_for_ever())
    await clock.asleep()
    held = [(await journal.belongings(one.contact)).marks for one in (WITH, other)]
    clock.advance(86400)
    await clock.asleep()
    sweeping.cancel()

    assert "old" in str(held[0]) and "old too" in str(held[1]), "in time"
    assert (await journal.belongings(WITH.contact)).marks == {}, "nothing of it, not even with whom it was"
    left = str((await journal.belongings(other.contact)).marks)
    assert "new" in left and "old too" not in left
    await unseen.show(other, RoomId("room"))
    assert await shown(journal, "old too", "new") == ["new"]
