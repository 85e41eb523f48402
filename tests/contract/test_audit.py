"""The audit log on every store: one record for each effect, chained, found again, and a break is noticed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.chatops.command import Act, Person
from bot.model import UserId
from bot.ports import Journal
from bot.relay.audit import API, CHAT, PAGE, REFUSED, Audit
from bot.storage.journal_sqlite import FILE
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock, SqliteStore, Store, take

ADA = Person(UserId("u1"), "ada", "Ada")
EVE = Person(UserId("u2"), "eve", "Eve")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secret.key")


@pytest.fixture
async def audit(journal: Journal, clock: ManualClock, vault: Vault) -> AsyncIterator[Audit]:
    yield Audit(journal, clock, vault.derive)


async def work(journal: Journal, audit: Audit) -> None:
    while taken := await journal.heads(8):
        for entry in taken:
            await journal.done(entry, await audit(entry))


async def test_a_record_says_who_did_what_when_and_how_it_ended(journal: Journal, audit: Audit) -> None:
    await audit.note("k1", Act("connect", {"number": "+4915112345678"}), ADA, origin=PAGE)
    await audit.note("k2", Act("settings", {"list_button_label": "Show me"}), EVE, origin=CHAT, result=REFUSED)
    waiting, _ = await audit.find((), 10)
    await work(journal, audit)
    found, further = await audit.find((), 10)

    assert [Audit.said(one) for one in found] == ['settings list_button_label="Show me"', "connect number=…678"]
    assert [(one["n"], one["who"], one["user"], one["from"], one["result"]) for one in found] == [
        (2, "eve", "u2", "chat", "refused"),
        (1, "ada", "u1", "page", "done"),
    ]
    assert further == 0
    assert [Audit.said(one) for one in waiting] == [Audit.said(one) for one in found], "seen before it is chained"
    assert "4915112345678" not in json.dumps([dict(one) for one in found])


async def test_an_effect_that_is_repeated_has_one_record(journal: Journal, audit: Audit) -> None:
    for _ in range(3):
        await audit.note("k1", Act("connect"), ADA, origin=CHAT)
        await work(journal, audit)

    assert len((await audit.find((), 10))[0]) == 1


async def test_records_are_found_by_words_and_page_by_page(journal: Journal, audit: Audit) -> None:
    for number in range(25):
        await audit.note(f"k{number}", Act("settings" if number % 5 else "connect"), ADA, origin=CHAT)
    await work(journal, audit)

    seen, place = [], 0
    while True:
        found, place = await audit.find((), 10, place)
        seen += [one["n"] for one in found]
        if not place:
            break
    assert seen == list(range(25, 0, -1))
    assert [one["n"] for one in (await audit.find(("CONNECT", "ada"), 10))[0]] == [21, 16, 11, 6, 1]
    assert await audit.find(("connect", "eve"), 10) == ([], 0)
    assert await audit.broken() == []


async def test_a_chain_goes_on_behind_a_long_queue(journal: Journal, audit: Audit) -> None:
    """A program that sends templates writes a record with each request, faster than they are chained."""
    await audit.note("first", Act("connect"), ADA, origin=CHAT)
    await work(journal, audit)
    for number in range(150):
        await audit.note(f"k{number}", Act("send-template"), ADA, origin=API)
    await work(journal, audit)

    assert await audit.broken() == []
    assert [one["n"] for one in (await audit.find((), 200))[0]] == list(range(151, 0, -1))


async def test_it_outlives_the_program(store: Store, clock: ManualClock, vault: Vault) -> None:
    for number in range(3):
        async with store.open(clock) as journal:
            audit = Audit(journal, clock, vault.derive)
            await audit.note(f"k{number}", Act("connect"), ADA, origin=CHAT)
            await work(journal, audit)

    async with store.open(clock) as journal:
        audit = Audit(journal, clock, vault.derive)
        assert [one["n"] for one in (await audit.find((), 10))[0]] == [3, 2, 1]
        assert await audit.broken() == []


def change(folder: Path, harm: str) -> None:
    db = sqlite3.connect(next(folder.rglob(FILE)))
    db.execute(harm)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("harm", "broken"),
    [
        ("UPDATE entries SET result = replace(result, 'ada', 'eve') WHERE key = 'audit:k2'", [3]),
        ("DELETE FROM entries WHERE key = 'audit:k2'", [4]),
        ("DELETE FROM entries WHERE key = 'audit:k0'", [2]),
        (
            "UPDATE entries SET result = (SELECT result FROM entries WHERE key = 'audit:k0') WHERE key = 'audit:k2'",
            [1, 4],
        ),
    ],
)  # fmt: skip
async def test_a_record_that_was_changed_or_taken_out_is_noticed(
    tmp_path: Path, clock: ManualClock, vault: Vault, harm: str, broken: list[int]
) -> None:
    store = SqliteStore(tmp_path)
    async with store.open(clock) as journal:
        audit = Audit(journal, clock, vault.derive)
        for number in range(5):
            await audit.note(f"k{number}", Act("connect"), ADA, origin=CHAT)
        await work(journal, audit)
    change(tmp_path, harm)

    async with store.open(clock) as journal:
        assert await Audit(journal, clock, vault.derive).broken() == broken


async def test_a_chain_goes_on_after_a_kill_in_the_middle(journal: Journal, audit: Audit) -> None:
    await audit.note("k1", Act("connect"), ADA, origin=CHAT)
    entry = await take(journal, "audit:k1")
    await audit(entry)
    await journal.again(entry, 0.0, "killed")
    await work(journal, audit)

    assert await audit.broken() == []
    assert [one["n"] for one in (await audit.find((), 10))[0]] == [1]
