"""Agents' reactions are known by what was seen before, also before a restart."""

from __future__ import annotations

from typing import Any

from bot.model import UserId
from bot.ports import Entry, Journal
from bot.relay.afterwards import Afterwards

BOT = UserId("bot")
DAY = 86400.0


def message(id: str, at: float, *reactions: str) -> dict[str, Any]:
    return {
        "_id": id, "rid": "room", "msg": "hi", "token": "t", "u": {"_id": "v", "username": "guest-1"},
        "ts": {"$date": 1000}, "_updatedAt": {"$date": int(at * 1000)},
        "reactions": {code: {"usernames": ["ada"]} for code in reactions},
    }  # fmt: skip


async def started(journal: Journal) -> Afterwards:
    afterwards = Afterwards(lambda: "wa.bot")
    await afterwards.learn(journal)
    return afterwards


async def seen(journal: Journal, afterwards: Afterwards, *messages: dict[str, Any]) -> list[Entry]:
    entries = [entry for one in messages for entry in afterwards.entries(one, BOT)]
    await afterwards.note(journal, entries)
    return entries


def told(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(entry.body["message"], entry.body["code"]) for entry in entries]


async def test_what_stood_before_a_restart_is_no_news_after_it_and_its_end_is(journal: Journal) -> None:
    first = await started(journal)
    assert told(await seen(journal, first, message("a", 10, ":tada:"), message("b", 11))) == [("a", ":tada:")]

    second = await started(journal)
    assert await seen(journal, second, message("a", 12, ":tada:"), message("b", 13)) == []
    assert told(await seen(journal, second, message("a", 14))) == [("a", "")]

    third = await started(journal)
    assert await seen(journal, third, message("a", 15)) == []
    assert await journal.marks("reacted:") == {}


async def test_what_whatsapp_would_not_deliver_any_more_is_forgotten_at_a_start(journal: Journal) -> None:
    first = await started(journal)
    await seen(journal, first, message("old", 10, ":tada:"), message("young", 20 + 5 * DAY, ":x:"))
    await seen(journal, first, message("new", 15 + 30 * DAY, ":x:"))

    second = await started(journal)

    assert sorted(await journal.marks("reacted:")) == ["reacted:new", "reacted:young"]
    assert told(await seen(journal, second, message("old", 40 * DAY), message("young", 40 * DAY))) == [("young", "")]
