"""Who may deliver: both secrets are needed, and nothing is stored of what has only one."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault
from bot.web.guessing import Guesses
from bot.web.server import application, serving
from bot.web.webhooks import Webhooks
from tests.chatops.desk import FakeClock
from tests.contract.registries import SHOP

Door = tuple[ClientSession, SqliteJournal, TinyRegistry, FakeClock]

HEADER = "X-Webhook-Secret"


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.web.webhooks._PATIENCE", 0.3)


@pytest.fixture
async def door(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    vault, clock = Vault(tmp_path / "secret.key"), FakeClock()
    registry = TinyRegistry(tmp_path / "registry.json", vault)
    await registry.put_number(SHOP)
    async with SqliteJournal(tmp_path, vault, clock) as journal:
        edge = Webhooks(registry, journal, clock, "app", Guesses(clock, ()), days=getattr(request, "param", 7))
        async with (
            serving(application(edge.routes()), "127.0.0.1", 0) as port,
            ClientSession(f"http://127.0.0.1:{port}") as client,
        ):
            yield client, journal, registry, clock


@pytest.mark.usefixtures("short_patience")
async def test_what_comes_more_slowly_than_360dialog_waits_is_asked_for_again(door: Door) -> None:
    client, journal, *_ = door
    url, headers = f"/api/apps/private/app/{SHOP.hook_path}/incoming", {HEADER: SHOP.hook_secret}
    rest = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"entry": '
        await rest.wait()
        yield b"1}"

    async with client.post(url, data=slowly(), headers=headers) as answer:
        assert answer.status == 503
    rest.set()
    assert await journal.heads(10) == []

    status = 503
    async with asyncio.timeout(20):
        while status == 503:  # a disk that is busy just then is given no more time than the slow sender
            async with client.post(url, data=b'{"entry": 1}', headers=headers) as answer:
                status = answer.status
    assert status == 200
    assert len(await journal.heads(10)) == 1


@pytest.mark.parametrize(
    ("path", "secret", "status"),
    [
        (SHOP.hook_path, SHOP.hook_secret, 200),
        (SHOP.hook_path, "", 401),
        (SHOP.hook_path, SHOP.hook_secret + "x", 401),
        (SHOP.hook_path, "é", 401),
        ("wrong", SHOP.hook_secret, 404),
        (SHOP.hook_path + "x", SHOP.hook_secret, 404),
    ],
)
async def test_both_secrets_are_needed(door: Door, path: str, secret: str, status: int) -> None:
    client, journal, *_ = door
    url = f"/api/apps/private/app/{path}/incoming"
    async with client.post(url, data=b'{"entry": 1}', headers={HEADER: secret}) as answer:
        assert answer.status == status
    assert len(await journal.heads(10)) == (status == 200)


async def test_who_guesses_never_keeps_the_deliveries_out(door: Door) -> None:
    client, *_ = door
    url = f"/api/apps/private/app/{SHOP.hook_path}/incoming"
    codes = []
    for _ in range(40):
        async with client.post(url, data=b"{}", headers={HEADER: "wrong"}) as answer:
            codes.append(answer.status)

    async with client.post(url, data=b"{}", headers={HEADER: SHOP.hook_secret}) as answer:
        assert answer.status == 200
    assert codes == [401] * 30 + [429] * 10


@pytest.mark.parametrize("encoding", ["gzip", "GZip", "identity, gzip"])
async def test_a_compressed_webhook_is_not_taken_so_that_it_comes_again(
    door: Door, caplog: pytest.LogCaptureFixture, encoding: str
) -> None:
    client, journal, *_ = door
    url = f"/api/apps/private/app/{SHOP.hook_path}/incoming"
    headers = {HEADER: SHOP.hook_secret, "Content-Encoding": encoding}
    async with client.post(url, data=gzip.compress(b'{"entry": 1}'), headers=headers) as answer:
        assert answer.status == 415
    assert await journal.heads(10) == []
    assert "compress" in caplog.text


@pytest.mark.parametrize("encoding", ["", "identity", "UTF-8"])
async def test_what_is_no_compression_keeps_no_webhook_out(door: Door, encoding: str) -> None:
    """Some programs take the header for that of the characters."""
    client, journal, *_ = door
    url = f"/api/apps/private/app/{SHOP.hook_path}/incoming"
    headers = {HEADER: SHOP.hook_secret, "Content-Encoding": encoding}
    async with client.post(url, data=b'{"entry": 1}', headers=headers) as answer:
        assert answer.status == 200
    assert len(await journal.heads(10)) == 1


@pytest.mark.parametrize(("door", "days"), [(7, 7), (2, 2)], indirect=["door"])
async def test_for_its_days_a_disconnected_number_is_stored_and_then_let_go_and_told_weekly(
    door: Door, days: int
) -> None:
    client, journal, registry, clock = door
    await registry.put_number(replace(SHOP, api_key="", connected_at=0.0, disconnected_at=clock.now()))

    async def deliver(text: str, secret: str = SHOP.hook_secret) -> int:
        message = {"id": f"wamid.{text}", "from": "491701", "type": "text", "text": {"body": text}}
        body = {"entry": [{"changes": [{"field": "messages", "value": {"messages": [message]}}]}]}
        url = f"/api/apps/private/app/{SHOP.hook_path}/incoming"
        async with client.post(url, json=body, headers={HEADER: secret}) as answer:
            return answer.status

    async def stored() -> list[str]:
        return [entry.key for entry in await journal.heads(10)]

    assert await deliver("wrong", secret="x") == 401
    clock.time += (days - 0.1) * 86400
    assert await deliver("soon") == 200
    assert await stored() == ["wa:wamid.soon"]
    clock.time += 0.2 * 86400
    assert [await deliver("late"), await deliver("later")] == [200, 200]
    [told] = await stored()
    assert told.startswith(f"notice:gone:{SHOP.id}:")
    clock.time += 7 * 86400
    assert await deliver("much later") == 200
    found = await journal.find(told)
    assert found is not None and found.entry.body["values"] == {"number": SHOP.phone, "n": days}
    assert (await journal.counts())["waiting"] == 3
