"""`connect`: a WhatsApp number of 360Dialog becomes one of this workspace.

The API key is asked on the page only. Before anything is done, 360Dialog is asked whether the key is good, which number
it belongs to, and whether another system receives that number's messages now: registering our address would silence it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from bot.chatops.command import Command, Desk, Press, Reply, Value, Words, typed
from bot.chatops.form import Answers, Field, Form, Opening, Option, Review
from bot.errors import BotError, Invalid, KeyInvalid, Refused, Unsure
from bot.model import Health, Number, NumberId

SECRET_HEADER = "X-Webhook-Secret"  # noqa: S105 - the header's name, not its value
BUSINESS_MANAGER = "https://business.facebook.com/"
_SHOWN_ADDRESS = 80


async def open_form(_: Desk, args: tuple[str, ...]) -> Opening:
    return Opening(FORM)


async def questions(desk: Desk, _: Answers) -> Sequence[Field]:
    return (
        Field("api_key", "secret", "connect.api_key", "connect.api_key.help", required=True),
        Field("phone_number", "phone", "connect.phone_number", "connect.phone_number.help", required=True),
        Field(
            "department", "choice", "connect.department", "connect.department.help",
            options=await departments(desk), nothing="connect.department.none",
        ),
        Field("welcome_message", "long_text", "connect.welcome_message", "connect.welcome_message.help"),
        Field(
            "conversation_finished_message", "long_text",
            "connect.conversation_finished_message", "connect.conversation_finished_message.help",
        ),
        Field("offline_message", "long_text", "connect.offline_message", "connect.offline_message.help"),
    )  # fmt: skip


async def departments(desk: Desk) -> tuple[Option, ...]:
    """Empty also when the bot's account may not see departments: the number can be connected without one."""
    try:
        found = await desk.workspace.departments()
    except Refused:
        return ()
    return tuple(Option(one.id, one.name) for one in found if one.enabled)


async def check_key(desk: Desk, api_key: str) -> None:
    await _health(desk, api_key)


async def review(desk: Desk, answers: Answers) -> Review:
    """Raises Invalid for a key that 360Dialog refuses and for a number that is not the key's."""
    key, phone = answers["api_key"], answers["phone_number"]
    health = await _health(desk, key)
    _same_number(health, phone)
    known = await desk.registry.number(_id(phone))
    notes = [health_words(health)]
    if known is not None and known.connected_at:
        notes.append(Words("connect.again", {"phone": phone}))
    elsewhere = _elsewhere(desk, await desk.whatsapp.webhook(key))
    agree = (Words("connect.replaces", {"address": elsewhere}),) if elsewhere else ()
    return Review(tuple(notes), agree)


async def submit(desk: Desk, answers: Answers) -> Reply:
    """Repeatable. The number is known before its address is registered, so that no early message meets a closed door.

    A number that is connected anew keeps its address and secret and is changed only once 360Dialog agreed; a new one
    that 360Dialog does not register is forgotten again (`connected_at` 0: not yet).
    """
    key, phone = answers["api_key"], answers["phone_number"]
    health = await _health(desk, key)
    _same_number(health, phone)
    known = await desk.registry.number(_id(phone))
    number = known or Number(_id(phone), phone, key, secrets.token_urlsafe(24), secrets.token_urlsafe(32))
    wanted = replace(
        number,
        api_key=key,
        name=health.name or number.name,
        phone_number_id=health.phone_number_id or number.phone_number_id,
        department=answers.get("department", ""),
        department_name=await _department_name(desk, answers.get("department", "")),
        welcome_message=answers.get("welcome_message", ""),
        conversation_finished_message=answers.get("conversation_finished_message", ""),
        offline_message=answers.get("offline_message", ""),
    )
    if not number.connected_at:
        await desk.registry.put_number(wanted)
    try:
        await _register(desk, wanted)
    except BotError:
        if not number.connected_at:
            await desk.registry.remove_number(wanted.id)
        raise
    await desk.registry.put_number(replace(wanted, connected_at=number.connected_at or desk.now))
    return connected(wanted, health)


def connected(number: Number, health: Health) -> Reply:
    buttons = (
        Press(Words("connect.show_numbers"), typed("numbers")),
        Press(Words("connect.business_manager"), opens=BUSINESS_MANAGER),
    )
    values: dict[str, Value] = {"phone": number.phone, "health": health_words(health)}
    return Reply("connect.done", values, buttons=buttons)


# --- asking 360Dialog -----------------------------------------------------------------------------------------------


async def _health(desk: Desk, api_key: str) -> Health:
    try:
        return await desk.whatsapp.check(api_key)
    except KeyInvalid:
        raise Invalid("connect.key_refused", field="api_key") from None


def _same_number(health: Health, phone: str) -> None:
    """360Dialog does not always say which number a key belongs to; when it does, it has to be the typed one."""
    told = _digits(health.phone)
    if told and told != _digits(phone):
        raise Invalid("connect.other_phone", field="phone_number", told="+" + told, phone=phone)


def _elsewhere(desk: Desk, address: str | None) -> str:
    """Host and path of the system that receives the number's messages now; empty when that is nobody, or us."""
    if not address or address.startswith(f"{_base(desk)}/"):
        return ""
    try:
        parts = urlsplit(address)
        shown = f"{parts.hostname or '?'}{parts.path}"
    except ValueError:
        return "?"
    return shown if len(shown) <= _SHOWN_ADDRESS else shown[:_SHOWN_ADDRESS] + "…"


async def _register(desk: Desk, number: Number) -> None:
    address = f"{_base(desk)}/{number.hook_path}/incoming"
    try:
        await desk.whatsapp.set_webhook(number.api_key, address, {SECRET_HEADER: number.hook_secret})
    except Unsure:
        if await desk.whatsapp.webhook(number.api_key) != address:
            raise


def health_words(health: Health) -> Words:
    """What 360Dialog says of the number, in one sentence."""
    known = {"AVAILABLE": "health.available", "LIMITED": "health.limited", "BLOCKED": "health.blocked"}
    key = known.get(health.can_send.upper(), "health.unknown")
    return Words(key, {"problems": "; ".join(health.problems)}) if health.problems else Words(f"{key}_plain")


async def _department_name(desk: Desk, id: str) -> str:
    return next((option.label for option in await departments(desk) if option.value == id), "") if id else ""


def _base(desk: Desk) -> str:
    return f"{desk.house.public_url}/api/apps/private/{desk.house.app_id}"


def _id(phone: str) -> NumberId:
    return NumberId(_digits(phone))


def _digits(phone: str) -> str:
    return "".join(c for c in phone if c.isdecimal())


FORM = Form(
    name="connect",
    questions=questions,
    review=review,
    submit=submit,
    checks={"api_key": check_key},
)

COMMAND = Command(name="connect", summary="connect.summary", open=open_form, forms=(FORM,))
