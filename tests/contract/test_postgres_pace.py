"""Bots on one PostgreSQL share what WhatsApp takes from a number: its pace, and what it says of being too fast."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from aiohttp import ClientSession

from bot.errors import RateLimited
from bot.sandbox.dialog360 import Dialog360Sandbox
from bot.storage.postgres_presence import EVERYTHING, Pace
from bot.whatsapp import compose
from bot.whatsapp.client import Dialog360
from bot.whatsapp.paces import Paces
from tests.contract.bots import OneBot, bot_on
from tests.contract.journals import entry, take
from tests.contract.test_postgres_shared import CUT, soon

KEY = "D360key"
QUICK = Pace(beat=0.05, grace=0.5)


@asynccontextmanager
async def shop() -> AsyncIterator[Dialog360Sandbox]:
    async with Dialog360Sandbox() as wa:
        wa.auto_status = False
        wa.window_errors = "off"
        wa.add_number("+4915112345678", name="Demo Shop", api_key=KEY)
        yield wa


def client(bot: OneBot, session: ClientSession, wa: Dialog360Sandbox) -> Dialog360:
    return Dialog360(session, wa.url, Paces(50, bot.database.presence, lambda key: f"number-{len(key)}", bot.clock.now))


async def count(bot: OneBot, bots: int) -> None:
    """Until it knows of so many."""

    async def known() -> bool:
        return bot.database.presence.bots == bots

    await soon(known)


# --- who is there ---------------------------------------------------------------------------------------------------


async def test_each_knows_how_many_they_are_before_it_may_send_and_the_others_at_once(url: str, tmp_path: Path) -> None:
    never = Pace(beat=3600)
    async with AsyncExitStack() as stack:
        bots: list[OneBot] = []
        for number in range(1, 4):
            bots.append(await stack.enter_async_context(bot_on(url, tmp_path / "secret.key", never)))
            assert bots[-1].database.presence.bots == number
            for bot in bots:
                await count(bot, number)


async def test_one_that_is_gone_still_counts_while_it_may_come_back_and_then_no_more(url: str, tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    key = tmp_path / "secret.key"
    async with bot_on(url, key, QUICK) as here, bot_on(url, key, QUICK) as there:
        await count(here, 2)
        await there.database.presence.stop()  # as when it is killed
        gone = clock()
        await count(here, 1)
        assert clock() - gone >= QUICK.grace - QUICK.beat


async def test_bots_whose_connections_are_cut_never_take_each_others_part(
    url: str, tmp_path: Path, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    key, pace = tmp_path / "secret.key", Pace(beat=0.05, grace=3600)
    async with bot_on(url, key, pace) as here, bot_on(url, key, pace) as there:
        presences = [here.database.presence, there.database.presence]
        for bot in (here, there):
            await count(bot, 2)
        for _ in range(3):
            heard = [asyncio.Event(), asyncio.Event()]
            for presence, event in zip(presences, heard, strict=True):

                def hear(what: frozenset[str], event: asyncio.Event = event) -> None:
                    if EVERYTHING in what:
                        event.set()

                presence.listeners.append(hear)
            await admin.fetch(CUT, admin.get_server_pid())

            async def back(heard: list[asyncio.Event] = heard) -> bool:
                assert [presence.bots for presence in presences] == [2, 2]
                return all(event.is_set() for event in heard)

            await soon(back, 60)


# --- what they send -------------------------------------------------------------------------------------------------


async def test_bots_at_full_speed_are_not_refused(url: str, tmp_path: Path) -> None:
    """The second one comes while the first one sends. They send 40 a second together, and 80 if they did not share;
    what bunches on its way is eight."""
    names = iter(range(200))
    async with shop() as wa, ClientSession() as session, AsyncExitStack() as stack:
        wa.limits.mps = 60

        async def send(dialog: Dialog360) -> None:
            for name in names:
                await dialog.turn(KEY)
                to = wa.customer(f"+4917{name:08}")
                await dialog.send(KEY, compose.text(to.wa_id, "Hello", "x"))

        async with asyncio.TaskGroup() as tasks:
            for begin in (0.0, 1.0):
                await asyncio.sleep(begin)
                bot = await stack.enter_async_context(bot_on(url, tmp_path / "secret.key"))
                dialog = client(bot, session, wa)
                for _ in range(4):
                    tasks.create_task(send(dialog))

    assert [call.status for call in wa.calls if call.path == "/messages"] == [200] * 200


async def test_who_is_told_to_wait_tells_the_others_who_need_not_be_refused_themselves(bots: list[OneBot]) -> None:
    async with shop() as wa, ClientSession() as session:
        here, there = (client(bot, session, wa) for bot in bots)
        to = wa.customer("+491701234567").wa_id
        wa.levers.add("/messages", times=-1, status=429, headers={"Retry-After": "30"})
        for dialog in (here, there):
            await dialog.turn(KEY)
        with pytest.raises(RateLimited):
            await here.send(KEY, compose.text(to, "Hello", "x"))

        async def held() -> float:
            try:
                await there.turn(KEY)
            except RateLimited as error:
                return error.after or 0.0
            return 0.0

        assert 0 < await soon(held) <= 30
        await there.turn("a key that is longer")  # another number
        for bot in bots:
            bot.clock.advance(31)
        wa.levers.clear()
        for dialog in (here, there):
            await dialog.turn(KEY)
            await dialog.send(KEY, compose.text(to, "Hello", "x"))

        assert [call.status for call in wa.calls if call.path == "/messages"] == [429, 200, 200]


async def test_a_customer_whose_limit_one_bot_met_is_left_alone_by_all(bots: list[OneBot]) -> None:
    """The lane waits, and it is in the database."""
    here, there = bots
    await here.journal.append(entry("a", "out:customer"), entry("b", "out:customer"))
    await here.journal.again(await take(here.journal, "a"), 16.0, "pair rate limit hit")

    assert await there.journal.heads(10) == []
    there.clock.advance(17)
    here.clock.advance(17)
    assert [one.key for one in await there.journal.heads(10)] == ["a"]


# --- what is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["refused", "refused x", "refused x y z", "refused x soon", "refused x nan", "x x 1"])
async def test_what_another_version_says_is_no_harm(bots: list[OneBot], said: str) -> None:
    here, there = bots
    paces = Paces(80, there.database.presence, lambda key: "x", there.clock.now)
    heard = asyncio.Event()
    there.database.presence.listeners.append(lambda what: heard.set() if said in what else None)

    here.database.presence.tell(said)

    async with asyncio.timeout(10):
        await heard.wait()
        await paces.turn("x")


async def test_no_key_is_told(bots: list[OneBot]) -> None:
    here, there = bots
    told: list[str] = []
    there.database.presence.listeners.append(told.extend)
    paces = Paces(80, here.database.presence, lambda key: "its-name", here.clock.now)

    paces.refused("the-api-key", RateLimited("too fast", after=1.5))

    async def heard() -> list[str]:
        return [one for one in told if one.startswith("refused")]

    assert await soon(heard) == ["refused its-name 1.5"]
