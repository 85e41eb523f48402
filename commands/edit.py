"""Changing a connected number: the form behind Edit in `numbers`. Also the one that brings its messages back here.

The key stays unless a new one is given. A new key has to belong to the same number; then the number's own address is
registered with it again, before the new key counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.chatops.command import Act, Desk, Press, Reply, Value, Words, typed
from bot.chatops.form import Answers, Field, Form, Review
from bot.errors import Invalid
from bot.model import Health, Number, NumberId
from commands import connect
from commands.dialog360 import digits, health_of, health_words, register

SHOW = Press(Words("connect.show_numbers"), typed("numbers"))


async def questions(desk: Desk, answers: Answers) -> Sequence[Field]:
    number = await the_number(desk, answers)
    return (
        Field("api_key", "secret", "connect.api_key", "edit.api_key.help", nothing="edit.api_key.kept"),
        Field(
            "phone_number", "phone", "connect.phone_number", "edit.phone_number.help", required=True,
            default=number.phone, fixed=True,
        ),
        *await connect.agreed(desk, number),
    )  # fmt: skip


async def the_number(desk: Desk, answers: Answers) -> Number:
    number = await desk.registry.number(NumberId(answers["number"]))
    if number is None or not number.connected_at:
        raise Invalid("numbers.not_connected", phone="+" + answers["number"])
    return number


async def review(desk: Desk, answers: Answers) -> Review:
    """Raises Invalid for a key that is refused or is another number's."""
    number = await the_number(desk, answers)
    notes: tuple[Words, ...] = ()
    changes = []
    if answers.get("api_key"):
        health = await _health(desk, number, answers["api_key"])
        notes = (health_words(health),)
        changes.append(Words("edit.change_key"))
    changes += await _differences(desk, number, answers)
    if not changes:
        notes = (Words("edit.no_change"),)
    return Review(notes, subject=_about("edit.ask", number), changes=tuple(changes))


async def _differences(desk: Desk, number: Number, answers: Answers) -> list[Words]:
    return [
        Words("form.answer", {"label": Words(one.label), "value": _value(one, answers[one.name])})
        for one in await connect.agreed(desk, number)
        if answers.get(one.name, one.default) != one.default
    ]


def _value(field: Field, answer: str) -> Value:
    """As the summary shows it."""
    return field.label_of(answer) if answer else Words(field.nothing or "form.nothing")


async def submit(desk: Desk, answers: Answers) -> Reply:
    """Repeatable. Nothing is changed unless 360Dialog agreed to all of it."""
    number = await the_number(desk, answers)
    key = answers.get("api_key", "")
    health = await _health(desk, number, key) if key else None
    department = answers.get("department", number.department)
    name = await connect.department_name(desk, department)
    wanted = replace(
        number,
        api_key=key or number.api_key,
        name=(health.name if health else "") or number.name,
        phone_number_id=(health.phone_number_id if health else "") or number.phone_number_id,
        department=department,
        department_name=name or (number.department_name if department == number.department else ""),
        welcome_message=answers.get("welcome_message", number.welcome_message),
        conversation_finished_message=answers.get(
            "conversation_finished_message", number.conversation_finished_message
        ),
        offline_message=answers.get("offline_message", number.offline_message),
    )
    if health is not None:
        await register(desk, wanted)
    await desk.registry.put_number(wanted)
    changed = [name for name in ("api_key", "department", *connect.MESSAGES) if _differs(number, wanted, name)]
    act = Act("edit", {"number": number.phone, "changed": ", ".join(changed)})
    if health is None:
        return Reply("edit.done", {"phone": number.phone}, buttons=(SHOW,), did=act)
    return Reply("edit.done_key", {"phone": number.phone, "health": health_words(health)}, buttons=(SHOW,), did=act)


def _differs(number: Number, wanted: Number, name: str) -> bool:
    return bool(getattr(number, name) != getattr(wanted, name))


async def _health(desk: Desk, number: Number, key: str) -> Health:
    """Of the new key, which has to be this number's: by its phone, or by Meta's id where no phone is told."""
    health = await health_of(desk, key)
    told, known = digits(health.phone), str(number.id)
    if not told:
        told, known = health.phone_number_id, number.phone_number_id
    if told and known and told != known:
        raise Invalid("edit.other_phone", field="api_key", phone=number.phone)
    return health


def _about(key: str, number: Number) -> Words:
    return Words(key, {"phone": number.phone, "name": number.name or number.phone})


# --- messages that go elsewhere -------------------------------------------------------------------------------------


async def nothing(_: Desk, answers: Answers) -> Sequence[Field]:
    """A form that asks nothing, and so asks to be confirmed."""
    return ()


async def _review_return(desk: Desk, answers: Answers) -> Review:
    number = await the_number(desk, answers)
    return Review(agree=(_about("reconnect.means", number),), subject=_about("reconnect.ask", number))


async def _return(desk: Desk, answers: Answers) -> Reply:
    number = await the_number(desk, answers)
    await register(desk, number)
    act = Act("reconnect", {"number": number.phone})
    return Reply("reconnect.done", {"phone": number.phone}, buttons=(SHOW,), did=act)


EDIT = Form(name="edit", questions=questions, review=review, submit=submit, checks={"api_key": connect.check_key})
RECONNECT = Form(name="reconnect", questions=nothing, review=_review_return, submit=_return)
