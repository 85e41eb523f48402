"""What became of an agent's message is the bot's reaction on it; it never gets in the way of anything else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from bot.relay.retry import DAY
from bot.sandbox.levers import DROPPED
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

SENT, DELIVERED, READ, FAILED = ":outbox_tray:", ":inbox_tray:", ":eyes:", ":x:"


def reactions(stage: Stage, id: str) -> dict[str, list[str]]:
    found = stage.rc.core.world.messages[id].get("reactions", {})
    return {code: who["usernames"] for code, who in found.items()}


def ticks(stage: Stage, id: str) -> list[str]:
    me = stage.bot_user.username
    return [code for code, who in reactions(stage, id).items() if me in who]


def changes(stage: Stage) -> list[tuple[str, bool]]:
    calls = [call for call in stage.rc.calls if call.path.endswith("chat.react") and call.status == 200]
    return [(call.body["emoji"], call.body["shouldReact"]) for call in calls]


async def shows(stage: Stage, id: str, *codes: str) -> None:
    await stage.rc.until(lambda: ticks(stage, id) == list(codes))


async def talking(stage: Stage, clock: FastClock | None = None) -> str:
    stage.wa.auto_status = False
    await stage.start(clock or FastClock(speed=20))
    await stage.connect()
    await stage.customer.write(stage.number, "hi")
    return await stage.agent_reads("hi")


async def answered(stage: Stage, room: str, text: str = "hello") -> tuple[str, str]:
    """The agent's message, and its wamid on the customer's phone."""
    message = await stage.agent_writes(room, text)
    await stage.customer_reads(text)
    return str(message["_id"]), stage.customer.received[-1].wamid


async def test_a_message_shows_sent_then_delivered_then_read_and_only_one_at_a_time() -> None:
    async with staged(start=False) as stage:
        id, wamid = await answered(stage, await talking(stage))
        assert ticks(stage, id) == []
        for state, code in (("sent", SENT), ("delivered", DELIVERED), ("read", READ)):
            await stage.wa.status(wamid, state)
            await shows(stage, id, code)
        await stage.wa.status(wamid, "delivered")
        await stage.wa.status(wamid, "sent")
        await stage.wa.settled()
        await nothing_waits(stage)
        assert ticks(stage, id) == [READ]
        assert changes(stage) == [(SENT, True), (DELIVERED, True), (SENT, False), (READ, True), (DELIVERED, False)]


async def nothing_waits(stage: Stage) -> None:
    assert stage.bot is not None
    journal = stage.bot.journal
    while (await journal.counts())["waiting"]:
        await journal.wait(0.05)


async def test_statuses_in_quick_succession_cost_one_change() -> None:
    async with staged(start=False) as stage:
        id, wamid = await answered(stage, await talking(stage))
        for state in ("sent", "delivered", "read"):
            await stage.wa.status(wamid, state)
        await shows(stage, id, READ)
        await nothing_waits(stage)
        assert changes(stage) == [(READ, True)]


async def test_the_bots_own_marks_are_never_taken_for_an_agents_reaction() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        id, wamid = await answered(stage, room)
        await stage.wa.status(wamid, "delivered")
        await shows(stage, id, DELIVERED)
        await stage.rc.react(stage.agent, id, ":tada:")
        await stage.wa.until(lambda: sent_reactions(stage))
        await stage.wa.status(wamid, "read")
        await stage.rc.until(lambda: READ in ticks(stage, id))
        await stage.rc.react(stage.agent, id, READ)
        await stage.wa.until(lambda: len(sent_reactions(stage)) == 2)
        await nothing_waits(stage)

        assert [one["emoji"] for one in sent_reactions(stage)] == ["🎉", "👀"]
        assert reactions(stage, id) == {
            ":tada:": [stage.agent.username],
            READ: [stage.bot_user.username, stage.agent.username],
        }


def sent_reactions(stage: Stage) -> list[Mapping[str, Any]]:
    bodies = [call.body for call in stage.wa.calls if call.path.endswith("/messages") and call.method == "POST"]
    return [body["reaction"] for body in bodies if body["type"] == "reaction"]


async def test_a_start_that_is_slow_to_learn_the_bots_name_sends_its_marks_to_nobody() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        id, wamid = await answered(stage, room)
        await stage.wa.status(wamid, "read")
        await shows(stage, id, READ)
        await stage.stop()
        stage.rc.levers.add("/api/v1/me$", times=2, delay=1)
        await stage.start()
        await answered(stage, room, "and this")
        await nothing_waits(stage)

        assert sent_reactions(stage) == []


async def test_a_customers_reaction_and_the_state_stand_side_by_side() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        id, wamid = await answered(stage, room)
        await stage.wa.status(wamid, "sent")
        await shows(stage, id, SENT)
        await stage.customer.react(stage.number, wamid, "👍")
        await stage.rc.until(lambda: ":thumbsup:" in ticks(stage, id))
        await stage.wa.status(wamid, "read")
        await stage.rc.until(lambda: set(ticks(stage, id)) == {":thumbsup:", READ})
        await stage.customer.react(stage.number, wamid, "")
        await shows(stage, id, READ)

        await stage.customer.react(stage.number, wamid, "👍")
        await stage.rc.until(lambda: ":thumbsup:" in ticks(stage, id))
        await stage.customer.react(stage.number, wamid, "👀")
        await stage.agent_reads("👀")
        assert ticks(stage, id) == [READ], "said in words, and the former one is the customer's no more"


async def test_a_message_in_several_parts_shows_the_least_of_them_and_any_failure() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        message = await stage.agent_writes(room, "word " * 900)
        id = str(message["_id"])
        await stage.wa.until(lambda: len(stage.customer.received) == 2)
        first, second = [one.wamid for one in stage.customer.received]
        await stage.wa.status(first, "read")
        await stage.wa.status(second, "delivered")
        await shows(stage, id, DELIVERED)
        await stage.wa.status(second, "read")
        await shows(stage, id, READ)

        other = await stage.agent_writes(room, "more " * 900)
        await stage.wa.until(lambda: len(stage.customer.received) == 4)
        third, fourth = [one.wamid for one in stage.customer.received[2:]]
        await stage.wa.status(third, "delivered")
        await nothing_waits(stage)
        assert ticks(stage, str(other["_id"])) == []
        await stage.wa.status(fourth, "failed", code=131026)
        await shows(stage, str(other["_id"]), FAILED)


async def test_what_whatsapp_refuses_is_failed_and_what_is_sent_after_all_is_not() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        stage.wa.levers.add("/messages", status=400, body={"error": {"code": 131009, "message": "no"}})
        message = await stage.agent_writes(room, "hello")
        await shows(stage, str(message["_id"]), FAILED)
        assert stage.bot is not None
        assert await stage.bot.journal.retry(f"rc:{message['_id']}")
        await stage.customer_reads("hello")
        await stage.wa.status(stage.customer.received[-1].wamid, "sent")
        await shows(stage, str(message["_id"]), SENT)


async def test_a_restart_in_the_middle_of_a_change_leaves_one_mark() -> None:
    async with staged(start=False) as stage:
        id, wamid = await answered(stage, await talking(stage))
        await stage.wa.status(wamid, "sent")
        await shows(stage, id, SENT)
        stage.rc.levers.add("chat.react", when="after", delay=30, times=1)
        await stage.wa.status(wamid, "delivered")
        await stage.rc.until(lambda: set(ticks(stage, id)) == {SENT, DELIVERED})
        await stage.stop()
        await stage.start(FastClock(speed=20))
        await shows(stage, id, DELIVERED)


async def test_a_server_that_asks_to_wait_is_asked_by_nobody_meanwhile() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        ids = [await answered(stage, room, f"line {number}") for number in range(3)]
        busy = {"success": False, "error": "Error, too many requests. [error-too-many-requests]"}
        reset = {"X-RateLimit-Reset": str(int((time.time() + 40) * 1000))}
        stage.rc.levers.add("chat.react", status=429, body=busy, headers=reset)
        for _, wamid in ids:
            await stage.wa.status(wamid, "read")
        for id, _ in ids:
            await shows(stage, id, READ)
        tried = [call for call in stage.rc.calls if call.path.endswith("chat.react")]
        assert sum(call.status == 429 for call in tried) == 1
        assert len(tried) == 4


async def test_after_a_long_outage_the_marks_catch_up_without_another_status() -> None:
    """It takes longer than five minutes, of which the clock makes a second or two."""
    async with staged(start=False) as stage:
        id, wamid = await answered(stage, await talking(stage, FastClock(speed=200)))
        stage.rc.levers.add("chat.react", times=12, drop=True)
        await stage.wa.status(wamid, "delivered")
        await shows(stage, id, DELIVERED)
        assert sum(call.status == DROPPED for call in stage.rc.calls if call.path.endswith("chat.react")) == 12


async def test_a_workspace_that_refuses_marks_for_a_day_loses_nothing_else() -> None:
    async with staged(start=False) as stage:
        clock = FastClock(speed=200)
        room = await talking(stage, clock)
        stage.rc.levers.add("chat.(react|getMessage)", times=-1, drop=True)
        for number in range(3):
            _, wamid = await answered(stage, room, f"line {number}")
            await stage.wa.status(wamid, "delivered")
        await stage.customer.write(stage.number, "thanks")
        await stage.agent_reads("thanks")
        assert stage.bot is not None
        await stage.rc.until(lambda: len([c for c in stage.rc.calls if "chat.getMessage" in c.path]) > 3 * 10)
        clock.jump(DAY)
        await nothing_waits(stage)
        assert (await stage.bot.journal.counts())["dead"] == 0
        assert stage.from_bot(room) == []


async def test_marks_can_be_switched_off() -> None:
    async with staged(start=False, status_reactions=False) as stage:
        id, wamid = await answered(stage, await talking(stage))
        await stage.wa.status(wamid, "read")
        await stage.wa.settled()
        await nothing_waits(stage)
        assert ticks(stage, id) == []
        assert not [call for call in stage.rc.calls if "getMessage" in call.path]


# --- what the bot writes in the room for a message that it sent -----------------------------------------------------

TEMPLATE = "!whatsapp-360d-cloud send-template hello_world"


async def told(stage: Stage, room: str, text: str) -> str:
    """The bot's post with these words."""
    found = await stage.rc.until(lambda: [m for m in stage.from_bot(room) if text in m["msg"]])
    return str(found[-1]["_id"])


