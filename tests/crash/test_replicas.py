"""Two bots on one PostgreSQL behind one address, one or the other killed with -9 under traffic: nobody notices."""

import asyncio
import os
import random
from pathlib import Path

from bot.stage import Program, Stage, free_port, staged
from tests.crash.balancer import Balancer
from tests.crash.traffic import Talk, customer_writes, keep_answering, keep_writing, settle, tally
from tests.postgres import server

SEED = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(10_000))
PEOPLE, KILLS = 6, 3


def another(stage: Stage) -> Program:
    """A second bot: a folder and a port of its own, the same database, key and address."""
    storage = stage.settings.storage
    return Program(
        stage.settings.model_copy(
            update={
                "server": stage.settings.server.model_copy(update={"port": free_port()}),
                "storage": storage.model_copy(
                    update={"data_dir": storage.data_dir.with_name("data2"), "secret_key_file": storage.key_file}
                ),
            }
        ),
        stage.http,
    )


async def test_two_bots_of_which_one_is_always_just_dying_lose_double_and_disorder_nothing(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(SEED)
    url = await server().database_of(tmp_path)
    async with Balancer() as balancer, staged(start=False, public_url=balancer.url, database_url=url) as stage:
        stage.wa.limits.mps = stage.wa.limits.pair_burst = 0
        stage.wa.window_errors = "off"  # the customers' messages carry made-up times
        bots = [stage.program, another(stage)]
        balancer.bots = [bot.settings.server.port for bot in bots]
        stage.settings.storage.key_file.parent.mkdir()
        try:
            await asyncio.gather(*(bot.start() for bot in bots))
            assert len([room for room in stage.rc.rooms.values() if room["t"] == "p"]) == 1  # one setup channel
            await stage.connect()

            talks = [Talk(stage.wa.customer(f"+4917{n:08}", name=f"Person {n}")) for n in range(PEOPLE)]
            for talk in talks:
                await customer_writes(stage, talk)
                talk.room = await stage.agent_reads(talk.wrote[-1], talk.customer)

            over = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                for talk in talks:
                    tasks.create_task(keep_writing(stage, talk, over))
                    tasks.create_task(keep_answering(stage, talk, over, chance.random()))
                for number in range(KILLS):
                    await asyncio.sleep(chance.uniform(0.5, 1.5))
                    await bots[number % 2].kill()
                    await bots[number % 2].start()
                over.set()
            await settle(stage, talks)
        finally:
            for bot in bots:
                await bot.kill()

        found = tally(stage, talks)
        assert (found.lost, found.doubled, found.disordered) == (0, 0, 0), found
        assert found.written > 4 * PEOPLE
