"""Several bots on one PostgreSQL: they never do the same work, notice each other at once, take over from the dead."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest

from bot.config import App
from bot.ports import Entry, Outcome, Step
from bot.relay.live_settings import LiveSettings
from bot.storage.files import StorageError
from bot.storage.journal_postgres import HoldLost
from bot.storage.postgres import Database
from bot.storage.postgres_presence import Pace
from bot.storage.secrets import Vault
from tests.contract.bots import OneBot, bot_on
from tests.contract.journals import entry, keys, take
from tests.contract.registries import OTHER, SHOP

T = TypeVar("T")
DONE = Outcome()
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"


async def soon(look: Callable[[], Awaitable[T]], seconds: float = 10.0) -> T:
    """The first answer that is not empty; what another bot told is on its way."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 - another bot has no event to wait for
            await asyncio.sleep(0.01)
    return found


# --- together -------------------------------------------------------------------------------------------------------


async def test_no_lane_is_held_by_two_and_every_lane_by_one(bots: list[OneBot]) -> None:
    await bots[0].journal.append(*(entry(f"k{n}", f"lane {n}") for n in range(60)))

    taken = await asyncio.gather(*(bots[n % 2].journal.heads(3) for n in range(40)))

    assert sorted(one.key for some in taken for one in some) == sorted(f"k{n}" for n in range(60))


async def test_a_lane_keeps_its_order_whoever_works_on_it(bots: list[OneBot]) -> None:
    seen: list[str] = []

    async def work(bot: OneBot) -> None:
        while len(seen) < 60:
            for one in await bot.journal.heads(2):
                seen.append(one.key)
                await bot.journal.done(one, DONE)

    for number in range(60):
        await bots[number % 2].journal.append(entry(f"{number % 3}:{number:02}", f"lane {number % 3}", at_ms=number))
    async with asyncio.timeout(20):
        await asyncio.gather(*map(work, bots))

    for lane in "012":
        mine = [key for key in seen if key.startswith(lane)]
        assert mine == sorted(mine)
        assert len(mine) == 20


async def test_what_all_of_them_hear_enters_once_and_none_waits_for_the_other_for_ever(bots: list[OneBot]) -> None:
    heard = [entry(f"k{n}", f"lane {n % 4}") for n in range(40)]

    async def append(bot: OneBot, some: list[Entry]) -> int:
        return await bot.journal.append(*some)

    async with asyncio.timeout(20):
        new = await asyncio.gather(
            *(append(bots[n % 2], heard[n:] + heard[:n]) for n in range(0, 40, 5)),
            *(append(bots[n % 2], list(reversed(heard))) for n in range(4)),
        )

    assert sum(new) == 40
    assert dict(await bots[0].journal.counts()) == {"waiting": 40, "aside": 0, "done": 0, "dead": 0}


async def test_a_bot_that_waits_is_woken_by_what_another_one_stores(bots: list[OneBot]) -> None:
    here, there = bots
    assert await there.journal.heads(10) == []
    waiting = asyncio.create_task(there.journal.wait(1000))
    await there.clock.asleep()

    await here.journal.append(entry("a"))

    async with asyncio.timeout(10):
        await waiting
    assert await keys(there.journal) == ["a"]


async def test_whoever_waits_for_the_end_of_an_entry_hears_of_it_from_another_bot(bots: list[OneBot]) -> None:
    here, there = bots
    await here.journal.append(entry("a"))
    one = await take(here.journal, "a")
    waiting = asyncio.create_task(there.journal.closed("a", 1000))
    await there.clock.asleep()

    await here.journal.done(one, Outcome({"n": 1}))

    async with asyncio.timeout(10):
        assert (await waiting or pytest.fail("not told")).result == {"n": 1}


async def test_a_mark_does_not_go_back_when_a_slower_bot_sets_it(bots: list[OneBot]) -> None:
    here, there = bots
    await here.journal.set_mark("heard", "100.5", forward=True)
    await there.journal.set_mark("heard", "99", forward=True)

    assert await here.journal.mark("heard") == "100.5"


