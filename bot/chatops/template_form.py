"""What commands need of templates: the fields of one, the words of a direct call, and the order that comes of both."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from bot.chatops.command import Act, Block, Desk, Reply, Value, Words
from bot.chatops.form import CUSTOMER, Answers, Field, Kind, Option, Uploaded
from bot.chatops.template_reports import report, report_entry
from bot.errors import Invalid
from bot.model import Number
from bot.relay.template_orders import FEW, Order
from bot.relay.templates import Shelf
from bot.whatsapp.phones import is_valid, region_of, understood
from bot.whatsapp.template_send import UPLOADED, check, check_whole, filled
from bot.whatsapp.templates import Template, Variable

__all__ = ["FEW", "Shelf", "Template", "check_whole", "region_of"]

MOST_RECIPIENTS = 250
_PATIENCE = 8.0
"""Seconds for which whoever sends to a few people waits for the results."""
_MOST_WORDS = 7
"""In which one number is written: +33 1 23 45 67 89."""
_SURELY_BETWEEN = re.compile(r"[,;\n]+|\s+(?=\+|00[1-9])")
_UPLOADS: dict[str, tuple[int, dict[str, str]]] = {
    "image": (5, {"image/jpeg": "JPEG", "image/png": "PNG"}),
    "video": (16, {"video/mp4": "MP4", "video/3gpp": "3GP"}),
    "document": (16, {}),
}
"""Megabytes and types of files for a header, with the names that people know them by (Meta: supported media); a
document may be of any type. Larger documents go by link."""
_PLACES = {"latitude": "52.5200", "longitude": "13.4050"}
"""An example of each coordinate, since templates give none."""


# --- fields ---------------------------------------------------------------------------------------------------------


def template_options(shelves: Iterable[Shelf]) -> tuple[Option, ...]:
    """What may be sent, each once. A name alone is understood when it has one language."""
    offered = {one.id: one for shelf in shelves for one in shelf.offered}
    names = [one.name for one in offered.values()]
    return tuple(
        Option(
            one.id, f"{one.name} · {one.language}",
            also=(f"{one.name} {one.language}".casefold(), *([one.name] if names.count(one.name) == 1 else [])),
        )
        for one in offered.values()
    )  # fmt: skip


def variable_fields(template: Template) -> list[Field]:
    """One for each value that has to be given, with its example; the first of the text shows the text."""
    text = Words("send_template.text_is", {"text": Block(template.body)})
    first = next((one.field for one in template.variables if one.field.startswith("body_")), "")
    return [
        _field(template, variable, text if template.body and variable.field == first else None)
        for variable in template.variables
    ]


def _field(template: Template, variable: Variable, note: Words | None) -> Field:
    kinds: dict[str, Kind] = {"media": "file"}
    megabytes, types = _UPLOADS.get(variable.name, (0, {})) if variable.what == "media" else (0, {})
    return Field(
        name=variable.field,
        kind=kinds.get(variable.what, "text"),
        label=_label(variable),
        help=_help(variable),
        about={
            "name": variable.name,
            "example": _PLACES.get(variable.name, "") if variable.what == "location" else variable.example,
            "types": ", ".join(types.values()),
            "n": str(megabytes),
        },
        accepts=tuple(types),
        required=variable.required and variable.name not in ("name", "address"),
        note=note,
        check=partial(check, template, variable),
        most=4000,
        minor=not variable.required,
    )


def _label(variable: Variable) -> str:
    match variable.what:
        case "text":
            return f"send_template.{variable.field.partition('_')[0]}"
        case "media" | "location":
            return f"send_template.{variable.what}.{variable.name}"
    return f"send_template.{variable.what}"


def _help(variable: Variable) -> str:
    """The example of a file is an address at WhatsApp that tells nobody anything; a place's name needs no words."""
    match variable.what:
        case "media":
            return "send_template.document.help" if variable.name == "document" else "send_template.media.help"
        case "location":
            return "send_template.location.help" if variable.name in _PLACES else ""
    return "send_template.example" if variable.example else f"send_template.{variable.what}.help"


async def upload(desk: Desk, number: Number, template: Template, file: Uploaded) -> str:
    """Gives the file to WhatsApp; what is stored of it. Raises Invalid for a file that the header cannot show."""
    kind = template.header.format.lower() if template.header else ""
    if kind not in _UPLOADS:
        raise Invalid("template.not_a_link", "header_media")
    megabytes, types = _UPLOADS[kind]
    if types and file.mime_type not in types:
        raise Invalid("send_template.wrong_file", "header_media", types=", ".join(types.values()))
    if file.path.stat().st_size > megabytes * 1024 * 1024:
        raise Invalid("form.file_too_large", "header_media", n=megabytes)
    id = await desk.whatsapp.upload(number.api_key, file.path, name=file.name, mime_type=file.mime_type)
    return f"{UPLOADED}{id} {file.name}"


# --- recipients -----------------------------------------------------------------------------------------------------


def recipients(text: str, region: str = "") -> list[str]:
    """Digits of each number once, with their country code; `region` is that of the number that sends, where people may
    leave it out. A blank stands in a number, or between two when there is only one way to read them.

    Raises Invalid that names what is none."""
    found: dict[str, None] = {}
    for part in filter(None, (part.strip() for part in _SURELY_BETWEEN.split(text))):
        one = understood(part, region)
        for digits in [one] if one else _apart(part.split(), region):
            found[digits] = None
    if len(found) > MOST_RECIPIENTS:
        raise Invalid("send_template.too_many", "recipients", n=MOST_RECIPIENTS, length=len(found))
    return list(found)


