from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports import Journal
from tests.contract.journals import STORES, ManualClock, Store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


@pytest.fixture
async def journal(store: Store, clock: ManualClock) -> AsyncIterator[Journal]:
    async with store.open(clock) as opened:
        yield opened
