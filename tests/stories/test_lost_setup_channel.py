"""People archive or delete the setup channel, or put the bot out of it: what only administrators can mend is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import app
from bot.doors import SystemClock
from bot.stage import Stage, staged
from tests.crash.traffic import another
from tests.postgres import server


def put_out(stage: Stage, room: str) -> None:
    world = stage.rc.core.world
    bot = next(user for user in world.users.values() if user.id == stage.rc.rooms[room]["u"]["_id"])
    world.unsubscribe(room, bot.id)


def archive(stage: Stage, room: str) -> None:
    stage.rc.rooms[room]["archived"] = True


def delete(stage: Stage, room: str) -> None:
    del stage.rc.rooms[room]


def told(stage: Stage, *, outside: str) -> list[str]:
    """Rooms, other than this one, in which the bot says that it could not show a message."""
    channels = [id for id, room in stage.rc.rooms.items() if room["t"] == "p" and id != outside]
    return [id for id in channels if any("could not be shown" in one["msg"] for one in stage.from_bot(id))]


@pytest.mark.parametrize("lose", [put_out, archive, delete])
async def test_a_setup_channel_that_is_lost_gets_a_successor_and_it_is_told_what_is_the_matter(
    lose: Callable[[Stage, str], None],
) -> None:
    async with staged() as stage:
        await stage.connect()
        before = stage.setup_room
        lose(stage, before)
        blocked = {"success": False, "error": "[error-contact-channel-blocked]"}
        stage.rc.levers.add("livechat/message", status=400, body=blocked)
        await stage.customer.write(stage.number, "hello?")

        await stage.rc.until(lambda: told(stage, outside=before))

        [after] = told(stage, outside=before)
        admins = {user for room, user in stage.rc.core.world.subscriptions if room == after}
        assert len(admins) > 1, "whoever is to hear it was invited"
        assert "WhatsApp number is connected" in (await stage.command("!whatsapp-360d-cloud numbers", after))["msg"]


async def test_a_bot_hears_plain_words_in_the_channel_that_another_bot_has_made(tmp_path: Path) -> None:
    async with staged(database_url=await server().database_of(tmp_path)) as stage:
        archive(stage, before := stage.setup_room)
        async with app.running(another(stage.settings, 1), SystemClock()) as other, asyncio.timeout(20):
            await other.ready.wait()
        [after] = [id for id, room in stage.rc.rooms.items() if room["t"] == "p" and id != before]

        await stage.command("!whatsapp-360d-cloud connect", after)

        assert (await stage.command("cancel", after))["msg"].startswith("Cancelled.")
