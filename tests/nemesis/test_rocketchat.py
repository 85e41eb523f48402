"""Rocket.Chat in trouble. The table is in the package's docstring."""

from __future__ import annotations

import gc
import time
from datetime import datetime
from functools import partial
from inspect import signature

import pytest
from pydantic import SecretStr

from bot import doors
from bot.config import RocketChat
from bot.ports import Entry
from bot.relay.places import PLACES
from bot.rocketchat.realtime import Realtime
from bot.sandbox.rocketchat.rest import Call
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock
from tests.nemesis.lines import SilentLine
from tests.stories import webhooks

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
        (403, PAGE),
        (401, PAGE),
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


async def test_a_message_whose_preview_is_still_being_fetched_is_not_overtaken() -> None:
    """Rocket.Chat announces it only after that (8.3 app/oembed), so the agent's next words are heard first."""
    async with staged(start=False) as stage:
        room = await talking(stage, FastClock(1))
        stage.rc.core.messages.preview_delay = 0.5
        for number in range(3):
            await stage.agent_writes(room, f"look {number}: https://example.org/{number}")
            await stage.agent_writes(room, f"and say {number}")

        await stage.customer_reads("and say 2")
        texts = [
            text
            for number in range(3)
            for text in (f"look {number}: https://example.org/{number}", f"and say {number}")
        ]
        assert [str(message.text) for message in stage.customer.received] == texts


async def test_where_earlier_messages_cannot_be_asked_for_what_is_heard_goes_on() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, FastClock(1))
        stage.rc.levers.add("chat.syncMessages", times=-1, status=503)
        for number in range(3):
            await stage.agent_writes(room, f"word {number}")

        await stage.customer_reads("word 2")
        assert [str(message.text) for message in stage.customer.received] == [f"word {number}" for number in range(3)]
        assert (
            len([call for call in stage.rc.calls if call.path.endswith("chat.syncMessages") and call.status == 503])
            == 1
        )


async def test_a_limit_that_names_a_day_does_not_leave_the_order_to_chance_for_a_day(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged(start=False) as stage:
        room = await talking(stage, FastClock(1))
        said = "Error, too many requests. You must wait 86400 seconds before trying this. [error-too-many-requests]"
        stage.rc.levers.add("chat.syncMessages", status=429, body={"success": False, "error": said})
        await stage.agent_writes(room, "word")

        await stage.customer_reads("word")
        assert "may come out of order for 60 s" in caplog.text


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


async def test_a_line_that_falls_silent_is_given_up_and_nothing_of_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sign of life is asked for after 20 seconds of silence, and waited for until 40; here all eight times as fast,
    because these two are measured by no clock of the tests."""
    usual = signature(Realtime).parameters
    silence, patience = usual["silence"].default, usual["patience"].default
    assert (silence, patience) == (20, 40)
    monkeypatch.setattr(doors, "Realtime", partial(Realtime, silence=silence / 8, patience=patience / 8))
    async with staged(start=False) as stage, SilentLine(stage.rc.url, of=b"GET /websocket").laid() as line:
        rocketchat = stage.settings.rocketchat.model_copy(update={"url": line.url})
        stage.settings = stage.settings.model_copy(update={"rocketchat": rocketchat})
        room = await talking(stage)
        await stage.agent_writes(room, "before")
        await stage.customer_reads("before")
        line.fall_silent()
        began = time.monotonic()
        for number in range(3):
            await stage.agent_writes(room, f"into silence {number}")
        await stage.customer.write(stage.number, "are you there?")
        await stage.agent_reads("are you there?")
        assert await readiness(stage) == (200, "connected"), "nobody can know yet"

        await stage.wa.until(lambda: len(stage.customer.received) == 4, timeout=30)
        assert patience / 8 - 1 < time.monotonic() - began < patience / 8 + 10
        assert line.connections == 2
        assert [one.text for one in stage.customer.received] == ["before", *(f"into silence {n}" for n in range(3))]
        await stage.agent_writes(room, "after")
        await stage.customer_reads("after")


async def test_who_asks_to_wait_is_not_asked_before() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        reset = time.time() + 4
        busy = {"success": False, "error": "Error, too many requests. [error-too-many-requests]"}
        headers = {"X-RateLimit-Reset": str(int(reset * 1000))}
        stage.rc.levers.add("livechat/message", status=429, body=busy, headers=headers)
        before = len(stage.rc.calls)
        for number in range(3):
            await stage.customer.write(stage.number, f"word {number}")
        await stage.rc.until(lambda: any(call.status == 429 for call in stage.rc.calls))
        assert [call.status for call in posted(stage, before)] == [429]
        await stage.agent_reads("word 2")

        assert time.time() >= reset
        assert [call.status for call in posted(stage, before)] == [429, 200, 200, 200]
        assert stage.from_customer(room) == ["hi", *(f"word {number}" for number in range(3))]


def posted(stage: Stage, since: int) -> list[Call]:
    return [call for call in stage.rc.calls[since:] if call.path.endswith("livechat/message")]


async def test_what_comes_in_while_it_is_away_waits_on_the_disk_and_not_in_memory() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        stage.rc.levers.add("/api/", times=-1, status=503)
        people = [stage.wa.customer(f"+4917000{number:05}", name=f"Guest {number}") for number in range(150)]
        for number in range(8):
            words = f"{number} " + "long " * 400
            at = int(stage.wa.now())
            bodies = [webhooks.text(stage.number, who, words, at) for who in people]
            for body in bodies:
                assert await stage.wa.deliver(stage.number, body) == [200]
            del bodies, body
        assert stage.bot is not None
        assert (await stage.bot.journal.counts())["waiting"] >= 1200
        gc.collect()
        assert sum(isinstance(one, Entry) for one in gc.get_objects()) < 3 * PLACES

        stage.rc.levers.clear()
        assert stage.from_customer(room) == ["hi"]
