"""The benchmark works; its figures are for `make bench`, on a machine that does nothing else."""

import asyncio
import sys

from tests.bench.between import Instant
from tests.bench.machine import served, shoot
from tests.bench.relay import meet
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


async def test_what_answers_at_once_lets_every_message_through_once_in_both_directions() -> None:
    instant = Instant()
    async with bot_alone(instant.before) as (stage, server):
        await meet(stage, server, people=4)
        written = stage.rc.core.world.messages
        await stage.rc.until(lambda: sum("reactions" in message for message in written.values()) == 4, timeout=20)
        await instant.begin()
        before = await instant.counts()
        await shoot(server, seconds=20, requests=20, people=4)
        await instant.until(lambda now: now["posts"] >= before["posts"] + 20)
        await instant.agents_write(12, statuses=True)
        async with asyncio.timeout(20):
            now = await instant.until(lambda now: now["marks"] >= before["marks"] + 12)

    assert {name: now[name] - before[name] for name in ("posts", "sends", "refused")} == {
        "posts": 20, "sends": 12, "refused": 0
    }  # fmt: skip
