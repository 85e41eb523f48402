"""What is stored of a customer can be handed out, and forgotten: on every store, wherever it stands."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.model import ContactId, RoomId, VisitorToken, Wamid
from bot.ports import Entry, Erased, Journal, Outcome
from tests.configured import configured
from tests.contract.bots import bot_on
from tests.contract.journals import ManualClock, SqliteStore, Store, take
from tests.contract.test_journal_lookups import MARIA, OURS, PAIR
from tests.kept_logging import logging_kept

PHONE = "491701234567"
INSIDE = "wamid." + base64.b64encode(b"\x1d\x04\x0b" + PHONE.encode() + b"\x15\x02").decode()
"""A WhatsApp message id as they come: the customer's number is in it."""
OTHER = replace(
    MARIA, contact=ContactId("4917012345678"), phone="+4917012345678", user_id="DE.43", name="Otto", room=RoomId("r2"),
    token=VisitorToken("token-of-otto"),
)  # fmt: skip
TRACES = (PHONE, "DE.42", "Maria", "token-of-maria", "room1", INSIDE, "a secret")


def entry(key: str, lane: str, kind: str = "wa.message", **body: object) -> Entry:
    return Entry(key, lane, kind, body, source=OURS)  # type: ignore[arg-type]  # one of the kinds


async def fill(journal: Journal) -> None:
    """Something of every sort: done, waiting and dead; with other people between."""
    for one, outcome in (
        (entry(f"wa:{INSIDE}", f"in:{OURS}:{PHONE}", text="a secret"), Outcome({"room": "room1", "message": "m0"})),
        (entry(f"st:{INSIDE}:read", f"st:{OURS}:x", "wa.status"), Outcome({"state": "read"})),
        (entry("rc:m1", "out:room1", "rc.message"), Outcome({"wamids": [PAIR.wamid]}, (PAIR,), MARIA)),
        (entry("wa:wamid.OTTO", f"in:{OURS}:{OTHER.contact}"), Outcome({}, (), OTHER)),
    ):
        await journal.append(one)
        await journal.done(await take(journal, one.key), outcome)
    await journal.append(entry("wa:dead", f"in:{OURS}:DE.42", text="a secret"))
    await journal.park(await take(journal, "wa:dead"), "ContactBlocked")
    await journal.append(
        entry("rc:m2", "out:room1", "rc.message", text="a secret"),
        entry("callback:1", "callback:3", "status.callback", fields={"mobileNo": f"+{PHONE}"}),
        entry("callback:2", "callback:4", "status.callback", fields={"mobileNo": OTHER.phone}),
        entry("wa:otto", f"in:{OURS}:{OTHER.contact}", text=f"my friend has {PHONE}"),
    )
    await journal.set_mark(f"alias:{OURS}:{PHONE}", "DE.42")
    await journal.set_mark(f"alias:{OURS}:{OTHER.contact}", "DE.43")


@pytest.mark.parametrize("name", [PHONE, "DE.42"])
async def test_an_export_holds_all_of_one_customer_and_nothing_of_others(journal: Journal, name: str) -> None:
    await fill(journal)

    held = await journal.belongings(name)

    assert set(held.names) == {PHONE, "DE.42"}
    assert [one["name"] for one in held.conversations] == [MARIA.name]
    assert held.rooms == ("room1",)
    assert held.pairs == (PAIR,)
    assert dict(held.marks) == {f"alias:{OURS}:{PHONE}": "DE.42"}
    assert [(one.entry.key, one.state) for one in held.entries] == [
        (f"wa:{INSIDE}", "done"), (f"st:{INSIDE}:read", "done"), ("rc:m1", "done"), ("wa:dead", "dead"),
        ("rc:m2", "waiting"), ("callback:1", "waiting"),
    ]  # fmt: skip
    assert held.entries[3].entry.body == {"text": "a secret"}


@pytest.mark.parametrize("name", [PHONE, "DE.42"])
async def test_an_erased_customer_is_nowhere_and_others_are_as_they_were(journal: Journal, name: str) -> None:
    await fill(journal)

    assert await journal.erase(name) == Erased(conversations=1, rooms=1, pairs=1, marks=1, entries=6)

    held = await journal.belongings(name)
    assert not (held.conversations or held.rooms or held.pairs or held.marks or held.entries)
    assert await journal.erase(name) == Erased()
    assert await journal.conversation(OURS, MARIA.contact) is None
    assert await journal.conversation_of_token(MARIA.token) is None
    assert await journal.conversation(OURS, OTHER.contact) == OTHER
    assert await journal.dead() == []
    assert dict(await journal.counts()) == {"waiting": 2, "aside": 0, "done": 7, "dead": 0}
    assert sorted(one.key for one in await journal.heads(9)) == ["callback:2", "wa:otto"]


async def test_the_statuses_of_a_message_go_with_it_also_when_its_id_names_nobody(journal: Journal) -> None:
    """People without a phone number: the id is opaque, and padded like all base64."""
    pair = replace(PAIR, wamid=Wamid("wamid.b3BhcXVlIA=="))
    await journal.append(entry("rc:m1", "out:room1", "rc.message"))
    await journal.done(await take(journal, "rc:m1"), Outcome({"wamids": [pair.wamid]}, (pair,), MARIA))
    status = f"st:{pair.wamid}:read"
    await journal.append(entry(status, f"st:{OURS}:x", "wa.status"))
    await journal.done(await take(journal, status), Outcome({"state": "read"}))

    assert [one.entry.key for one in (await journal.belongings("DE.42")).entries] == ["rc:m1", status]
    assert (await journal.erase("DE.42")).entries == 2
    assert await journal.find(status) is None


