from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports import Journal
from tests.contract.journals import ManualClock, SqliteStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def journal(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Journal]:
    async with SqliteStore(tmp_path).open(clock) as opened:
        yield opened
