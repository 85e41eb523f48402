"""The crash run: `python -m tests.crash.traffic --kills 1000` (`make crash`).

The real program between the two simulators, under continuous traffic both ways (texts, files, template messages by
program, chat form and page, statuses) and in bad weather (busy servers, lost answers, refusals), killed with -9 before
and after every transition of its journal and at seeded random moments. Afterwards `model` compares what each side wrote
with what the other saw. `--replicas 2`: two bots on one PostgreSQL behind one address.

The seed fixes who says what, the weather, and how each life ends; how the processes interleave is up to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot.cli.stored import stored
from bot.config import Settings
from bot.relay.retry import CONFIRM_AFTER
from bot.stage import Stage, free_port, staged
from tests.crash.balancer import Balancer
from tests.crash.ear import Ear
from tests.crash.lives import Death, Lives, deaths
from tests.crash.model import Tally, tally
from tests.crash.people import API_TOKEN, REFUSED, Talk, Town, admin, agent, customer, customer_writes, program
from tests.crash.settling import settle
from tests.postgres import server

_LONGEST_LIFE = 3.0
_PREVIEW = 1.0
"""Seconds that Rocket.Chat holds back a message with a link, so that later ones are heard first."""
_RATE = {"meta": {"success": False, "http_code": 400, "developer_message": "You have exceeded the endpoint rate limit"}}
_BUSY = {"error": {"message": "(#130429) Rate limit hit", "type": "OAuthException", "code": 130429}}
_NO = {"error": {"message": f"(#131009) {REFUSED}", "type": "OAuthException", "code": 131009}}
_PAGE = "<html><title>502 Bad Gateway</title></html>"


async def crash_run(
    seed: int,
    kills: int,
    conversations: int,
    *,
    pause: float = 0.7,
    pace: float = 2.0,
    replicas: int = 1,
    confirm_after: float = CONFIRM_AFTER,
) -> Tally:
    """Kills as often as asked, with `pause` seconds of traffic in between on average, then lets everything settle.

    `confirm_after`: seconds that the bot waits for a status when it does not know whether a message arrived.
    """
    began = time.monotonic()
    async with crash_stage(replicas, confirm_after) as (stage, bots):
        town = Town(stage, Ear(stage), seed, pace)
        people = [stage.wa.customer(f"+4917{n:08}", name=f"Person {n}") for n in range(conversations)]
        talks = [Talk(person, n) for n, person in enumerate(people)]
        admins = [stage.rc.add_user(f"admin{n}", roles=("admin", "user")) for n in range(max(2, conversations // 10))]
        rooms = [stage.setup_room, *(stage.rc.direct_room(one, stage.bot_user) for one in admins)]
        for talk in talks:
            await customer_writes(stage, talk)
            talk.room = await stage.agent_reads(talk.wrote[-1], talk.customer)

        async with asyncio.TaskGroup() as tasks:
            for talk in talks:
                tasks.create_task(customer(town, talk))
                tasks.create_task(agent(town, talk))
            tasks.create_task(program(town, talks))
            for one in admins:
                tasks.create_task(admin(town, one, talks))
            weather = tasks.create_task(bad_weather(town))
            ends = await kill_again_and_again(town, bots, kills, pause)
            town.over.set()
            weather.cancel()
            stage.rc.levers.clear()
            stage.wa.levers.clear()
            for bot in bots:
                await bot.kill()
                await bot.start()
        await settle(stage, talks, rooms)
        for bot in bots:
            await bot.close()
        async with stored(bots[0].settings) as journal:
            found = await tally(stage, talks, rooms, town.stuck, journal)
            counts = await journal.counts()
        minutes = (time.monotonic() - began) / 60
        say(f"{sum(ends.values())} lives in {minutes:.1f} minutes; the journal: {dict(counts)}; they ended")
        for end in sorted(ends):
            say(f"  {end:<24} {ends[end]:>5}")
        if not found.clean:
            say("what the bots said: " + " ".join(str(keep(bot, seed)) for bot in bots))
        return found


@asynccontextmanager
async def crash_stage(replicas: int, confirm_after: float) -> AsyncIterator[tuple[Stage, list[Lives]]]:
    """A connected number between both simulators, without limits that the traffic would meet."""
    async with AsyncExitStack() as stack:
        public_url = database_url = ""
        balancer = None
        if replicas > 1:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-")))
            database_url = await server().database_of(folder)
            balancer = await stack.enter_async_context(Balancer())
            public_url = balancer.url
        stage = await stack.enter_async_context(
            staged(start=False, public_url=public_url, database_url=database_url, api_token=API_TOKEN)
        )
        stage.wa.limits.mps = stage.wa.limits.pair_burst = stage.wa.limits.uploads = stage.wa.limits.media_errors = 0
        stage.rc.core.messages.preview_delay = _PREVIEW
        settings = [stage.settings if n == 0 else another(stage.settings, n) for n in range(replicas)]
        bots = [Lives(one, stage.http, confirm_after) for one in settings]
        for bot in bots:
            stack.push_async_callback(bot.close)
        if balancer is not None:
            balancer.bots = [bot.settings.server.port for bot in bots]
            stage.settings.storage.key_file.parent.mkdir()
        await asyncio.gather(*(bot.start() for bot in bots))
        await stage.connect()
        yield stage, bots


def another(settings: Settings, number: int) -> Settings:
    """One more bot: a folder and a port of its own, the same database, key and address."""
    storage = settings.storage
    folder = storage.data_dir.with_name(f"data{number}")
    return settings.model_copy(
        update={
            "server": settings.server.model_copy(update={"port": free_port()}),
            "storage": storage.model_copy(update={"data_dir": folder, "secret_key_file": storage.key_file}),
        }
    )


async def kill_again_and_again(town: Town, bots: Sequence[Lives], kills: int, pause: float) -> Counter[str]:
    """How the lives ended. Of several bots one dies at a time, the others go on."""
    chance, ends = town.chance("deaths"), Counter[str]()
    schedule = deaths(chance, kills)
    for number, death in enumerate(schedule):
        bot = bots[number % len(bots)]
        await bot.kill()
        forget(town.stage)
        if death.method or chance.random() < 0.75:
            await bot.start(death)
            moment = _LONGEST_LIFE * pause if death.method else chance.expovariate(1 / pause)
        else:
            await bot.begin(death)  # and dies while it starts
            moment = chance.random()
        try:
            async with asyncio.timeout(moment):
                await bot.dead.wait()
        except TimeoutError:
            await bot.kill()
            ends[str(Death())] += 1
        else:
            if bot.code >= 0:
                raise RuntimeError(f"the bot ended by itself with {bot.code}: {bot.log.read_text()[-3000:]}")
            ends[str(death)] += 1
        if len(bots) > 1:
            await bot.start()  # so that somebody is there when the next one dies
        if number % 50 == 49:
            say(f"{number + 1} lives")
    return ends


def forget(stage: Stage) -> None:
    """What the simulators note of each call would fill the memory of a long run."""
    for notes in (stage.rc.calls, stage.wa.calls, stage.wa.deliveries):
        notes.clear()


async def bad_weather(town: Town) -> None:
    """Now and then one answer is busy, wrong, or lost after its effect."""
    chance, rc, wa = town.chance("weather"), town.stage.rc, town.stage.wa
    while True:
        await asyncio.sleep(chance.expovariate(1.0))
        match chance.randrange(9):
            case 0:
                wa.levers.add("/messages", times=2, status=429, body=_BUSY, headers={"Retry-After": "1"})
            case 1:
                wa.levers.add("/messages", status=400, body=_RATE)
            case 2:
                wa.levers.add("/messages", status=400, body=_NO)
            case 3:
                wa.levers.add("/messages", when="after", drop=True)
            case 4:
                wa.levers.add("/messages", when="after", status=502, body=_PAGE)
            case 5:
                rc.levers.add("livechat/(message|upload)", times=2, status=502, body=_PAGE)
            case 6:
                rc.levers.add("livechat/(message|upload)", when="after", drop=True)
            case 7:
                rc.levers.add("chat.sendMessage", when="after", drop=True)
            case 8:
                await rc.cut_sockets()


def keep(bot: Lives, seed: int) -> Path:
    """The log of a run that failed."""
    kept = Path(tempfile.gettempdir()) / f"crash-{seed}-{bot.settings.server.port}.log"
    kept.write_bytes(bot.log.read_bytes())
    return kept


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - it is a command


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--conversations", type=int, default=50)
    parser.add_argument("--pause", type=float, default=0.7, help="seconds of traffic between two kills, on average")
    parser.add_argument("--pace", type=float, default=2.0, help="seconds between two messages of one person")
    parser.add_argument("--replicas", type=int, default=1, help="so many bots on one PostgreSQL")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    chosen = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # clients that die in the middle are no news here
    say(f"seed {chosen.seed}: {chosen.kills} kills, {chosen.conversations} conversations, {chosen.replicas} bot(s)")
    found = asyncio.run(
        crash_run(
            chosen.seed, chosen.kills, chosen.conversations,
            pause=chosen.pause, pace=chosen.pace, replicas=chosen.replicas,
        )
    )  # fmt: skip
    say(found.table())
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