async def test_what_catching_up_finds_again_is_not_sent_again(journal: Journal) -> None:
    await fill(journal)
    await journal.erase(PHONE)

    assert await journal.append(entry("rc:m1", "out:room1", "rc.message"), entry("rc:m2", "out:room1")) == 0


async def test_what_360dialog_delivers_again_stays_known_and_names_nobody(
    journal: Journal, store: Store, clock: ManualClock
) -> None:
    await fill(journal)
    assert await journal.erase(PHONE) != Erased()
    again = (
        entry(f"wa:{INSIDE}", f"in:{OURS}:{PHONE}", text="a secret"),
        entry(f"st:{INSIDE}:read", f"st:{OURS}:x", "wa.status"),
    )
    new = entry(f"st:{INSIDE}:played", f"st:{OURS}:x", "wa.status")

    assert await journal.append(*again) == 0
    assert await journal.append(again[0], new, again[1]) == 1
    assert await journal.find(f"wa:{INSIDE}") is None


async def test_they_stay_known_over_a_restart(store: Store, clock: ManualClock) -> None:
    async with store.open(clock) as journal:
        await fill(journal)
        await journal.erase(PHONE)
    async with store.open(clock) as journal:
        assert await journal.append(entry(f"wa:{INSIDE}", f"in:{OURS}:{PHONE}", text="a secret")) == 0
        assert await journal.append(entry("wa:wamid.NEW", f"in:{OURS}:{PHONE}", text="hi again")) == 1


async def test_an_order_for_many_stays_and_is_told(journal: Journal) -> None:
    await journal.append(entry("tplorder:1", "tplorder:0", "template.order", recipients=[PHONE, OTHER.contact]))

    assert await journal.erase(PHONE) == Erased(busy=1)
    assert [one.key for one in await journal.heads(9)] == ["tplorder:1"]


async def test_beside_running_bots_what_is_being_worked_on_is_left_to_them(url: str, tmp_path: Path) -> None:
    async with bot_on(url, tmp_path / "secret.key") as one, bot_on(url, tmp_path / "secret.key") as two:
        await one.journal.append(entry("wa:1", f"in:{OURS}:{PHONE}"), entry("wa:2", f"in:{OURS}:{PHONE}"))
        [held] = await one.journal.heads(9)

        assert await two.journal.erase(PHONE) == Erased(entries=1, busy=1)
        await one.journal.done(held, Outcome({}, (), MARIA))
        assert await one.journal.heads(9) == []
        assert (await two.journal.erase(PHONE)).conversations == 1


@pytest.fixture
async def stopped(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Path]:
    """Configuration of a bot that has stored something and is stopped."""
    config = configured(tmp_path, tmp_path)
    async with SqliteStore(tmp_path).open(clock) as journal:
        await fill(journal)
    with logging_kept():
        yield config


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def call(*words: str, config: Path) -> int:
    return await asyncio.to_thread(main, ["contact", *words, "--config", str(config)])


async def test_nothing_is_left_in_the_files(stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (tmp_path / "journal.sqlite3").read_bytes()
    assert all(name.encode() in kept for name in TRACES if name != "token-of-maria")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "photo").write_bytes(b"x")

    assert await call("erase", "+49 170", "1234567", config=stopped) == 0

    left = contents(tmp_path)
    assert b"Otto" in left
    left = left.replace(f"my friend has {PHONE}".encode(), b"").replace(OTHER.contact.encode(), b"")
    assert [name for name in TRACES if name.encode() in left] == []
    assert not (tmp_path / "files").exists()
    told = capsys.readouterr().out
    for word in ("conversations 1", "entries 6", "Rocket.Chat:", "360Dialog and WhatsApp:", "Backups"):
        assert word in told
    assert PHONE not in told


async def test_the_record_names_nobody(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await call("erase", PHONE, config=stopped)
    [name] = re.findall(r"as ([0-9a-f]{32}),", capsys.readouterr().out)

    await asyncio.to_thread(main, ["audit", "--config", str(stopped)])

    told = capsys.readouterr().out
    assert f"contact-erase who={name} conversations=1" in told
    assert PHONE not in told


async def test_an_export_is_json_and_changes_nothing(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await call("export", f"+{PHONE}", config=stopped) == 0
    told = capsys.readouterr().out
    document = json.loads(told)
    assert document["conversations"][0]["name"] == MARIA.name
    assert {one["key"] for one in document["entries"]} >= {"wa:dead", "rc:m2"}
    assert "token-of-maria" not in told

    assert await call("export", "DE.42", config=stopped) == 0
    assert json.loads(capsys.readouterr().out) == document
    assert await call("export", "+4915550000000", config=stopped) == 1
    assert await call("export", "Maria", config=stopped) == 2


async def test_a_running_bot_of_its_own_folder_must_be_stopped_first(
    stopped: Path, tmp_path: Path, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SqliteStore(tmp_path).open(clock):
        assert await call("export", PHONE, config=stopped) == 0
        assert await call("erase", PHONE, config=stopped) == 2

    assert "Stop that one first" in capsys.readouterr().err
