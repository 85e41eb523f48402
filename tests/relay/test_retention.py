"""Dead letters go when the configuration says so, however many they are, and never when it says never."""

import asyncio
from pathlib import Path

import pytest

from bot.relay.retention import DAY, expire_for_ever
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.journal_tables import MOST_EXPIRED
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock, entry


@pytest.mark.parametrize("days", [0, 30])
async def test_letters_go_when_their_days_are_over(tmp_path: Path, days: int) -> None:
    clock, many = ManualClock(), MOST_EXPIRED + 5
    async with SqliteJournal(tmp_path, Vault(tmp_path / "secret.key"), clock) as journal:
        await journal.append(*(entry(f"k{n}", f"lane {n}") for n in range(many)))
        for one in await journal.heads(many):
            await journal.park(one, "WindowClosed")
        keeping = asyncio.create_task(expire_for_ever(journal, clock, days))
        if days:
            await clock.asleep()
        assert (await journal.counts())["dead"] == many

        clock.advance(30 * DAY - 1)
        if days:
            await clock.asleep()
        assert (await journal.counts())["dead"] == many
        clock.advance(3600)
        if days:
            await clock.asleep()
        assert (await journal.counts())["dead"] == (0 if days else many)
        assert keeping.done() == (days == 0)
        keeping.cancel()
