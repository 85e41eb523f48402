"""A number is disconnected while 360Dialog goes on delivering to it, and is perhaps connected again."""

import asyncio

from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

DISCONNECT = "!whatsapp-360d-cloud numbers disconnect"


async def disconnect(stage: Stage) -> None:
    assert "goes on delivering" in (await stage.command(DISCONNECT))["msg"]
    assert "is disconnected" in (await stage.command("yes"))["msg"]


def told(stage: Stage, words: str) -> list[str]:
    return [message["msg"] for message in stage.from_bot(stage.setup_room) if words in message["msg"]]


async def test_what_comes_in_meanwhile_is_told_once_and_shown_in_order_when_the_number_comes_back() -> None:
    async with staged() as stage:
        await stage.connect()
        address = dict(stage.number.webhook or {})
        await disconnect(stage)
        for text in ("anybody there?", "hello?"):
            await stage.customer.write(stage.number, text)
        await stage.rc.until(lambda: told(stage, "still write to +4915112345678"))
        assert [delivery.statuses for delivery in stage.wa.deliveries] == [[200], [200]]

        page = await stage.connect()

        assert "Kept messages and events: 2" in page.text
        room = await stage.agent_reads("hello?")
        assert stage.from_customer(room) == ["anybody there?", "hello?"]
        assert len(told(stage, "still write to")) == 1
        assert dict(stage.number.webhook or {}) == address
        await stage.agent_writes(room, "yes!")
        await stage.customer_reads("yes!")


async def test_what_waited_for_days_says_when_it_arrived() -> None:
    async with staged(start=False) as stage:
        clock = FastClock()
        await stage.start(clock)
        await stage.connect()
        await disconnect(stage)
        await stage.customer.write(stage.number, "anybody there?")
        await stage.rc.until(lambda: told(stage, "still write to"))
        clock.jump(2 * 86400)

        await stage.connect()

        room = await stage.agent_reads("anybody there?")
        [shown] = stage.from_customer(room)
        assert shown.startswith("_Arrived ") and shown.endswith("shown only now:_\nanybody there?")


async def test_a_number_whose_return_fails_keeps_what_comes_in() -> None:
    async with staged() as stage:
        await stage.connect()
        await disconnect(stage)
        stage.wa.levers.add("/v1/configs/webhook", method="POST", times=-1, status=400, body={"meta": {}})
        await stage.connect()
        stage.wa.levers.clear()
        await stage.customer.write(stage.number, "anybody there?")
        await stage.rc.until(lambda: told(stage, "still write to +4915112345678"))

        await stage.connect()

        await stage.agent_reads("anybody there?")


async def test_what_comes_in_while_it_is_being_connected_again_keeps_its_place() -> None:
    async with staged() as stage:
        await stage.connect()
        await disconnect(stage)
        await stage.customer.write(stage.number, "first")
        await stage.rc.until(lambda: told(stage, "still write to +4915112345678"))
        stage.wa.levers.add("/v1/configs/webhook", method="POST", when="after", delay=1.0)
        returning = asyncio.create_task(stage.connect())
        await stage.wa.until(lambda: stage.wa.levers.idle)
        await stage.customer.write(stage.number, "second")

        await returning

        room = await stage.agent_reads("second")
        assert stage.from_customer(room) == ["first", "second"]
