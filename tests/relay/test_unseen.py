"""Templates to people without an open conversation: none is lost before it was shown, none is kept for ever."""

import asyncio

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports import Journal
from bot.relay.unseen import Unseen
from bot.storage.local_locks import LocalLocks
from tests.contract.journals import ManualClock

WITH = Conversation(NumberId("4915112345678"), ContactId("491701234567"), VisitorToken("t"))


async def sent(unseen: Unseen, key: str) -> None:
    pair = Pair(Wamid(f"wamid.{key}"), MessageId(""), RoomId(""), WITH.number, WITH.contact, outbound=True, entry=key)
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