async def test_the_post_of_a_template_shows_what_became_of_it() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        await stage.command(f"{TEMPLATE} {stage.customer.phone}")
        id = await told(stage, room, "sent the template")
        wamid = stage.customer.received[-1].wamid
        for state, code in (("sent", SENT), ("delivered", DELIVERED), ("read", READ)):
            await stage.wa.status(wamid, state)
            await shows(stage, id, code)

        await stage.command(f"{TEMPLATE} {stage.customer.phone}")
        await stage.rc.until(lambda: len([m for m in stage.from_bot(room) if "sent the template" in m["msg"]]) == 2)
        await stage.wa.status(stage.customer.received[-1].wamid, "failed", code=131026)
        await shows(stage, await told(stage, room, "sent the template"), FAILED)


async def test_a_post_that_comes_after_the_statuses_shows_the_last_of_them() -> None:
    async with staged(start=False) as stage:
        room = await talking(stage)
        stage.rc.levers.add("chat.sendMessage", times=-1, drop=True)
        await stage.rc.write(stage.admin, stage.setup_room, f"{TEMPLATE} {stage.customer.phone}")
        await stage.wa.until(lambda: stage.customer.received)
        for state in ("sent", "delivered"):
            await stage.wa.status(stage.customer.received[-1].wamid, state)
        await stage.wa.settled()
        await no_tick_waits(stage)
        stage.rc.levers.clear()

        await shows(stage, await told(stage, room, "sent the template"), DELIVERED)


