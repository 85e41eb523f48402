"""What an agent edits or deletes while it waits to go out reaches the customer as it then stands, or not at all."""

from __future__ import annotations

import pytest

from bot.relay.as_it_stands import WAITED
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

BUSY = {"error": {"code": 130429, "message": "(#130429) Rate limit hit"}}


def told(stage: Stage, room: str) -> list[str]:
    return [text for message in stage.from_bot(room) if "Not delivered yet" not in (text := message["msg"])]


async def waiting(stage: Stage) -> tuple[str, FastClock]:
    """A conversation whose messages do not go out. The clock goes with Rocket.Chat's: when each thing was done
    matters."""
    clock = FastClock()
    await stage.start(clock)
    await stage.connect()
    await stage.customer.write(stage.number, "hi")
    room = await stage.agent_reads("hi")
    stage.wa.levers.add("/messages", times=-1, status=429, body=BUSY)
    return room, clock


async def tried(stage: Stage) -> None:
    seen = len(stage.wa.calls)
    await stage.wa.until(lambda: len(stage.wa.calls) > seen)


@pytest.mark.parametrize("placeholder", [False, True])
async def test_what_was_deleted_meanwhile_is_not_sent_and_what_was_edited_goes_as_it_stands(placeholder: bool) -> None:
    async with staged(start=False) as stage:
        room, clock = await waiting(stage)
        stage.rc.settings["Message_ShowDeletedStatus"] = placeholder
        wrong = await stage.agent_writes(room, "to the wrong customer")
        typo = await stage.agent_writes(room, "at then o'clock")
        await stage.agent_writes(room, "bye")
        await tried(stage)
        await stage.rc.remove(stage.agent, wrong["_id"])
        await stage.rc.edit(stage.agent, typo["_id"], "at ten o'clock")
        await tried(stage)

        stage.wa.levers.clear()
        clock.hurry(30)
        await stage.customer_reads("bye")
        assert [one.text for one in stage.customer.received] == ["at ten o'clock", "bye"]
        await stage.rc.until(lambda: told(stage, room), timeout=20)
        assert told(stage, room) == ["A message that still waited was deleted here. It was not sent to the customer."]


async def test_it_goes_as_it_was_written_when_rocketchat_cannot_be_asked() -> None:
    async with staged(start=False) as stage:
        room, clock = await waiting(stage)
        typo = await stage.agent_writes(room, "at then o'clock")
        await tried(stage)
        await stage.rc.edit(stage.agent, typo["_id"], "at ten o'clock")
        await tried(stage)
        stage.rc.levers.add("chat.syncMessages", times=-1, status=500, body={"success": False, "error": "away"})

        clock.jump(2 * WAITED)
        stage.wa.levers.clear()
        clock.hurry(30)
        await stage.customer_reads("at then o'clock")
        stage.rc.levers.clear()
        await stage.rc.until(lambda: any("was sent before it was edited" in line for line in told(stage, room)))
