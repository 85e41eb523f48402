"""What commands ask of 360Dialog about one number: is the key good, whose is it, where do the messages go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bot.chatops.command import Desk, Words
from bot.errors import Invalid, KeyInvalid, Unsure
from bot.model import HOOK_HEADER, Health, Number, NumberId

_SHOWN_ADDRESS = 80
_CAN_SEND = {"AVAILABLE": "health.available", "LIMITED": "health.limited", "BLOCKED": "health.blocked"}
_QUALITIES = {"RED": "quality.red", "YELLOW": "quality.yellow", "GREEN": "quality.green"}


async def health_of(desk: Desk, api_key: str) -> Health:
    """Raises Invalid for a key that 360Dialog refuses."""
    try:
        return await desk.whatsapp.check(api_key)
    except KeyInvalid:
        raise Invalid("connect.key_refused", field="api_key") from None


def health_words(health: Health) -> Words:
    """What 360Dialog says of the number, in one sentence."""
    key = _CAN_SEND.get(health.can_send.upper(), "health.unknown")
    return Words(key, {"problems": "; ".join(health.problems)}) if health.problems else Words(f"{key}_plain")


def quality_words(*ratings: str) -> Words:
    """The lowest of them, as WhatsApp gives them to numbers and to templates."""
    given = {one.upper() for one in ratings}
    return Words(next((words for one, words in _QUALITIES.items() if one in given), "quality.unknown"))


# --- where the messages of a number go ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Destination:
    """`shown`: host and path of another system, as far as they fit into a sentence; never a password or a query."""

    who: Literal["us", "other", "nobody"]
    shown: str = ""


async def destination(desk: Desk, number: Number) -> Destination:
    """Of a connected number: only its own address is ours."""
    return destination_of(await _registered(desk, number.api_key), address(desk, number))


def destination_of(registered: str | None, ours: str) -> Destination:
    return Destination("us") if _same(registered, ours) else _named(registered)


def secret_held(headers: Mapping[str, str] | None, number: Number) -> bool | None:
    """Whether deliveries bring the secret that lets them in; None: 360Dialog does not tell, or masks it."""
    if headers is None:
        return None
    given = [value for name, value in headers.items() if name.lower() == HOOK_HEADER.lower()]
    return None if any("*" in value for value in given) else given == [number.hook_secret]


async def _registered(desk: Desk, api_key: str) -> str | None:
    hook = await desk.whatsapp.webhook(api_key)
    return hook.url if hook is not None else None


async def destination_now(desk: Desk, api_key: str) -> Destination:
    """Of a number that is perhaps not known here: any address of this bot is ours."""
    registered = await _registered(desk, api_key)
    return Destination("us") if (registered or "").startswith(f"{_base(desk)}/") else _named(registered)


async def register(desk: Desk, number: Number) -> None:
    """Our address becomes the one that 360Dialog delivers to, and is read back. Raises Invalid when it did not hold."""
    wanted = address(desk, number)
    try:
        await desk.whatsapp.set_webhook(number.api_key, wanted, {HOOK_HEADER: number.hook_secret})
    except Unsure:
        if await _registered(desk, number.api_key) != wanted:
            raise
        return
    registered = await _registered(desk, number.api_key)
    if registered and not _same(registered, wanted):
        raise Invalid("connect.webhook_not_kept")


def address(desk: Desk, number: Number) -> str:
    return address_at(desk.house.public_url, desk.house.app_id, number)


def address_at(public_url: str, app_id: str, number: Number) -> str:
    return f"{public_url}/api/apps/private/{app_id}/{number.hook_path}/incoming"


def _base(desk: Desk) -> str:
    return f"{desk.house.public_url}/api/apps/private/{desk.house.app_id}"


def _same(one: str | None, other: str) -> bool:
    return (one or "").rstrip("/") == other.rstrip("/")


def _named(registered: str | None) -> Destination:
    if not registered:
        return Destination("nobody")
    try:
        parts = urlsplit(registered)
        shown = f"{parts.hostname or '?'}{parts.path}"
    except ValueError:
        return Destination("other", "?")
    return Destination("other", shown if len(shown) <= _SHOWN_ADDRESS else shown[:_SHOWN_ADDRESS] + "…")


# --- numbers --------------------------------------------------------------------------------------------------------


def digits(phone: str) -> str:
    return "".join(c for c in phone if c.isdecimal())


def number_id(phone: str) -> NumberId:
    return NumberId(digits(phone))


async def connected(desk: Desk) -> list[Number]:
    """In the order in which they were connected."""
    numbers = [number for number in await desk.registry.numbers() if number.connected_at]
    return sorted(numbers, key=lambda one: one.connected_at)
