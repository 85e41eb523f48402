"""What became of a message can be asked of every store: by its ids, and by the customer's number."""

from __future__ import annotations

import ast
import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.chatops.command import Act
from bot.ports import Entry, Journal, Outcome, Step
from bot.relay import trace
from bot.relay.audit import Audit
from bot.relay.trace import Trace
from bot.storage import journal_person
from bot.storage.journal_sqlite import FILE
from bot.translations import translator
from tests.configured import configured
from tests.contract.journals import NOON, ManualClock, SqliteStore, take
from tests.contract.test_journal_lookups import MARIA, OURS, PAIR
from tests.kept_logging import logging_kept

IN = Entry("wa:wamid.IN", f"in:{OURS}:{MARIA.contact}", "wa.message", {"item": "a secret text"}, source=OURS)
OUT = Entry("rc:m1", "out:room1", "rc.message", {"message": "another secret"})


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """The command line sets up logging for its own output, which ends with the test."""
    with logging_kept():
        yield


def trace_of(journal: Journal) -> Trace:
    return Trace(journal, translator("en"))


async def says(journal: Journal, word: str) -> list[str]:
    return [line.says for track in await trace_of(journal).of(word) for line in track.lines]


async def sent(journal: Journal, clock: ManualClock) -> None:
    await journal.append(OUT)
    clock.advance(1)
    await journal.done(await take(journal, OUT.key), Outcome({"wamids": [PAIR.wamid]}, (PAIR,), MARIA))


async def status(journal: Journal, state: str, at: float, **result: str) -> None:
    entry = Entry(f"st:{PAIR.wamid}:{state}", f"st:{OURS}:{PAIR.wamid}", "wa.status", {}, int(at * 1000), OURS)
    await journal.append(entry)
    pair = replace(PAIR, state=state, state_at=at)
    await journal.done(await take(journal, entry.key), Outcome({"state": state, **result}, (pair,)))


async def test_a_sent_message_is_told_from_writing_to_reading(journal: Journal, clock: ManualClock) -> None:
    await sent(journal, clock)
    await status(journal, "delivered", NOON + 5)
    await status(journal, "read", NOON + 9)

    for word in (PAIR.wamid, PAIR.message, OUT.key):
        [track] = await trace_of(journal).of(word)
        assert [line.says for line in track.lines] == [
            "It was written in Rocket.Chat and stored.",
            f"WhatsApp took it as {PAIR.wamid}.",
            "It reached the customer's phone.",
            "The customer read it.",
        ]
        assert [line.at - NOON for line in track.lines] == [0, 1, 5, 9]


async def test_a_clock_that_is_behind_does_not_turn_the_story_round(journal: Journal, clock: ManualClock) -> None:
    """WhatsApp tells whole seconds, and by its own clock."""
    await sent(journal, clock)
    await status(journal, "read", NOON - 2)
    await status(journal, "delivered", NOON - 3)

    assert await says(journal, PAIR.wamid) == [
        "It was written in Rocket.Chat and stored.",
        f"WhatsApp took it as {PAIR.wamid}.",
        "It reached the customer's phone.",
        "The customer read it.",
    ]


async def test_a_failure_is_told_with_its_reason(journal: Journal, clock: ManualClock) -> None:
    await sent(journal, clock)
    await status(journal, "failed", NOON + 5, reason="error.not_on_whatsapp", said="Message undeliverable")

    assert "WhatsApp could not deliver it. WhatsApp cannot reach this customer" in (await says(journal, PAIR.wamid))[-1]


async def test_what_waits_says_why_and_what_is_dead_too(journal: Journal) -> None:
    await journal.append(IN)
    assert await says(journal, "wamid.IN") == [
        "The customer's message arrived from WhatsApp and was stored.", "It waits for its turn.",
    ]  # fmt: skip
    await journal.again(await take(journal, IN.key), 0, "Unreachable: no route")
    [track] = await trace_of(journal).of("wamid.IN")
    assert "tries so far: 1" in track.lines[-1].says
    assert track.state == "waiting"

    await journal.park(await take(journal, IN.key), "ContactBlocked")
    [track] = await trace_of(journal).of("wamid.IN")
    assert track.state == "dead"
    assert "This contact is blocked in Rocket.Chat" in track.lines[-1].says


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"ignored": "not_whatsapp"}, "its room is no conversation with a WhatsApp customer"),
        ({"ignored": "no_content"}, "neither text nor a file"),
        ({"ignored": "deleted_in_time"}, "deleted in Rocket.Chat while it waited"),
        ({"ignored": "words of a later version"}, "There was nothing to deliver."),
        ({"refused": "WindowClosed: Re-engagement message"}, "is not tried again. The customer last wrote"),
    ],
)
async def test_what_had_not_to_be_delivered_says_why_in_words(
    journal: Journal, result: dict[str, str], told: str
) -> None:
    await journal.append(OUT)
    await journal.done(await take(journal, OUT.key), Outcome(result))

    last = (await says(journal, OUT.key))[-1]
    assert told in last
    assert "later version" not in last


