"""A number whose messages no longer come here, or whose key is dead, is noticed without anybody asking."""

from __future__ import annotations

from bot.doctor.look_in import PERIOD
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

HOURS = 900.0
"""Seconds that pass in one."""


def told(stage: Stage, words: str) -> list[str]:
    return [text for message in stage.from_bot(stage.setup_room) if words in (text := message["msg"])]


def from_noon() -> FastClock:
    """What is told once a day is told once, whenever the tests run."""
    clock = FastClock(speed=HOURS)
    clock.jump(43200 - clock.now() % 86400)
    return clock


async def looked(stage: Stage, times: int) -> None:
    """So many more looks were taken."""

    def looks() -> int:
        return len([call for call in stage.wa.calls if call.method == "GET" and "configs/webhook" in call.path])

    before = looks()
    await stage.wa.until(lambda: looks() >= before + times, timeout=3 * times * PERIOD / HOURS)


async def test_an_address_of_another_system_is_told_once_and_none_at_all_anew() -> None:
    async with staged(start=False) as stage:
        await stage.start(from_noon())
        await stage.connect()
        await looked(stage, 1)
        assert told(stage, "does not reach this bot") == []

        stage.number.webhook = {"url": "https://crm.example/hook/@all", "headers": {}}
        await stage.rc.until(lambda: told(stage, "does not reach this bot"), timeout=20)
        [line] = told(stage, "does not reach this bot")
        assert f"+{stage.number.digits}" in line
        assert "crm.example/hook" in line
        assert "@all" not in line, "an address calls nobody"
        await looked(stage, 2)
        assert told(stage, "does not reach this bot") == [line]

        stage.number.webhook = None
        await stage.rc.until(lambda: len(told(stage, "does not reach this bot")) == 2, timeout=20)


async def test_a_key_that_died_is_told_before_a_message_meets_it() -> None:
    async with staged(start=False) as stage:
        await stage.start(from_noon())
        await stage.connect()
        stage.wa.rotate_key(stage.number)
        await stage.rc.until(lambda: told(stage, "does not accept the API key"), timeout=20)
