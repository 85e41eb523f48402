"""Who may deliver: both secrets are needed, and nothing is stored of what has only one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault
from bot.web.guessing import Guesses
from bot.web.server import application, serving
from bot.web.webhooks import SECRET_HEADER, Webhooks
from tests.chatops.desk import FakeClock
from tests.contract.registries import SHOP

Door = tuple[ClientSession, SqliteJournal]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    vault, clock = Vault(tmp_path / "secret.key"), FakeClock()
    registry = TinyRegistry(tmp_path / "registry.json", vault)
    await registry.put_number(SHOP)
    async with SqliteJournal(tmp_path, vault, clock) as journal:
        edge = Webhooks(registry, journal, clock, "app", Guesses(clock, ()))
        async with (
            serving(application(edge.routes()), "127.0.0.1", 0) as port,
            ClientSession(f"http://127.0.0.1:{port}") as client,
        ):
            yield client, journal


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
    client, journal = door
    url = f"/api/apps/private/app/{path}/incoming"
    async with client.post(url, data=b'{"entry": 1}', headers={SECRET_HEADER: secret}) as answer:
        assert answer.status == status
    assert len(await journal.heads(10)) == (status == 200)


async def test_who_guesses_never_keeps_the_deliveries_out(door: Door) -> None:
    client, _ = door
    url = f"/api/apps/private/app/{SHOP.hook_path}/incoming"
    codes = []
    for _ in range(40):
        async with client.post(url, data=b"{}", headers={SECRET_HEADER: "wrong"}) as answer:
            codes.append(answer.status)

    async with client.post(url, data=b"{}", headers={SECRET_HEADER: SHOP.hook_secret}) as answer:
        assert answer.status == 200
    assert codes == [401] * 30 + [429] * 10
