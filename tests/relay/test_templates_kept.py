"""Kept templates: young enough, old rather than none, of this key, and outdated by a webhook."""

from pathlib import Path
from typing import cast

import pytest

from bot.config import App
from bot.errors import BotError, Unreachable
from bot.model import Number, NumberId
from bot.ports import Json, WhatsApp
from bot.relay.templates import Templates
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault
from bot.translations import translator
from tests.contract.journals import ManualClock

NUMBER = Number(NumberId("4915112345678"), "+4915112345678", "key", "path", "secret", connected_at=1.0)
OTHER_KEY = Number(NumberId("4915112345678"), "+4915112345678", "another key", "path", "secret", connected_at=1.0)


class Dialog:
    def __init__(self) -> None:
        self.asked = 0
        self.failing: BotError | None = None
        self.names = ["b", "a"]

    async def templates(self, api_key: str) -> list[Json]:
        self.asked += 1
        if self.failing:
            raise self.failing
        body = {"type": "BODY", "text": "Hello"}
        return [{"name": name, "language": "en", "status": "APPROVED", "components": [body]} for name in self.names]


class Kept:
    def __init__(self, folder: Path) -> None:
        self.clock, self.dialog = ManualClock(), Dialog()
        self.registry = TinyRegistry(folder / "registry.json", Vault(folder / "key"))
        self.minutes = 60
        self.restart()

    def restart(self) -> None:
        def app() -> App:
            return App(template_refresh_interval_minutes=self.minutes)

        self.templates = Templates(self.registry, cast(WhatsApp, self.dialog), self.clock, app, translator("en"))

    async def names(self, number: Number = NUMBER) -> list[str]:
        return [one.name for one in (await self.templates.of(number)).templates]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


async def test_a_list_is_read_once_while_it_is_young_also_after_a_restart(kept: Kept) -> None:
    assert await kept.names() == ["a", "b"]
    kept.clock.advance(59 * 60)
    assert await kept.names() == ["a", "b"]
    kept.restart()
    assert await kept.names() == ["a", "b"]
    assert kept.dialog.asked == 1

    kept.clock.advance(61)
    kept.dialog.names = ["c"]
    assert await kept.names() == ["c"]


async def test_a_clock_that_is_put_back_makes_no_list_young(kept: Kept) -> None:
    await kept.names()
    kept.clock.advance(-86400)
    kept.dialog.failing = Unreachable("away")
    assert await kept.names() == ["a", "b"]

    kept.clock.advance(-86400)
    kept.dialog.failing = None
    kept.dialog.names = ["new"]
    assert await kept.names() == ["new"]


async def test_the_interval_counts_as_it_is_set_now(kept: Kept) -> None:
    await kept.names()
    kept.clock.advance(120)
    kept.minutes = 1
    await kept.names()

    assert kept.dialog.asked == 2


async def test_an_old_list_is_better_than_none_and_360dialog_is_left_in_peace(kept: Kept) -> None:
    await kept.names()
    kept.clock.advance(7200)
    kept.dialog.failing = Unreachable("away")
    assert await kept.names() == ["a", "b"]
    assert await kept.names() == ["a", "b"]
    assert kept.dialog.asked == 2

    kept.clock.advance(61)
    kept.dialog.failing = None
    kept.dialog.names = ["new"]
    assert await kept.names() == ["new"]


async def test_without_any_list_the_reason_is_told(kept: Kept) -> None:
    kept.dialog.failing = Unreachable("away")
    with pytest.raises(Unreachable):
        await kept.templates.of(NUMBER)
    assert await kept.templates.known(NUMBER) is None


async def test_a_new_key_may_be_of_another_account(kept: Kept) -> None:
    await kept.names()
    kept.dialog.names = ["theirs"]

    assert await kept.names(OTHER_KEY) == ["theirs"]
    assert await kept.names(NUMBER) == ["theirs"], "and back"
    assert kept.dialog.asked == 3


async def test_a_change_makes_every_list_outdated_at_once(kept: Kept) -> None:
    await kept.names()
    kept.clock.advance(1)
    await kept.templates.outdate()
    kept.clock.advance(1)
    await kept.names()
    await kept.names()

    assert kept.dialog.asked == 2


async def test_six_thousand_templates_are_kept_small(kept: Kept, tmp_path: Path) -> None:
    kept.dialog.names = [f"template_{number}" for number in range(6000)]
    await kept.names()

    assert (tmp_path / "registry.json").stat().st_size < 400_000
    kept.restart()
    assert len(await kept.names()) == 6000
