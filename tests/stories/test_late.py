"""An agent whose message does not go out for minutes is told, once an outage, and again when it is over."""

from __future__ import annotations

import pytest

from bot.relay.retry import DAY
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

BUSY = {"error": {"code": 130429, "message": "(#130429) Rate limit hit"}}


def told(stage: Stage, room: str) -> list[str]:
    return [message["msg"] for message in stage.from_bot(room)]


async def talking(stage: Stage, clock: FastClock) -> str:
    await stage.start(clock)
    await stage.connect()
    await stage.customer.write(stage.number, "hi")
    return await stage.agent_reads("hi")


async def minutes(stage: Stage, clock: FastClock, many: float) -> None:
    """Until so much time has passed on the bot's clock, and it has tried again since."""
    until, seen = clock.now() + 60 * many, len(stage.wa.calls)
    await stage.wa.until(lambda: clock.now() > until and len(stage.wa.calls) > seen, timeout=30)


async def waits_and_goes_out(stage: Stage, room: str, words: str) -> None:
    await stage.rc.until(lambda: any(words in line for line in told(stage, room)), timeout=30)
    stage.wa.levers.clear()
    await stage.rc.until(lambda: told(stage, room)[-1].startswith("What had waited"), timeout=30)


async def test_it_is_told_once_an_outage_however_many_messages_wait_and_over_restarts() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        stage.wa.levers.add("/messages", times=-1, status=429, body=BUSY)
        await stage.agent_writes(room, "your *order* is ready")
        await stage.agent_writes(room, "come by")
        await stage.rc.until(lambda: told(stage, room), timeout=30)
        [line] = told(stage, room)
        assert line.startswith("**Not delivered yet:** “your *order* is ready” and what you wrote after it")
        await minutes(stage, clock, 5)
        await stage.stop()
        clock = FastClock(speed=60)
        await stage.start(clock)
        await minutes(stage, clock, 5)
        assert told(stage, room) == [line]

        stage.wa.levers.clear()
        await stage.customer_reads("come by")
        await stage.rc.until(lambda: len(told(stage, room)) == 2, timeout=30)
        assert told(stage, room)[1] == "What had waited has now been handed to WhatsApp."
        assert [one.text for one in stage.customer.received] == ["your *order* is ready", "come by"]


async def test_the_next_outage_is_told_anew_and_a_short_one_not_at_all() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        for outage in ("first", "second"):
            stage.wa.levers.add("/messages", times=-1, status=429, body=BUSY)
            await stage.agent_writes(room, f"{outage} outage")
            await waits_and_goes_out(stage, room, outage)
        before = told(stage, room)
        assert len(before) == 4
        stage.wa.levers.add("/messages", times=2, status=429, body=BUSY)
        sent = await stage.agent_writes(room, "a hiccup")
        await stage.customer_reads("a hiccup")
        assert stage.bot is not None
        assert await stage.bot.journal.find(f"late:rc:{sent['_id']}") is None
        journal = stage.bot.journal
        while (await journal.counts())["waiting"]:
            await journal.wait(0.05)
        assert told(stage, room) == before


@pytest.mark.parametrize("jump", [-1800.0, -3 * 3600.0, 86400.0])
async def test_a_clock_that_jumps_says_nothing_twice_and_delays_nothing(jump: float) -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        stage.wa.levers.add("/messages", times=-1, status=429, body=BUSY)
        await stage.agent_writes(room, "hello")
        await stage.rc.until(lambda: told(stage, room), timeout=30)
        clock.jump(jump)
        stage.wa.levers.clear()
        await stage.customer_reads("hello")
        await stage.rc.until(lambda: len(told(stage, room)) == 2, timeout=40)
        assert told(stage, room)[1] == "What had waited has now been handed to WhatsApp."


async def test_a_server_that_asks_for_a_long_pause_is_no_reason_to_tell_late() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        stage.wa.levers.add("/messages", status=429, body=BUSY, headers={"Retry-After": "1200"})
        began = clock.now()
        await stage.agent_writes(room, "hello")
        await stage.rc.until(lambda: told(stage, room), timeout=30)
        assert 170 < clock.now() - began < 600
        assert not stage.customer.received
        await stage.rc.until(lambda: len(told(stage, room)) == 2, timeout=40)
        assert [one.text for one in stage.customer.received] == ["hello"]


async def test_what_is_refused_in_the_end_is_told_as_that_and_not_as_handed_over() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        stage.wa.levers.add("/messages", times=-1, status=429, body=BUSY)
        await stage.agent_writes(room, "hello")
        await stage.rc.until(lambda: told(stage, room), timeout=30)
        stage.wa.levers.clear()
        stage.wa.levers.add("/messages", status=400, body={"error": {"code": 131009, "message": "no"}})
        await stage.rc.until(lambda: len(told(stage, room)) == 2, timeout=30)
        assert told(stage, room)[1].startswith("**Not delivered to the customer:** “hello”")
        assert stage.bot is not None
        journal = stage.bot.journal
        while (await journal.counts())["waiting"]:
            await journal.wait(0.05)
        assert len(told(stage, room)) == 2


async def test_what_was_deleted_while_it_was_late_is_not_called_handed_over() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        stage.wa.levers.add("/messages", times=-1, status=429, body=BUSY)
        sent = await stage.agent_writes(room, "to the wrong customer")
        await stage.rc.until(lambda: told(stage, room), timeout=30)
        await stage.rc.remove(stage.agent, sent["_id"])
        stage.wa.levers.clear()
        await stage.rc.until(lambda: len(told(stage, room)) == 3, timeout=30)
        assert told(stage, room)[1:] == [
            "A message that still waited was deleted here. It was not sent to the customer.",
            "Nothing that was written here waits to be handed to WhatsApp any more.",
        ]
        assert stage.customer.received == []


async def test_a_firewall_that_refuses_for_a_day_is_told_in_minutes_and_given_up_in_the_end() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        stage.wa.levers.add("/messages", times=-1, status=403, body="<html><title>403 Forbidden</title></html>")
        await stage.agent_writes(room, "your order is ready")
        await stage.rc.until(lambda: told(stage, room), timeout=30)
        assert told(stage, room)[0].startswith("**Not delivered yet:** “your order is ready”")
        await minutes(stage, clock, 8)  # tried often enough
        clock.jump(DAY)
        await stage.rc.until(lambda: "**Not delivered to the customer" in told(stage, room)[-1], timeout=30)
        assert "your order is ready" in told(stage, room)[-1]
