"""Settings that people change in chat: at the same time, and while they cannot be stored."""

import asyncio
import shutil
from pathlib import Path

import pytest

from bot.config import App
from bot.relay.live_settings import LiveSettings
from bot.storage.files import StorageError
from bot.storage.local_locks import LocalLocks
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault


@pytest.fixture
def registry(tmp_path: Path) -> TinyRegistry:
    return TinyRegistry(tmp_path / "data" / "registry.json", Vault(tmp_path / "secret.key"))


async def test_what_two_people_change_at_the_same_time_counts_for_both(registry: TinyRegistry) -> None:
    live = LiveSettings(registry, App(), LocalLocks().alone)

    await asyncio.gather(live.change("list_button_label", "Menu"), live.change("allow_list_options", False))

    assert (live.current.list_button_label, live.current.allow_list_options) == ("Menu", False)
    assert live.chosen == {"list_button_label", "allow_list_options"}
    await asyncio.gather(live.reset("list_button_label"), live.change("file_uploads_enabled", False))
    assert live.chosen == {"allow_list_options", "file_uploads_enabled"}
    assert live.current == App(allow_list_options=False, file_uploads_enabled=False)


async def test_what_cannot_be_stored_does_not_count_and_is_not_stored_with_the_next(
    registry: TinyRegistry, tmp_path: Path
) -> None:
    live = LiveSettings(registry, App(), LocalLocks().alone)
    await live.change("allow_list_options", False)
    shutil.move(tmp_path / "data", tmp_path / "away")

    with pytest.raises(StorageError, match="cannot be written"):
        await live.change("list_button_label", "Menu")
    with pytest.raises(StorageError, match="cannot be written"):
        await live.reset("allow_list_options")

    assert live.chosen == {"allow_list_options"}
    assert live.current == App(allow_list_options=False)
    shutil.move(tmp_path / "away", tmp_path / "data")
    await live.change("file_uploads_enabled", False)
    again = LiveSettings(
        TinyRegistry(tmp_path / "data" / "registry.json", Vault(tmp_path / "secret.key")), App(), LocalLocks().alone
    )
    await again.load()
    assert again.current == App(allow_list_options=False, file_uploads_enabled=False)