async def no_tick_waits(stage: Stage) -> None:
    assert stage.bot is not None
    journal = stage.bot.journal
    while "tick" in (backlog := await journal.backlog()) or "wa.status" in backlog:
        await journal.wait(0.05)


async def test_a_template_that_opened_a_conversation_shows_what_became_of_it_in_the_room() -> None:
    async with staged(start=False) as stage:
        stage.wa.auto_status = False
        await stage.start(FastClock(speed=20))
        await stage.connect()
        await stage.command(f"{TEMPLATE} {stage.customer.phone}")
        await stage.wa.until(lambda: stage.customer.received)
        wamid = stage.customer.received[-1].wamid
        await stage.wa.status(wamid, "delivered")
        await stage.wa.settled()
        await stage.customer.write(stage.number, "yes, please")
        room = await stage.agent_reads("yes, please")

        id = await told(stage, room, "hello_world")
        await shows(stage, id, DELIVERED)
        await stage.wa.status(wamid, "read")
        await shows(stage, id, READ)


@pytest.mark.parametrize("away", [False, True])
async def test_what_the_number_says_by_itself_shows_what_became_of_it(away: bool) -> None:
    """Also to a customer who waited for an agent before there was a room."""
    async with staged(start=False) as stage:
        stage.wa.auto_status = False
        await stage.start(FastClock(speed=20))
        await stage.connect(welcome_message="Welcome!", offline_message="Nobody is here.")
        stage.rc.go_online(stage.agent, not away)
        await stage.customer.write(stage.number, "hi")
        await stage.customer_reads("Welcome!")
        if away:
            await stage.customer_reads("Nobody is here.")
        for one in list(stage.customer.received):
            await stage.wa.status(one.wamid, "read")
        await stage.wa.settled()
        stage.rc.go_online(stage.agent, True)
        room = await stage.agent_reads("hi")

        await shows(stage, await told(stage, room, "Welcome!"), READ)
        if away:
            await shows(stage, await told(stage, room, "Nobody is here."), READ)
