"""Dead letters go when the configuration says so, however many they are, and never when it says never.

A clock that stands wrong for some hours takes none with it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.ports import Journal
from bot.relay.retention import DAY, PERIOD, forget_for_ever
from bot.relay.unseen import Unseen
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.journal_tables import MOST_EXPIRED
from bot.storage.local_locks import LocalLocks
from bot.storage.secrets import Vault
from tests.contract.journals import NOON, ManualClock, entry

DAYS = 3
HOUR = 3600.0


async def dead(journal: Journal) -> int:
    return (await journal.counts())["dead"]


async def given_up(journal: Journal, *keys: str) -> None:
    await journal.append(*(entry(key, f"lane {key}") for key in keys))
    for one in await journal.heads(len(keys)):
        await journal.park(one, "WindowClosed")


@asynccontextmanager
async def keeping(journal: Journal, clock: ManualClock, days: int = DAYS, every: float = HOUR) -> AsyncIterator[None]:
    """The bot runs."""
    unseen = Unseen(journal, clock, LocalLocks().alone)
    task = asyncio.create_task(forget_for_ever(journal, clock, days, unseen, every))
    await clock.asleep()
    yield
    task.cancel()


async def hours(clock: ManualClock, many: float) -> None:
    for _ in range(round(many)):
        clock.advance(HOUR)
        await clock.asleep()


@asynccontextmanager
async def opened(folder: Path, clock: ManualClock) -> AsyncIterator[Journal]:
    async with SqliteJournal(folder, Vault(folder / "secret.key"), clock) as journal:
        yield journal


async def test_letters_go_when_their_days_are_over(tmp_path: Path) -> None:
    clock, many = ManualClock(), MOST_EXPIRED + 5
    async with opened(tmp_path, clock) as journal:
        await given_up(journal, *(f"k{n}" for n in range(many)))
        async with keeping(journal, clock):
            await hours(clock, DAYS * 24)
            assert await dead(journal) == many
            await hours(clock, 1)
            assert await dead(journal) == 0


async def test_nothing_ever_goes_when_the_configuration_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened(tmp_path, clock) as journal:
        await given_up(journal, "k")
        async with keeping(journal, clock, 0):
            await hours(clock, 24 * DAYS + 2)
            assert await dead(journal) == 1


async def test_a_bot_that_never_runs_for_an_hour_lets_letters_go_too(tmp_path: Path) -> None:
    """Twelve minutes at a time, of which the last two are in vain."""
    clock = ManualClock()
    async with opened(tmp_path, clock) as journal:
        await given_up(journal, "k")
        for _ in range(DAYS * 24 * 5 + 1):
            async with keeping(journal, clock, every=PERIOD):
                for _ in range(2):
                    clock.advance(PERIOD)
                    await clock.asleep()
            clock.advance(120)
        assert await dead(journal) == 0


@pytest.mark.parametrize("ahead", [4 * DAY, 10_000 * DAY])
async def test_a_clock_that_stands_far_ahead_for_some_hours_takes_nothing(tmp_path: Path, ahead: float) -> None:
    clock = ManualClock()
    async with opened(tmp_path, clock) as journal:
        await given_up(journal, "k")
        async with keeping(journal, clock):
            await hours(clock, 3)
            clock.advance(ahead)
            await clock.asleep()
            await hours(clock, 12)
            clock.time -= ahead
        async with keeping(journal, clock):
            await hours(clock, DAYS * 24 - 30)
            assert await dead(journal) == 1
            await hours(clock, 31)
            assert await dead(journal) == 0


async def test_a_letter_given_up_while_the_clock_stood_far_behind_is_kept_from_when_it_stands_right(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with opened(tmp_path, clock) as journal:
        async with keeping(journal, clock):
            await hours(clock, 1)
        clock.time = NOON - 10_000 * DAY
        async with keeping(journal, clock):
            await given_up(journal, "k")
            await hours(clock, 2)
        clock.time = NOON + 3 * HOUR
        async with keeping(journal, clock):
            await hours(clock, DAYS * 24)
            assert await dead(journal) == 1
            await hours(clock, 2)
            assert await dead(journal) == 0


async def test_fewer_days_hold_at_once_and_more_days_harm_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened(tmp_path, clock) as journal:
        async with keeping(journal, clock, 30):
            await given_up(journal, "old")
            await hours(clock, 50)
            await given_up(journal, "young")
        async with keeping(journal, clock, 2):
            await hours(clock, 1)
            assert [one.entry.key for one in await journal.dead()] == ["young"]
        async with keeping(journal, clock, 30):
            await hours(clock, 1)
            [young] = await journal.dead()
            assert young.closed_at == NOON + 50 * HOUR
