"""A watch over agents' messages ends by itself: it is nobody's letter, so it never becomes a dead one."""

from __future__ import annotations

import asyncio

from bot.errors import Trouble
from bot.model import ContactId, Conversation, NumberId, RoomId, VisitorToken
from bot.ports import Entry, Journal, Outcome
from bot.relay.late import Late
from bot.relay.worker import Worker
from tests.contract.journals import ManualClock
from tests.relay.at_work import LONG, at_work, nobody

ROOM = "room"


def written(name: str) -> Entry:
    message = {"_id": name, "rid": ROOM, "msg": name, "u": {"_id": "agent", "username": "bea"}}
    return Entry(f"rc:{name}", f"out:{ROOM}", "rc.message", {"message": message})


async def away(entry: Entry) -> Outcome:
    raise Trouble(f"away: {entry.key}")


async def said(entry: Entry) -> Outcome:
    return Outcome({"said": entry.key})


async def turns(journal: Journal) -> None:
    """Of the disk and of the loop, as many as the worker needs to try everything once: what is written is written after
    what the worker asked for before, however slow the disk is."""
    for turn in range(20):
        await journal.counts()
        await journal.set_mark("turn", str(turn))


async def talking(journal: Journal) -> None:
    await journal.remember(
        Conversation(NumberId("4930"), ContactId("49151"), VisitorToken("token"), RoomId(ROOM), phone="+49151")
    )


async def test_the_end_of_an_outage_of_nearly_a_day_is_told(journal: Journal, clock: ManualClock) -> None:
    await talking(journal)
    late, over = Late(journal, clock), asyncio.Event()

    async def handler(entry: Entry) -> Outcome:
        return await (said(entry) if over.is_set() else away(entry))

    worker = Worker(journal, {"rc.message": late.watching(handler), "late": late, "notice": said}, clock, nobody)
    async with at_work(worker):
        await journal.append(written("one"))
        for _ in range(20):
            await turns(journal)
            clock.advance(LONG)
        assert await journal.find("notice:late:rc:one") is not None
        assert await journal.find("notice:late over:rc:one") is None
        over.set()
        async with asyncio.timeout(60):
            while (await journal.counts())["waiting"]:
                clock.advance(60)
                await turns(journal)

    assert await journal.find("notice:late over:rc:one") is not None
    assert await journal.dead() == []


async def test_an_outage_of_days_leaves_only_the_messages_themselves_as_dead_letters(
    journal: Journal, clock: ManualClock
) -> None:
    await talking(journal)
    late = Late(journal, clock)
    worker = Worker(journal, {"rc.message": late.watching(away), "late": late, "notice": said}, clock, nobody)
    async with at_work(worker):
        for hour in range(40):
            if hour % 8 == 0:
                await journal.append(written(f"at {hour}"))
            await turns(journal)
            clock.advance(LONG)
            await turns(journal)
        async with asyncio.timeout(60):
            while (await journal.counts())["waiting"]:
                clock.advance(LONG)
                await turns(journal)
    assert {one.entry.key for one in await journal.dead()} == {f"rc:at {hour}" for hour in range(0, 40, 8)}
