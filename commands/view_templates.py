"""`view-templates`: the templates of every connected number, from the kept lists, with their age and a button to renew
them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from bot.chatops.command import SLASH, Command, Desk, Press, Reply, Value, Words, typed
from bot.chatops.form import explain
from bot.chatops.template_form import Shelf, Template
from bot.errors import BotError
from bot.model import Number
from commands.dialog360 import connected, quality_words

_PAGE = 15
_REFRESH = "refresh"


async def show(desk: Desk, args: tuple[str, ...]) -> Reply:
    """`view-templates [refresh] [words to look for …] [page]`."""
    numbers = await connected(desk)
    if not numbers:
        return Reply("numbers.empty", buttons=(Press(Words("account.connect"), typed("connect")),))
    words = [word.casefold() for word in args]
    refresh = bool(words) and words[0] == _REFRESH
    words = words[1:] if refresh else words
    page = int(words.pop()) if words and words[-1].isdecimal() and len(words[-1]) < 4 else 1
    read = await asyncio.gather(*(_read(desk, number, refresh=refresh) for number in numbers))
    shelves = [(number, shelf) for number, (shelf, _) in zip(numbers, read, strict=True) if shelf is not None]
    problems: list[dict[str, Value]] = [
        {"number": number.phone, "problem": explain(problem)}
        for number, (_, problem) in zip(numbers, read, strict=True)
        if problem is not None
    ]
    rows = [row for number, shelf in shelves for row in _rows(number, shelf.templates, words)]
    pages = max(-(-len(rows) // _PAGE), 1)
    page = min(max(page, 1), pages)
    shown = rows[(page - 1) * _PAGE : page * _PAGE]
    values: dict[str, Value] = {
        "n": len(rows),
        "page": page,
        "pages": pages,
        "words": " ".join(words),
        "all": f"{SLASH} view-templates",
        "read": len(shelves),
        "age": _age(desk, [shelf for _, shelf in shelves]),
    }
    return Reply(
        "view_templates.list", values, (*shown, *problems), _buttons(words, page, pages), layout="view_templates"
    )


async def _read(desk: Desk, number: Number, *, refresh: bool) -> tuple[Shelf | None, BotError | None]:
    """What can be shown, and why it is not as it was asked for: a kept list is better than none."""
    try:
        return await (desk.templates.refresh(number) if refresh else desk.templates.of(number)), None
    except BotError as error:
        return await desk.templates.known(number), error


def _rows(number: Number, templates: Sequence[Template], words: Sequence[str]) -> Iterable[dict[str, Value]]:
    """One for each name that fits: its languages together, with the status of those that may not be sent."""
    for name in dict.fromkeys(one.name for one in templates):
        same = [one for one in templates if one.name == name]
        states = {one.status for one in same}
        qualities = sorted({one.quality for one in same if one.quality not in ("", "UNKNOWN")})
        row: dict[str, Value] = {
            "name": name,
            "number": number.phone,
            "languages": ", ".join(
                one.language if len(states) == 1 else f"{one.language} ({one.status})" for one in same
            ),
            "status": ", ".join(sorted(states)),
            "category": ", ".join(sorted({one.category for one in same if one.category})),
            "quality": ", ".join(qualities),
            "not_supported": ", ".join(dict.fromkeys(part for one in same for part in one.not_supported)),
        }
        if _fits(row, words):
            yield {**row, "quality": quality_words(*qualities) if qualities else ""}


def _fits(row: dict[str, Value], words: Sequence[str]) -> bool:
    text = " ".join(str(value) for value in row.values()).casefold()
    return all(word in text for word in words)


def _age(desk: Desk, shelves: Sequence[Shelf]) -> Words | str:
    """Of the oldest list."""
    if not shelves:
        return ""
    minutes = int((desk.now - min(shelf.read_at for shelf in shelves)) // 60)
    return Words("view_templates.age", {"n": minutes}) if minutes > 0 else Words("view_templates.fresh")


def _buttons(words: Sequence[str], page: int, pages: int) -> tuple[Press, ...]:
    buttons = [Press(Words("view_templates.refresh"), typed("view-templates", _REFRESH, *words))]
    if page > 1:
        buttons.append(Press(Words("view_templates.before"), typed("view-templates", *words, str(page - 1))))
    if page < pages:
        buttons.append(Press(Words("view_templates.more"), typed("view-templates", *words, str(page + 1))))
    return (*buttons, Press(Words("view_templates.send"), typed("send-template")))


COMMAND = Command(
    name="view-templates", summary="view_templates.summary", open=show, examples=("order", "approved marketing")
)
