"""360Dialog in trouble. The table is in the package's docstring."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.model import Wamid
from bot.sandbox.dialog360.limits import PAIR_REFILL
from bot.stage import Stage, staged
from bot.stage_page import link_in
from tests.nemesis.clocks import FastClock
from tests.stories import webhooks

PAGE = "<html><title>Bad gateway</title></html>"
_SAID = "You have exceeded the endpoint rate limit"
RATE = {"meta": {"success": False, "http_code": 400, "developer_message": _SAID}}
BUSY = {"error": {"message": "(#130429) Rate limit hit", "type": "OAuthException", "code": 130429}}


async def talking(stage: Stage, speed: float) -> str:
    await stage.start(FastClock(speed))
    await stage.connect()
    await stage.customer.write(stage.number, "hi")
    return await stage.agent_reads("hi")


def received(stage: Stage) -> list[str]:
    return [str(one.text) for one in stage.customer.received]


async def told(stage: Stage, room: str, text: str) -> dict[str, Any]:
    found = await stage.rc.until(lambda: [m for m in stage.from_bot(room) if text in m["msg"]], timeout=15)
    return dict(found[-1])


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (429, BUSY, {"Retry-After": "2"}),
        (429, PAGE, {}),
        (400, RATE, {}),
        (503, {"error": {"message": "Service temporarily unavailable", "code": 131016}}, {}),
        (502, "", {}),
        (403, PAGE, {}),
        (401, PAGE, {}),
        (404, "404 page not found", {}),
    ],
)
async def test_what_was_not_taken_is_sent_once_and_in_order(status: int, body: object, headers: dict[str, str]) -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 10)
        stage.wa.levers.add("/messages", times=3, status=status, body=body, headers=headers)
        await stage.agent_writes(room, "one")
        await stage.agent_writes(room, "two")
        await stage.customer_reads("two")
        assert received(stage) == ["one", "two"]
        assert not [m for m in stage.from_bot(room) if "elivered" in m["msg"]]


@pytest.mark.parametrize(("status", "body"), [(500, PAGE), (502, PAGE), (504, PAGE), (500, ""), (200, PAGE)])
async def test_what_may_have_been_taken_is_never_sent_twice_and_the_agent_is_told(status: int, body: object) -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 20)
        stage.wa.auto_status = False
        stage.wa.levers.add("/messages", when="after", status=status, body=body)
        await stage.agent_writes(room, "one")
        await stage.agent_writes(room, "two")
        notice = await told(stage, room, "Perhaps not delivered")
        assert "one" in notice["msg"]
        await stage.customer_reads("two")
        assert received(stage) == ["one", "two"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, ""),
        (503, ""),
        (503, {"error": {"message": "Service temporarily unavailable", "code": 131016}}),
        (500, {"error": {"message": "Something went wrong", "code": 131000}}),
    ],
)
async def test_a_server_that_fails_after_it_took_a_message_does_not_get_it_twice(status: int, body: object) -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 2)
        stage.wa.levers.add("/messages", when="after", status=status, body=body)
        await stage.agent_writes(room, "one")
        await stage.agent_writes(room, "two")
        await stage.customer_reads("two")
        assert received(stage) == ["one", "two"]
        assert not [m for m in stage.from_bot(room) if "elivered" in m["msg"]]


async def test_a_message_in_doubt_is_settled_by_its_status_however_late() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 20)
        stage.wa.auto_status = False
        stage.wa.levers.add("/messages", when="after", drop=True)
        sent = await stage.agent_writes(room, "one")
        await told(stage, room, "Perhaps not delivered")
        assert stage.bot is not None
        key, journal = f"rc:{sent['_id']}", stage.bot.journal
        found = await journal.find(key)
        assert found is not None
        assert (found.state, found.why[:6]) == ("dead", "Unsure")

        [one] = stage.customer.received
        await stage.wa.status(one.wamid, "delivered")
        async with asyncio.timeout(15):
            while (found := await journal.find(key)) is None or found.state != "done":
                await journal.wait(1)
        assert found.result == {"wamids": [one.wamid]}
        assert received(stage) == ["one"]


async def test_a_status_that_comes_before_the_answer_is_known_once() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 10)
        stage.wa.status_early = True
        await stage.agent_writes(room, "one")
        await stage.agent_writes(room, "two")
        await stage.customer_reads("two")
        await stage.wa.settled()
        assert received(stage) == ["one", "two"]
        assert stage.bot is not None
        while (await stage.bot.journal.counts())["waiting"]:
            await stage.bot.journal.wait(1)
        for one in stage.customer.received:
            pair = await stage.bot.journal.pair(Wamid(one.wamid))
            assert pair is not None
            assert pair.state == "read"


async def test_a_revoked_key_is_told_with_what_to_do_and_retry_delivers_with_the_next_one() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 10)
        stage.wa.rotate_key(stage.number)
        sent = await stage.agent_writes(room, "one")
        notice = await told(stage, room, "Not delivered to the customer")
        assert "one" in notice["msg"]
        admins = await told(stage, stage.setup_room, "do not reach WhatsApp")
        assert stage.number.phone in admins["msg"]
        assert "connect the number again with a new key" in admins["msg"]
        assert received(stage) == []

        page = await stage.open(link_in(await stage.command("!whatsapp-360d-cloud connect")))
        page = await stage.submit(page, api_key=stage.number.api_key, phone_number=stage.number.phone)
        for _ in range(3):
            if page.fields or page.buttons:
                page = await stage.submit(page)
        assert stage.bot is not None
        assert await stage.bot.journal.retry(f"rc:{sent['_id']}")
        await stage.customer_reads("one")
        await stage.customer.write(stage.number, "thanks")
        await stage.agent_reads("thanks")


async def test_a_customer_who_gets_too_much_at_once_waits_alone() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 5)
        other = stage.wa.customer("+491700000002", name="Other")
        await other.write(stage.number, "hello")
        others = await stage.agent_reads("hello", other)
        stage.wa.limits.pair_burst = 1
        for text in ("one", "two", "three"):
            await stage.agent_writes(room, text)
        await stage.customer_reads("one")
        await stage.wa.until(lambda: [call for call in stage.wa.calls if call.status == 400], timeout=10)
        await stage.agent_writes(others, "to somebody else")
        await stage.customer_reads("to somebody else", other)
        assert received(stage) == ["one"]

        for _ in ("two", "three"):
            stage.wa.clock_offset += 2 * PAIR_REFILL
            stage.wa.limits.pair_burst += 1
        await stage.customer_reads("three")
        assert received(stage) == ["one", "two", "three"]


async def test_what_comes_again_after_an_outage_is_shown_in_the_order_in_which_it_was_written() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 1)
        other = stage.wa.customer("+491700000002", name="Other")
        await stage.stop()
        written = int(stage.wa.now()) - 60
        bodies = [webhooks.text(stage.number, stage.customer, f"word {n}", written + n) for n in range(6)]
        await stage.start(FastClock(1))
        for n in (3, 0, 5, 1, 4, 2):
            assert await stage.wa.deliver(stage.number, bodies[n]) == [200]
            await other.write(stage.number, f"other {n}")  # the bot has time to show what it has
            await stage.agent_reads(f"other {n}", other)
        await stage.agent_reads("word 5")
        assert stage.from_customer(room) == ["hi", *(f"word {n}" for n in range(6))]


async def test_a_webhook_that_comes_again_for_days_is_shown_once() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, 1)
        body = webhooks.text(stage.number, stage.customer, "again and again", int(stage.wa.now()))
        for day in range(3):
            assert await stage.wa.deliver(stage.number, body, times=5, concurrently=day == 0) == [200] * 5
            await stage.agent_reads("again and again")
            await stage.stop()
            await stage.start(FastClock(1))
        await stage.customer.write(stage.number, "the end")
        await stage.agent_reads("the end")
        assert stage.from_customer(room) == ["hi", "again and again", "the end"]
