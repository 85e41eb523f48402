"""The benchmark works; its figures are for `make bench`, on a machine that does nothing else."""

import sys

from tests.bench.machine import served, shoot
from tests.bench.webhooks import bot_alone


async def test_the_load_counts_what_the_bare_server_answers() -> None:
    async with served(sys.executable, "-m", "tests.bench.peers.bare") as server:
        shot = await shoot(server, seconds=20, requests=200, people=20)

    assert shot.refused == 0
    assert 0 < shot.p50_ms <= shot.p99_ms
    assert shot.cost_us > 0


async def test_what_the_load_sends_is_stored_once_and_reaches_the_agents() -> None:
    async with bot_alone() as (stage, server):
        shot = await shoot(server, seconds=20, requests=40, people=4)
        await stage.rc.until(lambda: sum(len(stage.from_customer(room)) for room in stage.rc.rooms) >= 40, timeout=20)

    assert shot.refused == 0
    rooms = [str(room["_id"]) for room in stage.rc.rooms.values() if room["t"] == "l"]
    assert [len(stage.from_customer(room)) for room in rooms] == [10] * 4
