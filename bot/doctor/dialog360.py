"""360Dialog, asked with each number's own key: is the key good, how is the number, where do its messages go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bot.config import Server
from bot.doctor.facts import NumberFacts
from bot.errors import BotError, KeyInvalid
from bot.model import Number
from bot.ports import WhatsApp
from commands.dialog360 import Destination, address_at, destination_of, secret_held

_TOGETHER = 5


async def look(
    whatsapp: WhatsApp, server: Server, numbers: Sequence[Number], heard: Mapping[str, float]
) -> tuple[NumberFacts, ...]:
    turn = asyncio.Semaphore(_TOGETHER)

    async def one(number: Number) -> NumberFacts:
        async with turn:
            return await _number(whatsapp, server, number, heard.get(number.id, 0.0))

    connected = sorted((one for one in numbers if one.connected_at), key=lambda one: one.connected_at)
    return tuple(await asyncio.gather(*map(one, connected)))


async def _number(whatsapp: WhatsApp, server: Server, number: Number, heard_at: float) -> NumberFacts:
    try:
        health = await whatsapp.check(number.api_key)
    except KeyInvalid:
        return NumberFacts(number.phone, key_refused=True)
    except BotError as error:
        return NumberFacts(number.phone, said=str(error), heard_at=heard_at)
    try:
        hook = await whatsapp.webhook(number.api_key)
    except BotError:
        return NumberFacts(number.phone, health, heard_at=heard_at)
    way = destination_of(hook.url if hook else None, address_at(server.public_url, server.app_id, number))
    held = secret_held(hook.headers, number) if hook and way.who == "us" else None
    return NumberFacts(number.phone, health, hook=way.who, hook_shown=_safe(way), hook_secret=held, heard_at=heard_at)


def _safe(way: Destination) -> str:
    """The secret part of an address of our own shape is nobody's business, also when it leads to another bot."""
    before, found, _ = way.shown.partition("/api/apps/")
    return f"{before}{found}…" if found else way.shown
