"""A status that comes while its message is being confirmed is not taken for somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import pytest

from bot.errors import Trouble
from bot.model import ContactId, MessageId, NumberId, Pair, RoomId, Wamid
from bot.ports import Entry, Outcome, Step, Workspace
from bot.relay.handover import opaque_name
from bot.relay.own_reactions import OwnReactions
from bot.relay.status_endpoint import StatusEndpoint
from bot.relay.statuses import Statuses
from bot.relay.ticks import Ticks
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock

PAIR = Pair(Wamid("w1"), MessageId("m1"), RoomId("r1"), NumberId("4915"), ContactId("4917"), True, entry="rc:m1")


class Interleaved(SqliteJournal):
    """The real journal; `meanwhile` happens right after the first look for a pair."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def pair(self, wamid: Wamid) -> Pair | None:
        found = await super().pair(wamid)
        if self.meanwhile is not None:
            now, self.meanwhile = self.meanwhile, None
            await now()
        return found


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Interleaved]:
    async with Interleaved(tmp_path, Vault(tmp_path / "secret.key"), ManualClock()) as opened:
        yield opened


async def test_its_message_may_be_done_between_two_looks(journal: Interleaved) -> None:
    class Endpoint:
        async def changed(self, *_: object) -> None: ...

    item = {"id": "w1", "status": "read", "timestamp": "5", "biz_opaque_callback_data": opaque_name("rc:m1", 0)}
    status = Entry("st:w1:read", "st:4915:w1", "wa.status", {"item": item, "at": 5}, source="4915", tries=9)
    ticks = Ticks(journal, OwnReactions(cast(Workspace, None), lambda: "", nullcontext), ManualClock(), wanted=True)
    statuses = Statuses(journal, cast(StatusEndpoint, Endpoint()), ticks)
    await journal.append(Entry("rc:m1", "out:r1", "rc.message", {}))
    [sent] = await journal.heads(1)
    await journal.progress(sent, 0, Step("handed"))
    journal.meanwhile = lambda: journal.done(sent, Outcome({"wamids": ["w1"]}, (PAIR,)))

    with pytest.raises(Trouble):
        await statuses(status)

    assert (await statuses(status)).pairs[0].state == "read"
