"""A customer's file that cannot be fetched at first: a line says that it follows, and it does, or why it never will."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.relay.retry import DAY, TRIES_AT_LEAST
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock
from tests.stories.test_files_in import PNG, content, files, looks, posted


@asynccontextmanager
async def refused(speed: float, times: int) -> AsyncIterator[tuple[Stage, FastClock, str]]:
    """The customer has sent a file, and 360Dialog refuses the key so many times, -1 for ever; from then on the clock
    runs so many times as fast. And the room."""
    clock = FastClock()
    async with staged(start=False) as stage:
        await stage.start(clock)
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        clock.hurry(speed)
        refusal = {"developer_message": "Invalid api_key"}
        stage.wa.levers.add(r"^/\d+$", times=times, status=401, body={"meta": refusal})
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        yield stage, clock, room


async def test_a_file_that_cannot_be_fetched_yet_follows_later_and_holds_nothing_back() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.wa.levers.add(r"^/\d+$", status=401, body={"meta": {"developer_message": "Invalid api_key"}})
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        await stage.rc.until(lambda: files(stage, room))
        _, line, late = posted(stage, room)
        assert "look" in line["msg"]
        assert "it follows here when it can" in line["msg"]
        assert content(stage, late) == PNG
        assert "could not be fetched at first" in late["msg"]


async def test_a_file_whose_number_has_lost_its_key_follows_when_there_is_a_new_one() -> None:
    async with refused(speed=600, times=3) as (stage, _, room):
        await stage.rc.until(lambda: files(stage, room))
        assert looks(stage) == 4, "a key that is refused is not asked with all the time"


async def test_a_file_that_waited_for_days_is_not_given_up_when_rocket_chat_is_busy_in_that_moment() -> None:
    async with refused(speed=6000, times=-1) as (stage, clock, room):
        await stage.wa.until(lambda: looks(stage) > TRIES_AT_LEAST + 1)
        assert stage.bot is not None
        waits = await stage.bot.journal.head(f"media:{stage.number.digits}:{stage.customer.wa_id}")
        assert waits is not None
        stored = await stage.bot.journal.find(waits.key)
        assert stored is not None
        assert stored.why.startswith("KeyInvalid"), "an operator sees what is the matter"
        clock.jump(2 * DAY)
        stage.rc.levers.add("livechat/upload", status=503)
        stage.wa.levers.clear()
        await stage.rc.until(lambda: files(stage, room))


async def test_a_file_that_never_could_be_fetched_is_told_to_the_agent() -> None:
    async with refused(speed=600, times=-1) as (stage, clock, room):
        await stage.rc.until(lambda: len(stage.from_customer(room)) == 2)
        assert "it follows here when it can" in stage.from_customer(room)[1]
        await stage.wa.until(lambda: looks(stage) > 1)
        clock.jump(8 * 86400)
        await stage.rc.until(lambda: len(stage.from_customer(room)) == 3)
        assert "The file is not shown" in stage.from_customer(room)[2].replace("_", "")
        assert "does not accept the API key" in stage.from_customer(room)[2]


async def test_a_file_that_follows_later_and_finds_its_contact_blocked_is_told_in_the_setup_channel() -> None:
    async with refused(speed=600, times=1) as (stage, _, room):
        blocked = {"success": False, "error": "[error-contact-channel-blocked]"}
        stage.rc.levers.add("livechat/upload", status=400, body=blocked)
        await stage.rc.until(lambda: stage.from_bot(stage.setup_room)[-1]["msg"].startswith("A WhatsApp message from"))
        assert "This contact is blocked" in stage.from_bot(stage.setup_room)[-1]["msg"]
        assert not files(stage, room)
