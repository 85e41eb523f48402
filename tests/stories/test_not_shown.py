"""A customer's message that only an administrator can let through: it is kept, and that is told, but not each time."""

from __future__ import annotations

from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock


def told(stage: Stage) -> list[str]:
    return [one["msg"] for one in stage.from_bot(stage.setup_room) if "could not be shown to an agent" in one["msg"]]


async def test_a_blocked_contact_is_told_once_however_much_they_write() -> None:
    async with staged() as stage:
        await stage.connect()
        blocked = {"success": False, "error": "[error-contact-channel-blocked]"}
        stage.rc.levers.add("livechat/room", times=3, status=400, body=blocked)
        for text in ("one", "two", "three", "let in again"):
            await stage.customer.write(stage.number, text)
        await stage.agent_reads("let in again")
        await stage.rc.until(lambda: told(stage))
        await stage.command("!whatsapp-360d-cloud numbers")
        [words] = told(stage)
        assert "This contact is blocked in Rocket.Chat" in words


async def test_that_omnichannel_is_switched_off_is_told_once_while_customers_wait() -> None:
    clock = FastClock()
    async with staged(start=False) as stage:
        await stage.start(clock)
        await stage.connect()
        stage.rc.settings["Livechat_enabled"] = False
        clock.hurry(60)
        for text in ("anybody?", "hello?"):
            await stage.customer.write(stage.number, text)
        await stage.rc.until(lambda: told(stage))
        stage.rc.settings["Livechat_enabled"] = True
        room = await stage.agent_reads("hello?")
        assert stage.from_customer(room) == ["anybody?", "hello?"]
        [words] = told(stage)
        assert "Omnichannel is switched off in this workspace" in words
