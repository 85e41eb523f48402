"""`send-template`: an approved template to one or many people, with a preview before and a result for each afterwards.

Three ways: the form in chat or on its page; everything in one line (`send-template order_update en +49… "Ana"`), which
sends at once when it is complete and for one person; and inside a WhatsApp customer's room, where number and recipient
are known. There agents may use it too, besides the people with one of the configured roles.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial

from bot.chatops.command import Command, Desk, Press, Reply, Words, typed
from bot.chatops.form import CUSTOMER, Answers, Field, Form, Opening, Option, Review, Uploaded
from bot.chatops.template_form import (
    Shelf,
    Template,
    check_whole,
    cleaned_recipients,
    direct,
    leading_phone,
    preview,
    recipients,
    region_of,
    send,
    template_options,
    upload,
    variable_fields,
)
from bot.errors import BotError, Invalid, NumberGone
from bot.model import Number
from commands.dialog360 import connected, number_id

FROM = "from"
"""What the form knows from the beginning in a customer's room, besides CUSTOMER: the phone of the number that sends."""
_RECIPIENTS_LONGEST = 8000
_SHOWN = 10
_LANGUAGE = re.compile(r"[a-z]{2,3}([_-][A-Za-z]{2,4})?")
"""What a language looks like where one of several has to be named."""


async def open_form(desk: Desk, args: tuple[str, ...]) -> Reply | Opening:
    numbers = await _numbers(desk)
    if not numbers:
        return Reply("numbers.empty", buttons=(Press(Words("account.connect"), typed("connect")),))
    about: dict[str, str] = {}
    if desk.customer is not None:
        numbers = [one for one in numbers if one.id == desk.customer.number]
        if not numbers:
            raise NumberGone(desk.customer.number)
        about = {CUSTOMER: desk.customer.contact, FROM: numbers[0].phone}
    sender, taken = leading_phone(args) if args and desk.customer is None else ("", 0)
    if sender in {one.id for one in numbers}:
        numbers = [one for one in numbers if one.id == sender]
        args = args[taken:]
    answers = {"connected_number": numbers[0].phone} if len(numbers) == 1 and not about else {}
    if not args:
        return Opening(FORM, about, answers)
    return await _in_one_line(desk, numbers, args, Opening(FORM, about, answers))


# --- everything in one line -----------------------------------------------------------------------------------------


async def _in_one_line(
    desk: Desk, numbers: Sequence[Number], args: tuple[str, ...], opening: Opening
) -> Reply | Opening:
    """Sends when nothing is missing and one person gets it; otherwise the form goes on from what was said."""
    shelves = await _shelves(desk, numbers)
    name, language = args[0].partition("|")[::2]
    named = [(number, one) for number, shelf in shelves for one in shelf.offered if one.name == name]
    if not named:
        return _unknown(args[0], shelves)
    rest = args[1:]
    if not language and rest and any(_same(rest[0], one.language) for _, one in named):
        language, rest = rest[0], rest[1:]
    found = [(number, one) for number, one in named if not language or _same(language, one.language)]
    if not found:
        return _unknown(args[0], shelves)
    if len(found) > 1 and not language and rest and _LANGUAGE.fullmatch(rest[0]):
        return _unknown(name, shelves)
    if len(found) > 1:
        return opening
    [(number, template)] = found
    said = direct(template, rest, with_recipients=CUSTOMER not in opening.about, region=region_of(number.phone))
    answers = {**opening.answers, **said.answers}
    if CUSTOMER not in opening.about:
        answers["connected_number"] = number.phone
    to = _to({**opening.about, **answers}) if said.complete else []
    if len(to) != 1:
        return Opening(FORM, opening.about, answers)
    check_whole(template, answers)
    return await send(desk, number, template, to, {**opening.about, **answers})


def _same(typed: str, language: str) -> bool:
    return typed.replace("-", "_").casefold() == language.casefold()


def _unknown(name: str, shelves: Sequence[tuple[Number, Shelf]]) -> Reply:
    """Also for a template that is there but may not be sent: then it says why."""
    there = [one for _, shelf in shelves for one in shelf.templates if one.name == name.partition("|")[0]]
    show = (Press(Words("view_templates.show"), typed("view-templates")),)
    if not there:
        return Reply("send_template.unknown", {"name": name[:60]}, buttons=show)
    reasons = sorted({_why_not(one) for one in there if one.status != "APPROVED" or one.not_supported})
    if not reasons:
        languages = ", ".join(sorted({one.language for one in there}))
        return Reply("send_template.other_languages", {"name": name[:60], "languages": languages}, buttons=show)
    return Reply("send_template.not_sendable", {"name": name[:60], "reason": ", ".join(reasons)}, buttons=show)


def _why_not(template: Template) -> str:
    return ", ".join(template.not_supported) if template.approved else template.status


# --- the form -------------------------------------------------------------------------------------------------------


