"""Whose number an entry came in for: one that is connected, one that is gone, one that is just coming back."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import Busy, NumberGone
from bot.relay.connected import connected_number
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault
from tests.contract.journals import entry
from tests.contract.registries import SHOP

CAME_IN = entry("wa:1")._replace(source=SHOP.id)


@pytest.fixture
def registry(tmp_path: Path) -> TinyRegistry:
    return TinyRegistry(tmp_path / "registry.json", Vault(tmp_path / "secret.key"))


async def test_one_that_is_connected(registry: TinyRegistry) -> None:
    await registry.put_number(SHOP)
    assert await connected_number(registry, CAME_IN) == SHOP


async def test_one_that_is_gone(registry: TinyRegistry) -> None:
    with pytest.raises(NumberGone):
        await connected_number(registry, CAME_IN)
    await registry.put_number(replace(SHOP, api_key="", connected_at=0.0, disconnected_at=5.0))
    with pytest.raises(NumberGone):
        await connected_number(registry, CAME_IN)


async def test_one_that_is_coming_back_lets_wait(registry: TinyRegistry) -> None:
    await registry.put_number(replace(SHOP, disconnected_at=5.0))
    with pytest.raises(Busy):
        await connected_number(registry, CAME_IN)
