"""`numbers`: the connected numbers, how they are, and what can be done with each: Edit, Disconnect."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from bot.chatops.command import SLASH, Act, Command, Desk, Press, Reply, Value, Words, typed
from bot.chatops.form import Answers, Form, Opening, Review, explain
from bot.errors import BotError, KeyInvalid
from bot.model import Number, NumberId
from commands.dialog360 import Destination, connected, destination, health_words, number_id, quality_words
from commands.edit import EDIT, RECONNECT, SHOW, nothing, the_number

_PAGE = 10
CONNECT = Press(Words("account.connect"), typed("connect"))


async def show(desk: Desk, args: tuple[str, ...]) -> Reply | Opening:
    match args:
        case ["edit" | "disconnect" | "reconnect" as what, *words]:
            return await _about_one(desk, what, "".join(words))
        case [page] if page.isdecimal() and len(page) < 4:
            return await _list(desk, int(page))
        case [] | ["list"]:
            return await _list(desk, 1)
    return Reply("numbers.usage", buttons=(SHOW,))


async def _about_one(desk: Desk, what: str, phone: str) -> Reply | Opening:
    numbers = await connected(desk)
    if not phone and len(numbers) > 1:
        buttons = tuple(
            Press(Words(f"numbers.{what}", {"phone": one.phone}), typed("numbers", what, one.phone))
            for one in numbers[:_PAGE]
        )
        return Reply("numbers.which", {"example": f"{SLASH} numbers {what} {numbers[0].phone}"}, buttons=buttons)
    id = number_id(phone) if phone else next((number.id for number in numbers), NumberId(""))
    if id not in {number.id for number in numbers}:
        unknown = Reply("numbers.not_connected", {"phone": phone}, buttons=(SHOW,))
        return unknown if phone else Reply("numbers.empty", buttons=(CONNECT,))
    return Opening(_FORMS[what], {"number": id})


# --- the list -------------------------------------------------------------------------------------------------------


async def _list(desk: Desk, page: int) -> Reply:
    numbers = await connected(desk)
    if not numbers:
        return Reply("numbers.empty", buttons=(CONNECT,))
    pages = -(-len(numbers) // _PAGE)
    page = min(max(page, 1), pages)
    shown = numbers[(page - 1) * _PAGE : page * _PAGE]
    ways = await asyncio.gather(*(_destination(desk, number) for number in shown))
    rows = await asyncio.gather(*(_row(desk, number, way) for number, way in zip(shown, ways, strict=True)))
    buttons = [press for number, way in zip(shown, ways, strict=True) for press in _buttons(number, way)]
    if page < pages:
        buttons.append(Press(Words("numbers.more"), typed("numbers", str(page + 1))))
    values = {"n": len(numbers), "page": page, "pages": pages}
    return Reply("numbers.list", values, tuple(rows), (*buttons, CONNECT), layout="numbers")


def _buttons(number: Number, way: Destination | None) -> list[Press]:
    values = {"phone": number.phone}
    presses = [
        Press(Words("numbers.edit", values), typed("numbers", "edit", number.phone)),
        Press(Words("numbers.disconnect", values), typed("numbers", "disconnect", number.phone)),
    ]
    if way is not None and way.who != "us":
        presses.append(Press(Words("numbers.reconnect", values), typed("numbers", "reconnect", number.phone)))
    return presses


async def _row(desk: Desk, number: Number, way: Destination | None) -> dict[str, Value]:
    """A number whose health cannot be told now is listed all the same."""
    quality: Value = ""
    try:
        told = await desk.whatsapp.check(number.api_key)
        health, quality = health_words(told), quality_words(told.quality)
    except KeyInvalid as error:
        health = Words(error.sentence)
    except BotError as error:
        health = Words("numbers.health_failed", {"reason": explain(error)})
    return {
        "phone": number.phone,
        "name": number.name,
        "department": number.department_name or number.department or Words("connect.department.none"),
        "health": health,
        "quality": quality,
        "hook": _way_words(way) if way else "",
        "when": datetime.fromtimestamp(number.connected_at, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


async def _destination(desk: Desk, number: Number) -> Destination | None:
    """None: it cannot be asked just now."""
    try:
        return await destination(desk, number)
    except BotError:
        return None


def _way_words(way: Destination) -> Words:
    match way.who:
        case "us":
            return Words("numbers.hook_ours")
        case "nobody":
            return Words("numbers.hook_none")
    return Words("numbers.hook_elsewhere", {"address": way.shown})


# --- disconnect -----------------------------------------------------------------------------------------------------


async def _review(desk: Desk, answers: Answers) -> Review:
    number = await the_number(desk, answers)
    values: dict[str, Value] = {"phone": number.phone, "name": number.name or number.phone}
    agree = [Words("disconnect.means", values)]
    if await _goes_on(desk, number):
        agree.append(Words("disconnect.goes_on", {**values, "n": desk.overview.days_kept}))
    return Review(agree=tuple(agree), subject=Words("disconnect.ask", values))


async def _goes_on(desk: Desk, number: Number) -> bool:
    """Whether 360Dialog delivers here; also when it cannot be asked."""
    way = await _destination(desk, number)
    return way is None or way.who == "us"


async def _remove(desk: Desk, answers: Answers) -> Reply:
    """Repeatable: a number that is gone already is what was wanted. Its address is remembered, because 360Dialog goes
    on delivering to it; its API key is not."""
    id = NumberId(answers["number"])
    phone, act = f"+{id}", Act("disconnect", {"number": f"+{id}"})
    number = await desk.registry.number(id)
    goes_on = number is None or await _goes_on(desk, number)
    if number is not None:
        await desk.registry.put_number(replace(number, api_key="", connected_at=0.0, disconnected_at=desk.now))
    if not goes_on:
        return Reply("disconnect.done", {"phone": phone}, buttons=(CONNECT,), did=act)
    values: dict[str, Value] = {"phone": phone, "n": desk.overview.days_kept}
    return Reply("disconnect.done_goes_on", values, buttons=(CONNECT,), did=act)


DISCONNECT = Form(name="disconnect", questions=nothing, review=_review, submit=_remove)
_FORMS = {"edit": EDIT, "disconnect": DISCONNECT, "reconnect": RECONNECT}

COMMAND = Command(
    name="numbers",
    summary="numbers.summary",
    open=show,
    examples=("edit +4915112345678", "disconnect +4915112345678"),
    forms=tuple(_FORMS.values()),
)
