from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from bot.ports import Journal
from bot.storage.postgres_schema import SCHEMA
from tests.contract.bots import OneBot, bot_on
from tests.contract.journals import STORES, ManualClock, Store
from tests.postgres import server


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


@pytest.fixture
async def url(tmp_path: Path) -> str:
    return await server().database_of(tmp_path)


@pytest.fixture
async def bots(url: str, tmp_path: Path) -> AsyncIterator[list[OneBot]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(bot_on(url, tmp_path / "secret.key")) for _ in range(2)]


@pytest.fixture
async def admin(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    db = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    yield db
    await db.close()