async def test_one_bot_at_a_time_is_alone(bots: list[OneBot]) -> None:
    inside = 0

    async def enter(bot: OneBot) -> None:
        nonlocal inside
        async with bot.database.alone("setup"):
            inside += 1
            await asyncio.sleep(0)
            assert inside == 1
            inside -= 1

    async with asyncio.timeout(20):
        await asyncio.gather(*(enter(bots[n % 2]) for n in range(4)))


async def test_who_gives_up_waiting_to_be_alone_takes_nothing_from_whoever_is(bots: list[OneBot]) -> None:
    """All locks of a bot are in one session: when a page's time is over, it must not end."""
    here, there = (bot.database.alone for bot in bots)
    async with here("held"):
        for turns in range(6):
            entering = asyncio.create_task(here(f"given up {turns}").__aenter__())
            for _ in range(turns):
                await asyncio.sleep(0)
            entering.cancel()
            await asyncio.gather(entering, return_exceptions=True)
        waiting = asyncio.create_task(there("held").__aenter__())
        for turns in range(6):
            async with asyncio.timeout(10), there(f"given up {turns}"):
                pass  # nobody has it: what was got in the last moment was given back
        assert not waiting.done()
    await waiting


async def test_a_clock_that_was_put_back_lengthens_no_pause_though_the_database_is_lost_just_then(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    journal, clock = bots[0].journal, bots[0].clock
    await journal.append(entry("a"))
    await journal.again(await take(journal, "a"), 60, "busy")
    assert await keys(journal) == []
    await admin.execute(
        "CREATE SEQUENCE tries; CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('tries') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN new; END $$; "
        "CREATE TRIGGER lost BEFORE UPDATE OF due ON entries FOR EACH ROW EXECUTE FUNCTION lost()"
    )
    clock.advance(-1800)
    assert await keys(journal) == []
    assert await admin.fetchval("SELECT last_value FROM tries") == 2, "lost once, and tried again"
    clock.advance(60)

    assert await keys(journal) == ["a"]


# --- the registry ---------------------------------------------------------------------------------------------------


async def test_a_number_that_another_bot_connected_is_known_at_once(bots: list[OneBot]) -> None:
    here, there = bots
    assert await there.registry.number_of_hook(SHOP.hook_path) is None
    await here.registry.put_number(SHOP)

    assert await there.registry.number_of_hook(SHOP.hook_path) == SHOP
    await here.registry.put_number(OTHER)
    assert await there.registry.number(OTHER.id) == OTHER


async def test_what_another_bot_changed_is_not_remembered_as_it_was(bots: list[OneBot]) -> None:
    here, there = bots
    await here.registry.put_number(SHOP)
    await here.registry.set_fact("f", "old")
    assert (await there.registry.number(SHOP.id), await there.registry.fact("f")) == (SHOP, "old")
    there.registry.changed.clear()

    renewed = replace(SHOP, api_key="a-new-key")
    await here.registry.put_number(renewed)
    await here.registry.set_fact("f", "new")

    async def known() -> bool:
        return (await there.registry.number(SHOP.id), await there.registry.fact("f")) == (renewed, "new")

    await soon(known)
    assert there.registry.changed.is_set()


async def test_what_is_set_in_chat_at_one_bot_counts_at_the_other_until_it_is_taken_back(bots: list[OneBot]) -> None:
    here, there = (LiveSettings(bot.registry, App(), bot.database.alone) for bot in bots)
    changed = bots[1].registry.changed

    for change, label in ((here.change("list_button_label", "Menu"), "Menu"), (here.reset("list_button_label"), None)):
        changed.clear()
        await change
        async with asyncio.timeout(10):
            await changed.wait()
        await there.load()
        assert there.current.list_button_label == (label or App().list_button_label)


async def test_settings_that_are_changed_at_two_bots_in_turn_all_count(bots: list[OneBot]) -> None:
    here, there = (LiveSettings(bot.registry, App(), bot.database.alone) for bot in bots)
    await there.load()
    bots[1].registry.changed.clear()

    await here.change("list_button_label", "Menu")
    async with asyncio.timeout(10):
        await bots[1].registry.changed.wait()
    await there.change("allow_list_options", False)

    assert there.current == App(list_button_label="Menu", allow_list_options=False)


async def test_a_form_moves_from_one_bot_to_the_next_with_every_step(bots: list[OneBot]) -> None:
    here, there = bots
    for step in range(5):
        await here.registry.put_session({"id": "s", "step": step})
        assert await there.registry.sessions() == [{"id": "s", "step": step}]
        here, there = there, here


# --- out of touch ---------------------------------------------------------------------------------------------------


async def test_what_a_dead_bot_held_is_taken_over_within_seconds(url: str, tmp_path: Path) -> None:
    pace = Pace(beat=0.05, grace=0.2)
    key = tmp_path / "secret.key"
    async with bot_on(url, key, pace) as here, bot_on(url, key, pace) as there:
        await here.journal.append(entry("a"), entry("b"))
        one = await take(here.journal, "a")
        await here.journal.progress(one, 0, Step("handed"))
        assert await there.journal.heads(10) == []

        await here.database.presence.stop()  # its connection ends, and nothing is given back: as when it is killed

        [again] = await soon(lambda: there.journal.heads(10))
        assert (again.key, again.steps) == ("a", {0: Step("handed")})

        # One that was only thought dead hands nothing over any more, and closes nothing.
        with pytest.raises(HoldLost):
            await here.journal.progress(one, 1, Step("handed"))
        await here.journal.done(one, DONE)
        assert (await there.journal.find("a") or pytest.fail("lost")).state == "waiting"
        await there.journal.done(again, DONE)
        assert await keys(there.journal) == ["b"]


async def test_a_bot_whose_connections_are_cut_keeps_what_it_holds(
    url: str, tmp_path: Path, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    key, pace = tmp_path / "secret.key", Pace(beat=0.05, grace=3600)  # they look often, and nobody counts as dead
    async with bot_on(url, key, pace) as here, bot_on(url, key, pace) as there:
        await here.journal.append(entry("a"), entry("b"))
        one = await take(here.journal, "a")

        await admin.fetch(CUT, admin.get_server_pid())

        await here.journal.done(one, DONE)
        await there.journal.append(entry("c", "other"))
        taken = {one.key for one in [*await there.journal.heads(10), *await here.journal.heads(10)]}
        assert taken == {"b", "c"}


async def test_nothing_is_lost_or_done_twice_while_connections_are_cut_again_and_again(
    url: str, tmp_path: Path, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """Cut after so much work and not after so much time: on a machine that is busy nobody would get anywhere between
    two cuts. Nor is anybody's lock away for so long there that what it holds is given to the other."""
    finished: list[str] = []
    further = asyncio.Event()
    chance = random.Random(7)
    cuts = 0

    async def send(bot: OneBot, lane: int) -> None:
        for number in range(40):
            await bot.journal.append(entry(f"{lane}:{number:02}", f"lane {lane}", at_ms=number))

    async def work(bot: OneBot) -> None:
        while len(finished) < 160:
            for one in await bot.journal.heads(4):
                finished.append(one.key)
                further.set()
                await bot.journal.done(one, DONE)

    async def cut_often() -> None:
        nonlocal cuts
        while (before := len(finished)) < 156:
            while len(finished) < before + 4:
                await further.wait()
                further.clear()
            await asyncio.sleep(chance.uniform(0, 0.05))  # in the middle of whatever comes next
            await admin.fetch(CUT, admin.get_server_pid())
            cuts += 1

    key, patient = tmp_path / "secret.key", Pace(grace=3600)
    async with asyncio.timeout(300), bot_on(url, key, patient) as here, bot_on(url, key, patient) as there:
        bots = [here, there]
        await asyncio.gather(*(send(bots[lane % 2], lane) for lane in range(4)), *map(work, bots), cut_often())
        counted = dict(await here.journal.counts())

    assert cuts > 10
    assert len(finished) == len(set(finished))
    for lane in "0123":
        assert [key for key in finished if key[0] == lane] == [f"{lane}:{number:02}" for number in range(40)]
    assert counted == {"waiting": 0, "aside": 0, "done": 160, "dead": 0}


async def test_a_database_that_stays_away_is_named_without_its_password(tmp_path: Path) -> None:
    away = f"postgresql://bot:the-password@/shop?host={tmp_path}"

    with pytest.raises(StorageError, match=f"shop at {tmp_path} cannot be used") as raised:
        await Database(away, Vault(tmp_path / "secret.key"), Pace(patience=0.2)).__aenter__()

    assert "the-password" not in str(raised.value)
