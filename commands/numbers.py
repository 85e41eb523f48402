"""`numbers`: the connected numbers, how they are, and Disconnect."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.chatops.command import Command, Desk, Press, Reply, Value, Words, typed
from bot.chatops.form import Answers, Field, Form, Opening, Review, explain
from bot.errors import BotError, KeyInvalid, NotFound
from bot.model import Number, NumberId
from commands.connect import health_words

_PAGE = 10


async def show(desk: Desk, args: tuple[str, ...]) -> Reply | Opening:
    match args:
        case ["disconnect", *words]:
            return await _disconnect(desk, "".join(words))
        case [page] if page.isdecimal() and len(page) < 4:
            return await _list(desk, int(page))
        case []:
            return await _list(desk, 1)
    return Reply("numbers.usage", buttons=(Press(Words("connect.show_numbers"), typed("numbers")),))


async def _list(desk: Desk, page: int) -> Reply:
    numbers = sorted(await connected(desk), key=lambda one: one.connected_at)
    connect = Press(Words("account.connect"), typed("connect"))
    if not numbers:
        return Reply("numbers.empty", buttons=(connect,))
    pages = -(-len(numbers) // _PAGE)
    page = min(max(page, 1), pages)
    shown = numbers[(page - 1) * _PAGE : page * _PAGE]
    rows = await asyncio.gather(*(_row(desk, number) for number in shown))
    buttons = [
        Press(Words("numbers.disconnect", {"phone": number.phone}), typed("numbers", "disconnect", number.phone))
        for number in shown
    ]
    if page < pages:
        buttons.append(Press(Words("numbers.more"), typed("numbers", str(page + 1))))
    values = {"n": len(numbers), "page": page, "pages": pages}
    return Reply("numbers.list", values, tuple(rows), (*buttons, connect), layout="numbers")


async def _row(desk: Desk, number: Number) -> dict[str, Value]:
    """A number whose health cannot be told now is listed all the same."""
    try:
        health = health_words(await desk.whatsapp.check(number.api_key))
    except KeyInvalid as error:
        health = Words(error.sentence)
    except BotError as error:
        health = Words("numbers.health_failed", {"reason": explain(error)})
    department: Value = number.department_name or number.department or Words("connect.department.none")
    return {"phone": number.phone, "name": number.name, "department": department, "health": health}


async def connected(desk: Desk) -> list[Number]:
    return [number for number in await desk.registry.numbers() if number.connected_at]


# --- disconnect: a form that asks nothing, and so asks to be confirmed ----------------------------------------------


async def _disconnect(desk: Desk, phone: str) -> Reply | Opening:
    numbers = await connected(desk)
    id = NumberId("".join(c for c in phone if c.isdecimal()))
    if not phone and len(numbers) == 1:
        id = numbers[0].id
    if id not in {number.id for number in numbers}:
        return Reply("numbers.not_connected", {"phone": phone or "?"})
    return Opening(DISCONNECT, {"number": id})


async def _nothing(_: Desk, answers: Answers) -> Sequence[Field]:
    return ()


async def _review(desk: Desk, answers: Answers) -> Review:
    number = await desk.registry.number(NumberId(answers["number"]))
    if number is None:
        raise NotFound
    values: dict[str, Value] = {"phone": number.phone, "name": number.name or number.phone}
    return Review(agree=(Words("disconnect.means", values),), subject=Words("disconnect.ask", values))


async def _remove(desk: Desk, answers: Answers) -> Reply:
    """Repeatable: a number that is gone already is what was wanted."""
    await desk.registry.remove_number(NumberId(answers["number"]))
    again = Press(Words("account.connect"), typed("connect"))
    return Reply("disconnect.done", {"phone": "+" + answers["number"]}, buttons=(again,))


DISCONNECT = Form(name="disconnect", questions=_nothing, review=_review, submit=_remove)

COMMAND = Command(
    name="numbers",
    summary="numbers.summary",
    open=show,
    examples=("disconnect +4915112345678",),
    forms=(DISCONNECT,),
)
