"""The real program, killed with -9 in the middle of traffic: what was acknowledged is there, once, in order."""

import asyncio
import random
from functools import partial

from bot.sandbox.dialog360 import Customer
from bot.stage import Stage, staged
from tests.stories import webhooks

SEED = random.SystemRandom().randrange(10_000)
PEOPLE, EACH, KILLS = 10, 10, 4


async def until_taken(stage: Stage, customer: Customer, text: str, at: int) -> None:
    """As 360Dialog does it: both copies at once, and again until the bot says 200."""
    body = webhooks.text(stage.number, customer, text, at)
    while True:
        statuses = await stage.wa.deliver(stage.number, body, times=2, concurrently=True)
        if 200 in statuses:
            return
        await stage.alive()


async def test_a_hundred_webhooks_each_sent_twice_with_kills_in_between() -> None:
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(SEED)
    async with staged(start=False) as stage:
        await stage.start_process()
        await stage.connect()
        people = [stage.wa.customer(f"+4917000000{n:02}", name=f"Person {n}") for n in range(PEOPLE)]
        taken = 0
        more = asyncio.Condition()

        async def talk(person: int) -> None:
            nonlocal taken
            for number in range(EACH):
                await until_taken(stage, people[person], f"{person}-{number}", 1_790_000_000 + number)
                async with more:
                    taken += 1
                    more.notify_all()

        def far_enough(share: float) -> bool:
            return taken >= share * PEOPLE * EACH

        async def killer() -> None:
            for share in sorted(chance.random() * 0.9 for _ in range(KILLS)):
                async with more:
                    await more.wait_for(partial(far_enough, share))
                await stage.kill()
                await stage.start_process()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(killer())
            for person in range(PEOPLE):
                tasks.create_task(talk(person))

        for person in range(PEOPLE):
            room = await stage.agent_reads(f"{person}-{EACH - 1}", people[person])
            assert stage.from_customer(room) == [f"{person}-{number}" for number in range(EACH)]