async def questions(desk: Desk, answers: Answers) -> Sequence[Field]:
    """Number, template, recipients, and one field for each variable of the template that was chosen."""
    numbers = await _numbers(desk)
    chosen = await _chosen(desk, answers)
    shelves = [shelf for _, shelf in await _shelves(desk, [chosen] if chosen else numbers)]
    inside = CUSTOMER in answers
    fields = [] if inside else [_number_field(numbers)]
    fields.append(
        Field(
            "template", "choice", "send_template.template", "send_template.template.help", required=True,
            options=template_options(shelves), note=Words("send_template.in_room") if inside else None,
        )
    )  # fmt: skip
    if not inside:
        fields.append(
            Field(
                "recipients", "long_text", "send_template.recipients", "send_template.recipients.help",
                required=True, check=partial(cleaned_recipients, region=_region([chosen] if chosen else numbers)),
                most=_RECIPIENTS_LONGEST,
            )
        )  # fmt: skip
    template = next(filter(None, (shelf.find(answers.get("template", "")) for shelf in shelves)), None)
    return [*fields, *(variable_fields(template) if template else ())]


def _region(numbers: Sequence[Number]) -> str:
    """The country that all of them are of."""
    regions = {region_of(number.phone) for number in numbers}
    return regions.pop() if len(regions) == 1 else ""


def _number_field(numbers: Sequence[Number]) -> Field:
    options = tuple(
        Option(one.phone, f"{one.phone} · {one.name}" if one.name else one.phone, also=(one.id,)) for one in numbers
    )
    return Field(
        "connected_number", "choice", "send_template.connected_number", "send_template.connected_number.help",
        required=True, options=options, minor=len(options) == 1,
    )  # fmt: skip


async def review(desk: Desk, answers: Answers) -> Review:
    number, template, to = await _complete(desk, answers)
    shown = ", ".join(f"+{one}" if one.isdecimal() else one for one in to[:_SHOWN]) + (" …" if len(to) > _SHOWN else "")
    return Review(
        notes=(Words("send_template.to", {"recipients": shown, "n": len(to), "number": number.phone}),),
        subject=Words("send_template.ask", {"template": template.name, "n": len(to)}),
        preview=preview(desk, template, answers),
    )


async def submit(desk: Desk, answers: Answers) -> Reply:
    number, template, to = await _complete(desk, answers)
    return await send(desk, number, template, to, answers)


async def take_file(desk: Desk, answers: Answers, file: Uploaded) -> str:
    number = await _chosen(desk, answers)
    template = await _template(desk, number, answers) if number else None
    if number is None or template is None:
        raise Invalid("form.missing", "template")
    return await upload(desk, number, template, file)


async def _complete(desk: Desk, answers: Answers) -> tuple[Number, Template, list[str]]:
    number = await _chosen(desk, answers)
    if number is None:
        raise Invalid("form.missing", "connected_number")
    template = await _template(desk, number, answers)
    if template is None:
        raise Invalid("send_template.not_of_number", "template", phone=number.phone)
    for field in variable_fields(template):
        if field.required and not answers.get(field.name):
            raise Invalid("form.missing", field.name)
    check_whole(template, answers)
    to = _to(answers)
    if not to:
        raise Invalid("form.missing", "recipients")
    return number, template, to


def _to(answers: Answers) -> list[str]:
    return [answers[CUSTOMER]] if CUSTOMER in answers else recipients(answers.get("recipients", ""))


async def _template(desk: Desk, number: Number, answers: Answers) -> Template | None:
    found = (await desk.templates.of(number)).find(answers.get("template", ""))
    return found if found is not None and found.approved and not found.not_supported else None


async def _chosen(desk: Desk, answers: Answers) -> Number | None:
    """The number that sends, once it is known."""
    phone = answers.get(FROM) or answers.get("connected_number")
    numbers = await _numbers(desk)
    if not phone:
        return numbers[0] if len(numbers) == 1 else None
    return next((one for one in numbers if one.id == number_id(phone)), None)


async def _numbers(desk: Desk) -> list[Number]:
    return await connected(desk)


async def _shelves(desk: Desk, numbers: Sequence[Number]) -> list[tuple[Number, Shelf]]:
    """Of those that can be read; raises only when none can."""
    found = await asyncio.gather(*(desk.templates.of(number) for number in numbers), return_exceptions=True)
    shelves = [(number, shelf) for number, shelf in zip(numbers, found, strict=True) if isinstance(shelf, Shelf)]
    problems = [one for one in found if isinstance(one, BaseException)]
    for problem in problems:
        if not shelves or not isinstance(problem, BotError):
            raise problem
    return shelves


FORM = Form(
    name="send_template",
    questions=questions,
    review=review,
    submit=submit,
    agents=True,
    previews=True,
    upload=take_file,
)

COMMAND = Command(
    name="send-template",
    summary="send_template.summary",
    open=open_form,
    place="customer",
    examples=('order_update en +491701234567 "Ana" "Friday"',),
    forms=(FORM,),
)
