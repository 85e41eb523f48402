"""`support`: what to try and whom to ask; for those who may use the other commands also how the bot is, to pass on."""

from __future__ import annotations

import asyncio
import platform

from bot.chatops.command import SLASH, Command, Desk, Press, Reply, Value, Words, typed
from bot.errors import BotError, KeyInvalid
from bot.model import Number
from commands import endpoints
from commands.dialog360 import connected

DIALOG360 = "https://docs.360dialog.com"
DOCUMENTATION = "https://docs.rocket.chat/docs/whatsapp-360dialog-cloud-api"
_MOST_NUMBERS = 20
_STATES = {
    "AVAILABLE": "support.number_ok",
    "LIMITED": "support.number_limited",
    "BLOCKED": "support.number_blocked",
}


async def show(desk: Desk, args: tuple[str, ...]) -> Reply:
    ask = Press(Words("support.help_360dialog"), opens=DIALOG360)
    where: dict[str, Value] = {
        "docs": DOCUMENTATION,
        "numbers": f"{SLASH} numbers",
        "status": f"{SLASH} status",
        "full": 0,
    }
    if not await desk.may(endpoints.COMMAND):
        return Reply("support.list", where, buttons=(ask,), link=DIALOG360, layout="support")
    condition, rows = await asyncio.gather(desk.condition(), _rows(desk))
    values: dict[str, Value] = {
        **where,
        "full": 1,
        "version": condition.version,
        "python": platform.python_version(),
        "rocketchat": condition.rocketchat_version or Words("support.version_unknown"),
        "state": Words("support.connected" if condition.connected else "support.away"),
        "waiting": max(condition.waiting - 1, 0),  # this question itself is one
        "dead": condition.dead,
    }
    buttons = (Press(Words("connect.show_numbers"), typed("numbers")), endpoints.SHOW, ask)
    return Reply("support.list", values, rows, buttons, link=DIALOG360, layout="support")


async def _rows(desk: Desk) -> tuple[dict[str, Value], ...]:
    numbers = (await connected(desk))[:_MOST_NUMBERS]
    return tuple(await asyncio.gather(*(_row(desk, number) for number in numbers)))


async def _row(desk: Desk, number: Number) -> dict[str, Value]:
    """Of the number only its end: enough to tell one's own numbers apart."""
    try:
        health = await desk.whatsapp.check(number.api_key)
        state = _STATES.get(health.can_send.upper(), "support.number_unknown")
    except KeyInvalid:
        state = "support.number_key"
    except BotError:
        state = "support.number_away"
    return {"phone": f"…{number.id[-3:]}", "health": Words(state)}


COMMAND = Command(name="support", summary="support.summary", open=show, roles=())
