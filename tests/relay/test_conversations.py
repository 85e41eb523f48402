"""A conversation changes while somebody works with what it was."""

from dataclasses import replace
from typing import cast

from bot.model import ContactId, Conversation, NumberId, RoomId, VisitorToken
from bot.ports import Journal, Registry, Workspace
from bot.relay.conversations import Conversations
from bot.relay.targets import Targets
from bot.relay.unseen import Unseen
from bot.storage.local_locks import LocalLocks
from tests.contract.journals import ManualClock

MARIA = Conversation(NumberId("4915112345678"), ContactId("491701234567"), VisitorToken("t"), RoomId("first"), "+1")


async def test_a_room_that_is_closed_late_takes_the_next_one_from_nobody(journal: Journal, clock: ManualClock) -> None:
    """The customer has written since: they have a new room, and perhaps a new phone."""
    workspace, alone = cast(Workspace, None), LocalLocks().alone  # nobody is asked
    targets, unseen = Targets(journal, workspace, clock), Unseen(journal, clock, alone)
    conversations = Conversations(
        journal, workspace, cast(Registry, None), lambda *_: MARIA.token, targets=targets, unseen=unseen, alone=alone
    )
    now = replace(MARIA, room=RoomId("second"), phone="+2")
    await journal.remember(MARIA)
    await journal.remember(now)

    await conversations.closed(MARIA, RoomId("first"))
    assert await journal.conversation(MARIA.number, MARIA.contact) == now

    await conversations.closed(MARIA, RoomId("second"))
    assert await journal.conversation(MARIA.number, MARIA.contact) == replace(now, room=None)