def _apart(words: Sequence[str], region: str) -> list[str]:
    """Several numbers with nothing but blanks in and between them."""
    alone = [understood(word, region) for word in words]
    if all(alone):
        return [digits for digits in alone if digits]
    ways: list[list[list[str]]] = [[[]]]  # for each count of words: the ways to read them, at most two
    for end in range(1, len(words) + 1):
        starts = range(max(end - _MOST_WORDS, 0), end)
        read = ((start, understood(" ".join(words[start:end]), region)) for start in starts)
        ways.append([[*way, digits] for start, digits in read if digits for way in ways[start]][:2])
    if len(ways[-1]) > 1:
        raise Invalid("send_template.which_phones", "recipients", given=" ".join(words)[:40])
    if not ways[-1]:
        wrong = next((word for word, digits in zip(words, alone, strict=True) if not digits), "")
        given = " ".join(words) if len(words) <= _MOST_WORDS else wrong
        raise Invalid("send_template.not_a_phone", "recipients", given=given[:40])
    return ways[-1][0]


def cleaned_recipients(text: str, region: str = "") -> str:
    return ", ".join(f"+{digits}" for digits in recipients(text, region))


def leading_phone(words: Sequence[str], region: str = "") -> tuple[str, int]:
    """The number that a line begins with and how many words it takes: `+49 170 1234567 Ana` → three; ("", 0) if none.

    Raises Invalid when its end cannot be told."""
    read = {n: understood(" ".join(words[:n]), region) for n in range(1, min(len(words), _MOST_WORDS) + 1)}
    possible = {n: digits for n, digits in read.items() if digits}
    valid = {n: digits for n, digits in possible.items() if is_valid(digits)}
    if 1 in valid or (1 in possible and not valid):
        return possible[1], 1
    if len(valid) > 1:
        raise Invalid("send_template.which_phone", "recipients", given=" ".join(words[: max(valid)])[:40])
    return next(((digits, n) for n, digits in valid.items()), ("", 0))


# --- a direct call --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Direct:
    """`send-template order_update en +49… "Ana" Friday button_0=A-1`, read as far as it goes."""

    answers: Answers
    complete: bool


def direct(template: Template, args: Sequence[str], *, with_recipients: bool, region: str = "") -> Direct:
    """`args` are the words after name and language. Raises Invalid for what cannot be."""
    rest, answers = list(args), {"template": template.id}
    if with_recipients:
        numbers = _leading_recipients(rest, region)
        if numbers:
            answers["recipients"] = cleaned_recipients(",".join(numbers))
    waiting = {field.name: field for field in variable_fields(template)}
    needed = [variable for variable in template.variables if variable.required]
    for word in rest:
        name, sign, value = word.partition("=")
        named = _named(template, name) if sign else None
        if named is None:
            named = next((one for one in needed if one.field not in answers), None)
            value = word
        if named is None:
            raise Invalid("send_template.too_many_values", n=len(needed))
        answers[named.field] = check(template, named, value)
    complete = all(name in answers for name, field in waiting.items() if field.required)
    return Direct(answers, complete and (not with_recipients or "recipients" in answers))


def _leading_recipients(rest: list[str], region: str) -> list[str]:
    """Takes them off the line. A later one needs its plus: a value may be digits too."""
    found: list[str] = []
    while rest and (not found or rest[0].startswith(("+", "00"))):
        parts = [part for part in rest[0].split(",") if part]
        if len(parts) > 1 or rest[0].endswith(","):
            read = [understood(part, region) for part in parts]
            if not parts or not all(read):
                break
            found += [f"+{digits}" for digits in read]
            del rest[0]
            continue
        digits, taken = leading_phone(rest, region)
        if not taken:
            break
        found.append(f"+{digits}")
        del rest[:taken]
    return found


def _named(template: Template, name: str) -> Variable | None:
    exact = [one for one in template.variables if one.field == name]
    by_name = [one for one in template.variables if one.name == name and one.what in ("text", "location")]
    return next(iter(exact or (by_name if len(by_name) == 1 else [])), None)


# --- the order ------------------------------------------------------------------------------------------------------


def values_in(template: Template, answers: Answers) -> dict[str, str]:
    return {one.field: answers[one.field] for one in template.variables if answers.get(one.field)}


def preview(desk: Desk, template: Template, answers: Answers) -> Block:
    return Block(desk.templates.preview(template, values_in(template, answers)))


async def send(desk: Desk, number: Number, template: Template, to: Sequence[str], answers: Answers) -> Reply:
    """Repeatable: the order's id is that of the occasion. A few results are waited for; all others are reported.
    The result quotes what was sent, but not in the customer's own room: there it stands above, as a message."""
    order = Order(
        id=hashlib.sha256(desk.occasion.encode()).hexdigest()[:24],
        number=number.id,
        template=filled(template, values_in(template, answers)),
        recipients=tuple(to),
        preview=preview(desk, template, answers).text,
        by=desk.person.name or desk.person.username,
        room=desk.room,
    )
    act = Act("send-template", {"template": template.name, "number": number.phone, "recipients": len(to)})
    if not order.few:
        await desk.orders.give(order, report_entry(order))
        return Reply("send_template.under_way", {"template": template.name, "n": len(to)}, did=act)
    await desk.orders.give(order)
    results = await desk.orders.results(order, _PATIENCE)
    if any(result.state == "waiting" for result in results):
        await desk.orders.give(order, report_entry(order))
    [reply] = report(order, results)
    values: dict[str, Value] = dict(reply.values)
    if CUSTOMER not in answers:
        values["preview"] = Block(order.preview)
    return Reply(reply.key, values, reply.rows, layout=reply.layout, did=act)
