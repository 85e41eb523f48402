"""What was given up and is tried again by hand: who waits for it hears of every new end, not of the first alone."""

from __future__ import annotations

import pytest

from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

NOT_ON_WHATSAPP = {"error": {"code": 131026, "message": "Message undeliverable"}}
BUSY = {"error": {"code": 130429, "message": "(#130429) Rate limit hit"}}
REFUSED = {"error": {"code": 131009, "message": "Parameter value is not valid"}}


async def retried(stage: Stage, key: str) -> None:
    assert stage.bot is not None
    assert await stage.bot.journal.retry(key)


def told(stage: Stage, room: str, words: str) -> list[str]:
    return [text for message in stage.from_bot(room) if (text := message["msg"]).startswith(words)]


@pytest.mark.parametrize("again", ["refused", "unsure"])
async def test_the_agent_hears_of_it_when_a_message_that_was_tried_again_fails_again(again: str) -> None:
    async with staged(start=False) as stage:
        await stage.start(FastClock(speed=20))
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.wa.levers.add("/messages", status=400, body=NOT_ON_WHATSAPP)
        key = f"rc:{(await stage.agent_writes(room, 'hello'))['_id']}"
        await stage.rc.until(lambda: len(told(stage, room, "**Not delivered to the customer")) == 1)

        if again == "refused":
            stage.wa.levers.add("/messages", status=400, body=REFUSED)
            await retried(stage, key)
            await stage.rc.until(lambda: len(told(stage, room, "**Not delivered to the customer")) == 2)
            stage.wa.levers.add("/messages", status=400, body=REFUSED)
            await retried(stage, key)
            await stage.rc.until(lambda: len(told(stage, room, "**Not delivered to the customer")) == 3)
        else:
            stage.wa.levers.add("/messages", drop=True)
            await retried(stage, key)
            await stage.rc.until(lambda: len(told(stage, room, "**Perhaps not delivered to the customer")) == 1)


async def test_who_sent_a_template_hears_of_it_when_it_was_tried_again_and_fails_again() -> None:
    async with staged(start=False) as stage:
        await stage.start(FastClock(speed=20))
        await stage.connect()
        stage.wa.levers.add("/messages", status=400, body=NOT_ON_WHATSAPP)
        answer = await stage.command(f"!whatsapp-360d-cloud send-template hello_world en_US {stage.customer.phone}")
        assert "sent to 0 of 1" in answer["msg"]
        assert stage.bot is not None
        [letter] = await stage.bot.journal.dead()

        stage.wa.levers.add("/messages", status=400, body=REFUSED)
        await retried(stage, letter.entry.key)

        await stage.rc.until(lambda: len(told(stage, stage.setup_room, "**Template hello_world was not sent to")) == 1)


@pytest.mark.parametrize(("answer", "says"), [(NOT_ON_WHATSAPP, "sent to 0 of 1"), (None, "sent to 1 of 1")])
async def test_who_was_told_that_a_template_is_still_on_its_way_hears_how_it_ended(
    answer: dict[str, object] | None, says: str
) -> None:
    async with staged(start=False) as stage:
        await stage.start(FastClock(speed=200))
        await stage.connect()
        stage.wa.levers.add("/messages", times=-1, status=429, body=BUSY)
        line = f"!whatsapp-360d-cloud send-template hello_world en_US {stage.customer.phone}"
        await stage.rc.write(stage.admin, stage.setup_room, line)
        words = "**Template hello_world: sent"
        await stage.rc.until(lambda: len(told(stage, stage.setup_room, words)) == 2, timeout=30)  # at once, and later

        stage.wa.levers.clear()
        if answer:
            stage.wa.levers.add("/messages", status=400, body=answer)

        await stage.rc.until(lambda: len(told(stage, stage.setup_room, words)) == 3, timeout=30)
        *early, last = told(stage, stage.setup_room, words)
        assert all("still on its way" in one for one in early)
        assert says in last
        assert ("not on WhatsApp" in last) is (answer is not None)
