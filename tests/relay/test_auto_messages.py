"""What a number says by itself belongs to one time of waiting, and the agent of that conversation sees it."""

from typing import cast

import pytest

from bot.model import ContactId, Conversation, Number, NumberId, RoomId, VisitorToken
from bot.ports import Entry, Journal, Outcome, Workspace
from bot.relay.auto_messages import nobody_here, opened
from tests.contract.journals import take

NUMBER = Number(
    NumberId("4915112345678"), "+4915112345678", "key", "path", "secret",
    welcome_message="Hello!", offline_message="We are back on Monday.",
)  # fmt: skip
WITH = Conversation(NUMBER.id, ContactId("491701234567"), VisitorToken("t"), phone="+491701234567")
ROOM = RoomId("room")


class Staffed:
    async def anybody_available(self, department: str) -> bool:
        return True


async def open_room(journal: Journal) -> None:
    await opened(journal, cast(Workspace, Staffed()), NUMBER, WITH, room=ROOM, department="")


async def waits(journal: Journal) -> Entry:
    """A customer's message that finds no agent; the customer was told so."""
    await journal.append(Entry("wa:first", f"in:{NUMBER.id}:{WITH.contact}", "wa.message", {}, source=NUMBER.id))
    waiting = await take(journal, "wa:first")
    await nobody_here(journal, NUMBER, WITH, waiting)
    for said in await journal.heads(10):
        await journal.done(said, Outcome({"wamids": ["w"]}))
    for said in await journal.heads(10):
        await journal.done(said, Outcome({"wamids": ["w"]}))
    return waiting


async def said(journal: Journal) -> list[str]:
    keys = (f"welcome:{ROOM}", "notice:welcome:wa:first", "notice:offline:wa:first")
    return [key for key in keys if await journal.find(key)]


async def test_who_waited_is_not_welcomed_again_and_the_agent_sees_what_they_were_told(journal: Journal) -> None:
    await waits(journal)
    await open_room(journal)
    await open_room(journal)

    assert await said(journal) == ["notice:welcome:wa:first", "notice:offline:wa:first"]


@pytest.mark.parametrize("retried", [False, True])
async def test_after_the_waiting_message_was_given_up_the_next_conversation_begins_anew(
    journal: Journal, retried: bool
) -> None:
    await journal.park(await waits(journal), "NoAgentOnline")
    await open_room(journal)
    if retried:  # goes into the room that is open
        await journal.retry("wa:first")
    await open_room(journal)

    assert await said(journal) == [f"welcome:{ROOM}"]
