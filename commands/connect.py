"""`connect`: a WhatsApp number of 360Dialog becomes one of this workspace.

The API key is asked on the page only. Before anything is done, 360Dialog is asked whether the key is good, which number
it belongs to, and whether another system receives that number's messages now: registering our address would silence it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from bot.chatops.command import Act, Command, Desk, Press, Reply, Value, Words, typed
from bot.chatops.form import Answers, Field, Form, Opening, Option, Review
from bot.chatops.form import phone as as_phone
from bot.errors import BotError, Invalid, Refused
from bot.model import Health, Number
from commands.dialog360 import destination_now, digits, health_of, health_words, number_id, register

MESSAGES = ("welcome_message", "conversation_finished_message", "offline_message")
BUSINESS_MANAGER = "https://business.facebook.com/"


async def open_form(_: Desk, args: tuple[str, ...]) -> Opening:
    """A phone number may follow the command; the form then offers to keep it."""
    try:
        return Opening(FORM, {"suggested": as_phone("".join(args))} if args else {})
    except Invalid:
        return Opening(FORM)


async def questions(desk: Desk, answers: Answers) -> Sequence[Field]:
    return (
        Field("api_key", "secret", "connect.api_key", "connect.api_key.help", required=True),
        Field(
            "phone_number", "phone", "connect.phone_number", "connect.phone_number.help", required=True,
            default=answers.get("suggested", ""),
        ),
        *await agreed(desk),
    )  # fmt: skip


async def agreed(desk: Desk, number: Number | None = None) -> tuple[Field, ...]:
    """What is agreed for a number besides key and phone; `number` says what holds so far."""
    options = await departments(desk)
    so_far = number.department if number else ""
    if number and so_far and so_far not in {option.value for option in options}:
        options = (*options, Option(so_far, number.department_name or so_far))
    fields: list[Field] = [
        Field(
            "department", "choice", "connect.department", "connect.department.help",
            options=options, nothing="connect.department.none", default=so_far,
        )
    ]  # fmt: skip
    for name in MESSAGES:
        so_far = str(getattr(number, name)) if number else ""
        fields.append(Field(name, "long_text", f"connect.{name}", f"connect.{name}.help", default=so_far))
    return tuple(fields)


async def departments(desk: Desk) -> tuple[Option, ...]:
    """Empty also when the bot's account may not see departments: the number can be connected without one."""
    try:
        found = await desk.workspace.departments()
    except Refused:
        return ()
    return tuple(Option(one.id, one.name) for one in found if one.enabled)


async def check_key(desk: Desk, api_key: str) -> None:
    await health_of(desk, api_key)


async def review(desk: Desk, answers: Answers) -> Review:
    """Raises Invalid for a key that 360Dialog refuses and for a number that is not the key's."""
    key, phone = answers["api_key"], answers["phone_number"]
    health = await health_of(desk, key)
    _same_number(health, phone)
    known = await desk.registry.number(number_id(phone))
    notes, agree = [health_words(health)], list[Words]()
    if known is not None and known.connected_at:
        again = Words("connect.again", {"phone": phone})
        kept = all(answers.get(name, "") == getattr(known, name) for name in ("department", *MESSAGES))
        (notes if kept else agree).append(again)
    now = await destination_now(desk, key)
    if now.who == "other":
        agree.append(Words("connect.replaces", {"address": now.shown}))
    return Review(tuple(notes), tuple(agree))


async def submit(desk: Desk, answers: Answers) -> Reply:
    """Repeatable. The number is known before its address is registered, so that no early message meets a closed door.

    A number that is connected anew keeps its address and secret and is changed only once 360Dialog agreed; a new one
    that 360Dialog does not register is forgotten again (`connected_at` 0: not yet). One that was disconnected stays so
    until it is registered, and what comes in is stored from now on, however long it was gone. Then what came in
    meanwhile is brought back, and only when all of that is in its place the number is connected.
    """
    key, phone = answers["api_key"], answers["phone_number"]
    health = await health_of(desk, key)
    _same_number(health, phone)
    known, former = await desk.registry.number(number_id(phone)), await desk.registry.former(number_id(phone))
    gone = replace(former, api_key="", connected_at=0.0) if former is not None else None
    number = known or gone or Number(number_id(phone), phone, key, secrets.token_urlsafe(24), secrets.token_urlsafe(32))
    wanted = replace(
        number,
        api_key=key,
        name=health.name or number.name,
        phone_number_id=health.phone_number_id or number.phone_number_id,
        department=answers.get("department", ""),
        department_name=await department_name(desk, answers.get("department", "")),
        welcome_message=answers.get("welcome_message", ""),
        conversation_finished_message=answers.get("conversation_finished_message", ""),
        offline_message=answers.get("offline_message", ""),
        disconnected_at=0.0,
    )
    if gone is not None:
        await desk.registry.put_number(replace(gone, disconnected_at=desk.now))
    elif not number.connected_at:
        await desk.registry.put_number(wanted)
    try:
        await register(desk, wanted)
    except BotError:
        if gone is not None:
            await desk.registry.put_number(gone)
        elif not number.connected_at:
            await desk.registry.remove_number(wanted.id)
        raise
    wanted, kept = replace(wanted, connected_at=number.connected_at or desk.now), 0
    if gone is not None:
        await desk.registry.put_number(replace(wanted, disconnected_at=desk.now))
        while brought := await desk.overview.bring_back(wanted.id):  # until nothing is just being given up
            kept += brought
    await desk.registry.put_number(wanted)
    kept += await desk.overview.bring_back(wanted.id)
    return replace(connected(wanted, health, kept), did=Act("connect", {"number": wanted.phone}))


def connected(number: Number, health: Health, kept: int = 0) -> Reply:
    buttons = (
        Press(Words("connect.show_numbers"), typed("numbers")),
        Press(Words("connect.business_manager"), opens=BUSINESS_MANAGER),
    )
    told = health_words(health)
    told = Words("connect.done_kept", {"health": told, "n": kept}) if kept else told
    values: dict[str, Value] = {"phone": number.phone, "health": told}
    return Reply("connect.done", values, buttons=buttons)


def _same_number(health: Health, phone: str) -> None:
    """360Dialog does not always say which number a key belongs to; when it does, it has to be the typed one."""
    told = digits(health.phone)
    if told and told != digits(phone):
        raise Invalid("connect.other_phone", field="phone_number", told="+" + told, phone=phone)


async def department_name(desk: Desk, id: str) -> str:
    return next((str(option.label) for option in await departments(desk) if option.value == id), "") if id else ""


FORM = Form(
    name="connect",
    questions=questions,
    review=review,
    submit=submit,
    checks={"api_key": check_key},
)

COMMAND = Command(
    name="connect", summary="connect.summary", open=open_form, examples=("+4915112345678",), forms=(FORM,)
)