def test_every_reason_of_a_message_has_words() -> None:
    """Literals of `Outcome({"ignored": …})` in the handlers whose entries are traced."""
    said = set()
    for name in ("outbound", "inbound", "inbound_media", "echoes", "auto_messages", "template_sends"):
        for node in ast.walk(ast.parse(Path(trace.__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                said |= {ast.literal_eval(value) for key, value in pairs if _is(key, "ignored")}

    assert said == trace.NOTHING


def _is(key: ast.expr | None, word: str) -> bool:
    return isinstance(key, ast.Constant) and key.value == word


async def test_an_unsure_message_says_that_nothing_is_sent_twice(journal: Journal) -> None:
    await journal.append(OUT)
    taken = await take(journal, OUT.key)
    await journal.progress(taken, 0, Step("handed"))
    await journal.again(taken, 30, "Unsure: timeout", confirm=True)

    assert "sends nothing twice" in (await says(journal, OUT.key))[-1]


@pytest.mark.parametrize("word", ["+49 170 123-4567", "491701234567", "0049 170 1234567", "DE.42"])
async def test_a_phone_leads_to_the_last_messages(journal: Journal, clock: ManualClock, word: str) -> None:
    await sent(journal, clock)
    await journal.append(IN, Entry("rc:m2", "out:room1", "rc.message", {}))
    other = Entry("wa:other", f"in:{OURS}:4999", "wa.message", {}, source=OURS)
    await journal.append(other)

    tracks = await trace_of(journal).of(word)

    assert [track.entry.key for track in tracks] == ["rc:m2", IN.key, OUT.key]


async def test_a_customer_of_whom_only_a_dead_letter_is_known_is_found(journal: Journal) -> None:
    await journal.append(IN)
    await journal.park(await take(journal, IN.key), "ContactBlocked")

    assert [track.entry.key for track in await trace_of(journal).of("+491701234567")] == [IN.key]


async def test_each_message_is_headed_by_what_it_is_and_whose(journal: Journal, clock: ManualClock) -> None:
    """A key tells an administrator nothing."""
    await sent(journal, clock)
    media = Entry("media:wa:wamid.IN", f"media:{OURS}:{MARIA.contact}", "wa.media", {}, source=OURS)
    shown = Entry("wa:wamid.SHOWN", f"in:{OURS}:{MARIA.contact}", "wa.message", {}, source=OURS)
    waiting = Entry("rc:m2", "out:room1", "rc.message", {})
    template = Entry("tpl:1:1/1", f"tpl:{OURS}:4999", "template.send", {"to": "4999"}, source=OURS)
    greeting = Entry("welcome:room1", "out:room1", "auto.message", {}, source=OURS)
    foreign = Entry("rc:m3", "out:elsewhere", "rc.message", {})
    stranger = {"item": {"from": "4988", "id": "wamid.N"}, "contact": {"profile": {"name": "Nina"}, "wa_id": "4988"}}
    nina = Entry("wa:wamid.N", f"in:{OURS}:4988", "wa.message", stranger, source=OURS)
    await journal.append(shown)
    await journal.done(await take(journal, shown.key), Outcome({"message": "m9", "room": "room1"}))
    await journal.append(IN, media, waiting, template, greeting, foreign, nina, Entry("x", "x", "notice", {}))

    told = {}
    for key in ("rc:m1", "rc:m2", IN.key, media.key, shown.key, template.key, greeting.key, foreign.key, nina.key, "x"):
        [track] = await trace_of(journal).of(key)
        told[key] = track.head

    maria = "Maria 😄, +491701234567"
    assert told == {
        "rc:m1": f"Message to a customer · {maria}",
        "rc:m2": f"Message to a customer · {maria}",
        IN.key: f"Message from a customer · {maria}",
        media.key: f"File from a customer · {maria}",
        shown.key: f"Message from a customer · {maria}",
        template.key: "Template message to a customer · +4999",
        greeting.key: f"Automatic message to a customer · {maria}",
        foreign.key: "Message in Rocket.Chat",
        nina.key: "Message from a customer · Nina, +4988",
        "x": "Other work of the bot (notice)",
    }


async def test_whoever_was_erased_heads_nothing(journal: Journal, clock: ManualClock) -> None:
    await sent(journal, clock)
    await journal.erase(MARIA.contact)

    assert [track.head for track in await trace_of(journal).of(OUT.key)] == ["Message in Rocket.Chat"]


async def test_nothing_is_known_of_somebody_else(journal: Journal, clock: ManualClock) -> None:
    await sent(journal, clock)

    for word in ("", "+4917012345", "wamid.X", "DE.4", "%"):
        assert await trace_of(journal).of(word) == []


async def test_nobody_walks_through_what_is_done(tmp_path: Path, clock: ManualClock) -> None:
    async with SqliteStore(tmp_path).open(clock):
        with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
            values = {"person": "", "names": "[]", "tails": "[]", "most": 10}
            for query in (journal_person.NAMES, journal_person.ROOMS, journal_person.LATEST):
                plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", values)]
                walks = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
                open_ones = ("entries_dead", "entries_waiting")  # indexes of what is not done
                assert not [step for step in walks if not step.endswith(open_ones)], plan


async def test_the_command_line_says_how_to_try_a_dead_letter_again(
    tmp_path: Path, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, tmp_path)
    async with SqliteStore(tmp_path).open(clock) as journal:
        await journal.append(OUT)
        await journal.park(await take(journal, OUT.key), "WindowClosed: 131047")
        assert await asyncio.to_thread(main, ["trace", OUT.key, "--config", str(config)]) == 0

    told = capsys.readouterr().out
    assert "in Rocket.Chat: /whatsapp-360d-cloud status retry rc:m1\n" in told
    assert f"while the bot is stopped: python -m bot dead --config {config} --retry rc:m1\n" in told


async def test_what_somebody_wrote_does_not_command_the_operators_terminal(
    tmp_path: Path, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever writes may choose a message's `_id`."""
    config = configured(tmp_path, tmp_path)
    evil = OUT._replace(key="rc:\x1b[2Jm")
    async with SqliteStore(tmp_path).open(clock) as journal:
        await journal.append(evil)
        await journal.park(await take(journal, evil.key), "WindowClosed: \x9b2J")
        audit = Audit(journal, clock, lambda *_: b"seal")
        await journal.append(audit.entry("x", Act("settings", {"a": "\x1b[2Jm"}), who="ada", origin="chat"))
        codes = [
            await asyncio.to_thread(main, [*words, "--config", str(config)])
            for words in (("dead",), ("audit",), ("trace", evil.key))
        ]

    told = capsys.readouterr().out
    assert codes == [0, 0, 0]
    assert told.count("[2Jm") >= 3
    assert "\x1b" not in told and "\x9b" not in told


async def test_the_command_line_asks_beside_a_running_bot(
    tmp_path: Path, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, tmp_path)
    async with SqliteStore(tmp_path).open(clock) as journal:
        await sent(journal, clock)
        await journal.append(IN)
        codes = [
            await asyncio.to_thread(main, ["trace", *words, "--config", str(config)])
            for words in ((str(PAIR.wamid),), ("+49", "170", "1234567", "--json"), ("nonsense",))
        ]

    told = capsys.readouterr()
    assert codes == [0, 0, 1]
    text, _, document = told.out.partition("\n[")
    assert text.startswith("Message to a customer · Maria 😄, +491701234567 · 2026-09-21 14:13:20Z\n")
    assert "2026-09-21 14:13:21Z  WhatsApp took it as wamid.A+/=." in text
    assert [(one["key"], one["state"]) for one in json.loads("[" + document)] == [
        (IN.key, "waiting"), (OUT.key, "done"),
    ]  # fmt: skip
    assert "Nothing is known of “nonsense”" in told.err
    assert "secret" not in told.out


async def test_where_nothing_is_stored_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path, tmp_path / "data")

    assert await asyncio.to_thread(main, ["trace", "wamid.X", "--config", str(config)]) == 2
    assert "Nothing is stored in " in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
