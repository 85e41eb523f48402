"""The administrator's own system is told what becomes of every message, with the fields of the original app."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bot.stage import Stage, free_port, staged


class Receiver:
    """An administrator's system. `answers` are the statuses it gives, the last one for ever."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers) or [200]
        self.got: list[dict[str, Any]] = []
        self.url = ""
        self._news = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        async with self._news:
            self.got.append(json.loads(await request.text()))
            self._news.notify_all()
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    async def heard(self, count: int) -> None:
        """Waits until it was called so often."""
        async with asyncio.timeout(15), self._news:
            await self._news.wait_for(lambda: len(self.got) >= count)

    def states(self) -> list[str]:
        return [one["MessageStatus"] for one in self.got]


@asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(*answers)
    app = web.Application()
    app.router.add_post("/status", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    receiver.url = f"http://127.0.0.1:{port}/status"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def say(stage: Stage, words: str) -> str:
    await stage.customer.write(stage.number, "hi")
    room = await stage.agent_reads("hi")
    await stage.rc.write(stage.agent, room, words)
    await stage.customer_reads(words)
    return room


async def test_every_change_is_told_with_the_fields_of_the_original_app() -> None:
    async with receiving() as receiver, staged(message_status_endpoint_url=receiver.url) as stage:
        await stage.connect()
        await say(stage, "hello there")
        assert stage.bot is not None
        wamid = stage.customer.received[-1].wamid
        for state in ("queued", "sent", "delivered", "read"):
            await stage.bot.journal.closed(f"callback:{wamid}:{state}", 10)

        assert receiver.states()[0] == "queued"
        assert sorted(receiver.states()) == sorted(set(receiver.states()))
        for call in receiver.got:
            assert call.pop("timestamp").endswith("Z")
            assert call.pop("MessageStatus") in ("queued", "sent", "delivered", "read")
            assert call == {
                "msId": wamid,
                "message": "hello there",
                "mobileNo": stage.customer.wa_id,
                "connectedWhatsAppNo": stage.number.digits,
                "type": "Regular-Message",
            }


async def test_after_a_restart_the_text_is_asked_of_rocket_chat() -> None:
    async with receiving() as receiver, staged(message_status_endpoint_url=receiver.url) as stage:
        stage.wa.auto_status = False
        await stage.connect()
        await say(stage, "remember *me*")
        await receiver.heard(1)
        await stage.stop()
        await stage.start()
        await stage.wa.status(stage.customer.received[-1].wamid, "read")
        await receiver.heard(2)

        assert [one["message"] for one in receiver.got] == ["remember *me*"] * 2


async def test_what_failed_is_told_with_whatsapps_own_words() -> None:
    async with receiving() as receiver, staged(message_status_endpoint_url=receiver.url) as stage:
        stage.wa.auto_status = False
        await stage.connect()
        room = await say(stage, "one")
        wamid = stage.customer.received[-1].wamid
        await stage.wa.status(wamid, "failed", code=131026, title="Message undeliverable", details="no such person")
        await receiver.heard(2)
        stage.wa.levers.add("/messages", status=400, body={"error": {"code": 131009, "message": "Parameter"}})
        await stage.rc.write(stage.agent, room, "two")
        await receiver.heard(3)

        queued, failed, refused = receiver.got
        assert queued["MessageStatus"] == "queued"
        assert failed["ErrorDetails"] == [
            {"code": 131026, "title": "Message undeliverable", "error_data": {"details": "no such person"}}
        ]
        assert (refused["MessageStatus"], refused["message"]) == ("failed", "two")
        assert refused["ErrorDetails"] == "Parameter"
        assert "msId" not in refused


async def test_a_system_that_is_away_is_told_later_and_holds_nothing_up() -> None:
    async with receiving(503, 200) as receiver, staged(message_status_endpoint_url=receiver.url) as stage:
        stage.wa.auto_status = False
        await stage.connect()
        room = await say(stage, "one")
        await stage.rc.write(stage.agent, room, "two")
        await stage.customer_reads("two")
        await receiver.heard(3)

        assert [one["message"] for one in receiver.got] == ["one", "one", "two"]


async def test_a_redirect_is_not_followed_and_an_administrator_hears_of_it() -> None:
    async with receiving(302) as receiver, staged(message_status_endpoint_url=receiver.url) as stage:
        stage.wa.auto_status = False
        await stage.connect()
        await say(stage, "one")
        await stage.rc.until(lambda: any("HTTP 302" in one["msg"] for one in stage.from_bot(stage.setup_room)))

        assert len(receiver.got) == 1


async def test_a_customer_has_one_number_in_all_calls_however_it_was_typed() -> None:
    async with receiving() as receiver, staged(message_status_endpoint_url=receiver.url) as stage:
        await stage.connect()
        await stage.command(f"!whatsapp-360d-cloud send-template hello_world en_US {stage.customer.phone}")
        await receiver.heard(3)

        assert {one["mobileNo"] for one in receiver.got} == {stage.customer.wa_id}


@pytest.mark.parametrize(("wanted", "calls"), [("regular", ["queued"]), ("template", [])])
async def test_the_filter_counts(wanted: str, calls: list[str]) -> None:
    async with (
        receiving() as receiver,
        staged(message_status_endpoint_url=receiver.url, message_status_filter=wanted) as stage,
    ):
        stage.wa.auto_status = False
        await stage.connect()
        await say(stage, "one")
        assert stage.bot is not None
        if calls:
            await receiver.heard(1)
        counts = await stage.bot.journal.counts()

        assert receiver.states() == calls
        assert counts["dead"] == 0
