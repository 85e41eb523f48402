"""The crash run: `python -m tests.crash.traffic --kills 1000` (`make crash`).

The real program as a process of its own between the two simulators, under continuous traffic both ways, killed with -9
at seeded random moments. Afterwards a small model compares what each side wrote with what the other saw.

A message that an agent sent counts as told when the bot said in the room that its outcome is unknown: that is the one
thing that can happen to a message in the air when the plug is pulled, and it must never happen silently.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

from bot.sandbox.dialog360 import Customer
from bot.stage import Stage, staged
from tests.stories import webhooks

_START = 1_790_000_000


@dataclass
class Talk:
    """One conversation: what was written on each side, in order."""

    customer: Customer
    room: str = ""
    wrote: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tally:
    """What the model found. `told`: unsure, and the agent was told so."""

    written: int
    lost: int
    doubled: int
    disordered: int
    told: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered)

    def __str__(self) -> str:
        return (
            f"{self.written} messages: lost {self.lost}, doubled {self.doubled}, out of order {self.disordered}; "
            f"outcome unknown and told to the agent: {self.told}"
        )


async def crash_run(seed: int, kills: int, conversations: int, pause: float) -> Tally:
    """Kills as often as asked, with `pause` seconds of traffic in between on average, then lets everything settle."""
    chance = random.Random(seed)
    async with staged(start=False) as stage:
        stage.wa.limits.mps = stage.wa.limits.pair_burst = 0
        stage.wa.window_errors = "off"  # the customers' messages carry made-up times
        await stage.start_process()
        await stage.connect()
        people = [stage.wa.customer(f"+4917{number:08}", name=f"Person {number}") for number in range(conversations)]
        talks = [Talk(person) for person in people]
        for talk in talks:
            await customer_writes(stage, talk)
            talk.room = await stage.agent_reads(talk.wrote[-1], talk.customer)

        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for talk in talks:
                tasks.create_task(keep_writing(stage, talk, over))
                tasks.create_task(keep_answering(stage, talk, over, chance.random()))
            for _ in range(kills):
                await asyncio.sleep(chance.expovariate(1 / pause))
                await stage.kill()
                await stage.start_process()
            over.set()
        await settle(stage, talks)
        return tally(stage, talks)


async def keep_writing(stage: Stage, talk: Talk, over: asyncio.Event) -> None:
    while not over.is_set():
        await customer_writes(stage, talk)
        await asyncio.sleep(0.1)


async def customer_writes(stage: Stage, talk: Talk) -> None:
    """Delivered twice at once and again until somebody says 200, as 360Dialog does."""
    text = f"{talk.customer.name} writes {len(talk.wrote)}"
    body = webhooks.text(stage.number, talk.customer, text, _START + len(talk.wrote))
    while 200 not in await stage.wa.deliver(stage.number, body, times=2, concurrently=True):  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # nobody is there to be waited for
    talk.wrote.append(text)


async def keep_answering(stage: Stage, talk: Talk, over: asyncio.Event, first: float) -> None:
    """At the pace of a very quick agent, so that the answers of all of them overlap with the kills."""
    await asyncio.sleep(first)
    while not over.is_set():
        text = f"{talk.customer.name} is answered {len(talk.answered)}"
        await stage.agent_writes(talk.room, text)
        talk.answered.append(text)
        await asyncio.sleep(0.3)


async def settle(stage: Stage, talks: list[Talk]) -> None:
    """Until everything that was written was seen or told; a message in doubt may take a minute."""

    def settled() -> bool:
        return all(
            len(stage.from_customer(talk.room)) >= len(talk.wrote)
            and len(talk.customer.received) + len(_told(stage, talk)) >= len(talk.answered)
            for talk in talks
        )

    try:
        await stage.rc.until(settled, timeout=150)
    except TimeoutError:
        return  # the tally says what is missing


def _told(stage: Stage, talk: Talk) -> list[str]:
    """Answers of which the bot said in the room that it does not know whether they arrived."""
    said = [message["msg"] for message in stage.from_bot(talk.room)]
    return [text for text in talk.answered if any(f"“{text}”" in one for one in said)]


def tally(stage: Stage, talks: list[Talk]) -> Tally:
    lost = doubled = disordered = told = 0
    for talk in talks:
        unsure = set(_told(stage, talk))
        received = [str(one.text) for one in talk.customer.received]
        told += len(unsure - set(received))
        for wrote, saw in ((talk.wrote, stage.from_customer(talk.room)), (talk.answered, received)):
            counts = Counter(saw)
            missing = [text for text in wrote if text not in counts and text not in unsure]
            lost += len(missing)
            if missing:
                print("lost:", *missing[:5], "…", flush=True)  # noqa: T201 - what to look for in the journal
            doubled += sum(count - 1 for count in counts.values())
            first_seen = list(dict.fromkeys(saw))
            disordered += sum(a != b for a, b in zip(first_seen, (t for t in wrote if t in counts), strict=False))
    written = sum(len(talk.wrote) + len(talk.answered) for talk in talks)
    return Tally(written, lost, doubled, disordered, told)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--conversations", type=int, default=50)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds of traffic between two kills, on average")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}, {chosen.kills} kills, {chosen.conversations} conversations", flush=True)  # noqa: T201
    found = asyncio.run(crash_run(chosen.seed, chosen.kills, chosen.conversations, chosen.pause))
    print(found)  # noqa: T201 - it is a command
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
