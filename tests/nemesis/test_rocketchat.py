"""Rocket.Chat in trouble. The table is in the package's docstring."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from pydantic import SecretStr

from bot.config import RocketChat
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

PAGE = "<html><title>Bad gateway</title></html>"


async def readiness(stage: Stage) -> tuple[int, str]:
    async with stage.http.get(f"{stage.settings.server.public_url}/readyz") as answer:
        told = await answer.json()
        assert abs(datetime.fromisoformat(told["heard"]).timestamp() - time.time()) < 86400  # clocks run fast here
        return answer.status, str(told["rocketchat"])


async def talking(stage: Stage, clock: FastClock | None = None) -> str:
    await stage.start(clock)
    await stage.connect()
    await stage.customer.write(stage.number, "hi")
    return await stage.agent_reads("hi")


async def test_a_workspace_that_is_away_for_minutes_gets_everything_in_order_afterwards() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=60)
        room = await talking(stage, clock)
        began = clock.now()
        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        stage.rc.levers.add("/api/", times=-1, drop=True)
        for number in range(5):
            await stage.customer.write(stage.number, f"waits {number}")
        await stage.rc.until(lambda: clock.now() > began + 180 and stage.rc.calls, timeout=20)
        assert [delivery.statuses for delivery in stage.wa.deliveries[-5:]] == [[200]] * 5
        assert await readiness(stage) == (200, "away")
        await stage.agent_writes(room, "meanwhile")

        stage.rc.levers.clear()
        stage.rc.refuse_sockets(False)
        await stage.agent_reads("waits 4")
        await stage.customer_reads("meanwhile")
        assert stage.from_customer(room) == ["hi", *(f"waits {number}" for number in range(5))]
        assert [one.text for one in stage.customer.received] == ["meanwhile"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"success": False, "error": "Error, too many requests. [error-too-many-requests]"}),
        (500, {"success": False, "error": "Internal server error"}),
        (502, PAGE),
        (503, ""),
        (200, PAGE),
        (200, "[]"),
        (200, {"success": True}),
    ],
)
async def test_an_answer_that_is_none_loses_and_doubles_nothing(status: int, body: object) -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, FastClock(speed=10))
        stage.rc.levers.add("livechat/message", times=2, when="after", status=status, body=body)
        stage.rc.levers.add("livechat/message", times=2, status=status if status > 200 else 502, body=body)
        await stage.customer.write(stage.number, "one")
        await stage.customer.write(stage.number, "two")
        await stage.agent_reads("two")
        assert stage.from_customer(room) == ["hi", "one", "two"]


async def test_events_that_a_bus_drops_are_found_without_a_reconnect() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, FastClock(speed=60))
        stage.rc.hold_events(True)
        await stage.agent_writes(room, "nobody heard this")
        stage.rc.hold_events(False)
        await stage.customer_reads("nobody heard this")
        assert [one.text for one in stage.customer.received] == ["nobody heard this"]


async def test_a_bot_that_is_logged_out_logs_in_again_and_loses_nothing() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, FastClock(speed=10))
        tokens = [token for token, of in stage.rc.core.world.tokens.items() if of.user_id == stage.bot_user.id]
        for token in tokens:
            stage.rc.revoke(token)
        await stage.rc.cut_sockets()
        await stage.customer.write(stage.number, "are you there?")
        await stage.agent_writes(room, "yes")
        await stage.agent_reads("are you there?")
        await stage.customer_reads("yes")
        assert await readiness(stage) == (200, "connected")


async def test_a_revoked_token_is_visible_and_everything_waits_for_the_next_one() -> None:
    async with staged(start=False) as stage:

        def use(token: str) -> None:
            login = RocketChat(
                url=stage.rc.url, user_id=stage.bot_user.id, auth_token=SecretStr(token), setup_members=["ada"]
            )
            stage.settings = stage.settings.model_copy(update={"rocketchat": login})

        token = stage.rc.token_for(stage.bot_user)
        use(token)
        room = await talking(stage)
        stage.rc.revoke(token)
        await stage.rc.cut_sockets()
        await stage.customer.write(stage.number, "while it is revoked")
        await stage.agent_writes(room, "written while it is revoked")
        assert stage.wa.deliveries[-1].statuses == [200]
        await stage.rc.until(lambda: stage.bot is not None and not stage.bot.listener.connected)  # type: ignore[union-attr]
        assert await readiness(stage) == (200, "away")
        await stage.stop()

        use(stage.rc.token_for(stage.bot_user))
        await stage.start()
        await stage.agent_reads("while it is revoked")
        await stage.customer_reads("written while it is revoked")
