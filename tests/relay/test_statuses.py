"""A status that comes while its message is being confirmed, or shown, is neither taken for somebody else's nor lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from bot.config import App
from bot.errors import Trouble
from bot.model import ContactId, MessageId, NumberId, Pair, RoomId, Wamid
from bot.ports import Entry, Handler, Outcome, Step, Workspace
from bot.relay.handover import opaque_name
from bot.relay.notices import Notices, notice, standing_for
from bot.relay.own_reactions import OwnReactions
from bot.relay.quotes import Quotes
from bot.relay.status_endpoint import StatusEndpoint
from bot.relay.statuses import Statuses
from bot.relay.ticks import REST, Ticks
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from bot.translations import translator
from tests.contract.journals import ManualClock

PAIR = Pair(Wamid("w1"), MessageId("m1"), RoomId("r1"), NumberId("4915"), ContactId("4917"), True, entry="rc:m1")


class Interleaved(SqliteJournal):
    """The real journal; `meanwhile` happens right after the first look for a pair."""

    manual: ManualClock
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def pair(self, wamid: Wamid) -> Pair | None:
        found = await super().pair(wamid)
        if self.meanwhile is not None:
            now, self.meanwhile = self.meanwhile, None
            await now()
        return found


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Interleaved]:
    clock = ManualClock()
    async with Interleaved(tmp_path, Vault(tmp_path / "secret.key"), clock) as opened:
        opened.manual = clock
        yield opened


class Endpoint:
    async def changed(self, *_: object) -> None: ...


class Room:
    """The workspace, as far as a post and its marks need it."""

    def __init__(self) -> None:
        self.posts: set[str] = set()
        self.marks: list[tuple[str, str, bool]] = []

    async def say(self, _: object, id: str, __: object) -> None:
        self.posts.add(id)

    async def message(self, id: str) -> dict[str, object] | None:
        return {"_id": id} if id in self.posts else None

    async def react(self, message: str, code: str, on: bool) -> None:
        self.marks.append((message, code, on))


@pytest.mark.parametrize("first", ["status", "post"])
async def test_its_message_may_be_shown_in_the_same_moment(journal: Interleaved, first: str) -> None:
    """A template that opened the conversation stands in no room until then. Each has read the pair before the other has
    stored it; nobody loses where the message stands, or that it was read."""
    room, clock, t = Room(), journal.manual, translator()
    workspace = cast(Workspace, room)
    ticks = Ticks(journal, OwnReactions(workspace, lambda: "bot", nullcontext), clock, wanted=True)
    notices = Notices(
        journal=journal, workspace=workspace, setup_room=room_of_setup, setup_lost=lambda: None, ticks=ticks, t=t,
        quotes=Quotes(journal, no_setting, clock, App, t, url="https://chat.example"),
    )  # fmt: skip
    handlers: dict[str, Handler] = {
        "status": Statuses(journal, cast(StatusEndpoint, Endpoint()), ticks),
        "post": notices,
    }
    await journal.append(Entry("tpl:1", "tpl", "template.send", {}))
    [sent] = await journal.heads(1)
    pair = replace(PAIR, message=MessageId(""), room=RoomId("setup"), entry="tpl:1")
    await journal.done(sent, Outcome({"wamids": ["w1"]}, (pair,)))
    item = {"id": "w1", "status": "read", "timestamp": "5"}
    status = Entry("st:w1:read", "st:4915:w1", "wa.status", {"item": item, "at": 5}, source="4915")
    post = standing_for("w1", notice("tpl:1", "r1", "notice.template_before", template="x", text="y", when="z"))
    await journal.append(status, post)
    entries = {"status" if one.kind == "wa.status" else "post": one for one in await journal.heads(2)}

    async def work(name: str) -> None:
        await journal.done(entries[name], await handlers[name](entries[name]))

    other = "post" if first == "status" else "status"
    journal.meanwhile = lambda: work(other)
    await work(first)

    found = await journal.pair(PAIR.wamid)
    assert found is not None
    assert (found.room, found.state, {found.message}) == ("r1", "read", room.posts)
    clock.advance(REST)
    while ticking := await journal.heads(9):
        for one in ticking:
            await journal.done(one, await ticks(one))
    assert [code for _, code, _ in room.marks] == [":eyes:"]


async def room_of_setup() -> RoomId:
    return RoomId("setup")


async def no_setting(_: str) -> None:
    return None


async def test_its_message_may_be_done_between_two_looks(journal: Interleaved) -> None:
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
