"""`status`: how it stands, what was given up and how to try it again, and what became of one message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import SENT_SINCE
from bot.model import ContactId, Conversation, NumberId, RoomId, VisitorToken
from bot.ports import Entry, Journal, Step
from bot.relay.audit import Audit
from bot.relay.overview import Link
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from tests.chatops.browser import Browser
from tests.chatops.desk import Scene, labels
from tests.chatops.steps import FILLED, opened

CALL = "!whatsapp-360d-cloud status"
OURS = NumberId("4915112345678")
MARIA = Conversation(OURS, ContactId("4917"), VisitorToken("t"), RoomId("room1"), phone="+4917", name="Maria *@all*")


def wrote(id: str) -> Entry:
    message = {"_id": id, "rid": "room1", "msg": "a secret", "u": {"_id": "u", "username": "bob"}, "ts": {"$date": 1}}
    return Entry(f"rc:{id}", "out:room1", "rc.message", {"message": message})


@pytest.fixture
async def journal(scene: Scene, tmp_path: Path) -> AsyncIterator[Journal]:
    async with SqliteJournal(tmp_path / "kept", Vault(tmp_path / "kept.key"), scene.clock) as opened:
        scene.journal = opened
        scene.restart()
        await opened.remember(MARIA)
        yield opened


async def die(journal: Journal, entry: Entry, why: str, *, handed: bool = False) -> None:
    await journal.append(entry)
    [taken] = await journal.heads(1)
    if handed:
        await journal.progress(taken, 0, Step("handed"))
        await journal.release(taken)
        [taken] = await journal.heads(1)
    await journal.park(taken, why)


async def test_a_fresh_house_says_that_all_is_well(scene: Scene, journal: Journal) -> None:
    post = await scene.one(CALL)

    assert "connected since 2023-11-14 22:13:20 UTC, last heard from 2023-11-14 22:15:00 UTC" in post.text
    for told in ("No WhatsApp number is connected.", "Nothing waits", "No message was given up."):
        assert told in post.text
    assert labels(post) == ["Show status"]


async def test_the_question_itself_does_not_count_as_waiting(scene: Scene, journal: Journal) -> None:
    asked = scene.entry(CALL)
    await journal.append(asked)
    await journal.heads(1)

    [post] = await scene.answers(asked)

    assert "Nothing waits" in post.text


async def test_numbers_are_shown_with_their_health(scene: Scene, journal: Journal, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    await browser.submit(address, page, **FILLED)

    assert "+4915112345678** · Demo Shop: " in (await scene.one(CALL)).text


async def test_a_lost_connection_is_told(scene: Scene, journal: Journal) -> None:
    scene.link = Link(connected=False, since=0, heard_at=0)

    assert "not connected, last heard from never since the start" in (await scene.one(CALL)).text


@pytest.mark.parametrize(("seconds", "age"), [(5, "just now"), (60, "1 min"), (3720, "1 h 2 min")])
async def test_what_waits_is_counted_by_direction_with_its_age(
    scene: Scene, journal: Journal, seconds: int, age: str
) -> None:
    await journal.append(Entry("wa:1", "in:1", "wa.message", {}), wrote("m1"), Entry("st:1", "st:1", "wa.status", {}))
    await journal.append(Entry("tick:1", "tick:1", "tick", {}), Entry("late:1", "late:1", "late", {}))
    scene.clock.time += seconds

    text = (await scene.one(CALL)).text

    for way in ("From customers: 1,", "To customers: 1,", "Other work (statuses, notices, commands): 1,"):
        assert f"{way} the oldest since 2023-11-14 22:13:20 UTC ({age})" in text


async def test_dead_letters_are_told_with_who_why_and_a_button(scene: Scene, journal: Journal) -> None:
    for number in range(7):
        scene.clock.time += 1
        await die(journal, wrote(f"m{number}"), "WindowClosed: 131047")

    post = await scene.one(CALL)

    assert "Given up and kept: 7." in post.text
    assert "each of them is kept: 30. The next one is deleted on 2023-12-14 22:13:21 UTC." in post.text
    assert post.text.count("WhatsApp accepts only template messages now. Send a template") == 5
    assert "22:13:27 UTC" in post.text
    assert "22:13:22 UTC" not in post.text, "the latest are shown"
    assert "*@all*" not in post.text, "a customer's name cannot call people"
    assert "secret" not in post.text
    assert labels(post)[-2:] == ["Retry all", "Show status"]

    assert "waits to be delivered again" in (await scene.one(post.buttons[0].text)).text
    assert "no kept message “rc:m6”" in (await scene.one(post.buttons[0].text)).text
    stored = await journal.find("rc:m6")
    assert stored is not None
    assert stored.state == "waiting"
    assert [f"{Audit.said(one)}" for one in (await scene.audit.find((), 9))[0]] == ["retry entry=rc:m6"]


async def test_what_may_have_arrived_is_retried_only_by_its_own_button(scene: Scene, journal: Journal) -> None:
    await die(journal, wrote("m1"), "Unsure: timeout", handed=True)
    await die(journal, wrote("m2"), "Unreachable")
    await die(journal, wrote("m3"), f"it waited in the backup of yesterday and {SENT_SINCE}")

    post = await scene.one(CALL)
    assert any(label.startswith("Send again, perhaps twice: ") for label in labels(post))
    told = await scene.press(post, "Retry all")

    assert "Waiting to be delivered again: 1." in told[0].text
    assert [one.entry.key for one in await journal.dead()] == ["rc:m1", "rc:m3"]


async def test_a_reason_is_told_to_its_end_where_the_next_step_stands(scene: Scene, journal: Journal) -> None:
    await die(journal, wrote("m1"), "Unsure: timeout", handed=True)

    for question in (CALL, f"{CALL} m1"):
        assert "Ask the customer, or send it again yourself.\n" in (await scene.one(question)).text + "\n"


async def test_it_tells_what_became_of_a_message(scene: Scene, journal: Journal) -> None:
    await die(journal, wrote("m1"), "WindowClosed: 131047")

    for word in ("m1", "+49 17 00 00", "4917"):
        post = await scene.one(f"{CALL} {word}")
        if word.startswith("+"):
            assert "Nothing is known of" in post.text
            continue
        assert "It was written in Rocket.Chat and stored." in post.text
        assert "It was given up and is kept." in post.text
        assert post.text.startswith("**Message to a customer · Maria ")
        assert "+4917** · 2023-11-14 22:13:20 UTC" in post.text
        assert "rc:m1" not in post.text, "nobody can read a key"
        assert "*@all*" not in post.text, "a customer's name cannot call people"
        assert [(one.label, one.text) for one in post.buttons][:1] == [
            ("Retry: Maria *@all*, +4917", "!whatsapp-360d-cloud status retry rc:m1")
        ]


async def test_it_is_for_those_who_may_use_commands(scene: Scene, journal: Journal) -> None:
    assert "livechat-manager" in (await scene.one(CALL, user="eve")).text
