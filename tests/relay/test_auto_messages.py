"""What a number says by itself belongs to one time of waiting, and the agent of that conversation sees it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from bot.model import ContactId, Conversation, Number, NumberId, Pair, RoomId, Sent, VisitorToken, Wamid
from bot.ports import Entry, Journal, Json, Outcome, Registry, WhatsApp, Workspace
from bot.relay.auto_messages import AutoMessages, nobody_here, opened
from bot.relay.status_endpoint import StatusEndpoint
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock, take

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


@pytest.mark.parametrize(("welcome", "offline"), [("", ""), ("Hello!", ""), ("", "We are back on Monday.")])
async def test_a_number_says_only_what_it_has_words_for_and_remembers_nothing_else(
    journal: Journal, welcome: str, offline: str
) -> None:
    number = replace(NUMBER, welcome_message=welcome, offline_message=offline)
    await journal.append(Entry("wa:first", f"in:{NUMBER.id}:{WITH.contact}", "wa.message", {}, source=NUMBER.id))
    waiting = await take(journal, "wa:first")
    for _ in range(2):  # it waits on
        await nobody_here(journal, number, WITH, waiting)

    told = [f"{which}:wa:first" for which, words in (("welcome", welcome), ("offline", offline)) if words]
    assert [one.key for one in await journal.heads(10)] == told[:1], "of one lane the first"
    assert [bool(await journal.find(f"{which}:wa:first")) for which in ("welcome", "offline")] == [
        bool(welcome), bool(offline),
    ]  # fmt: skip
    assert [bool(await journal.marks(prefix)) for prefix in ("welcomed:", "put off:")] == [bool(welcome), bool(offline)]


class Sender:
    """WhatsApp and the registry, as far as a text of a number's needs them; `meanwhile` happens as it goes out."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def number(self, id: NumberId) -> Number:
        return NUMBER

    async def turn(self, api_key: str, *, bulk: bool = False) -> None: ...

    async def send(self, api_key: str, body: Json) -> Sent:
        if self.meanwhile is not None:
            await self.meanwhile()
        return Sent(Wamid(f"wamid.{body['text']['body']}"))

    async def accepted(self, pairs: Iterable[Pair], to: str, text: str) -> None: ...


@pytest.mark.parametrize("moment", ["as it goes out", "when it is out", "twice"])
async def test_a_room_that_opens_as_the_customer_is_told_shows_it(journal: Journal, moment: str) -> None:
    await journal.remember(WITH)
    number = replace(NUMBER, welcome_message="")
    await journal.append(Entry("wa:first", f"in:{NUMBER.id}:{WITH.contact}", "wa.message", {}, source=NUMBER.id))
    await nobody_here(journal, number, WITH, await take(journal, "wa:first"))
    told = await take(journal, "offline:wa:first")
    sender = Sender()
    if moment != "when it is out":
        sender.meanwhile = lambda: open_room(journal)
    say = AutoMessages(cast(Registry, sender), journal, cast(WhatsApp, sender), cast(StatusEndpoint, sender))
    outcome = await say(told)
    if moment != "as it goes out":
        await open_room(journal)
    await journal.done(told, outcome)

    assert "notice:offline:wa:first" in await said(journal)


async def test_what_the_customer_has_not_been_told_yet_is_not_shown(journal: Journal) -> None:
    await journal.append(Entry("wa:first", f"in:{NUMBER.id}:{WITH.contact}", "wa.message", {}, source=NUMBER.id))
    await nobody_here(journal, replace(NUMBER, welcome_message=""), WITH, await take(journal, "wa:first"))
    await open_room(journal)

    assert "notice:offline:wa:first" not in await said(journal)


async def test_an_opening_that_is_cut_short_shows_it_at_the_next_try(tmp_path: Path, clock: ManualClock) -> None:
    class Cut(SqliteJournal):
        full = False

        async def append(self, *entries: Entry) -> int:
            if self.full and any("offline" in entry.key for entry in entries):
                raise OSError("the disk is full")
            return await super().append(*entries)

    async with Cut(tmp_path, Vault(tmp_path / "secret.key"), clock) as journal:
        await waits(journal)
        journal.full = True
        with pytest.raises(OSError, match="full"):
            await open_room(journal)
        journal.full = False
        await open_room(journal)

        assert "notice:offline:wa:first" in await said(journal)
