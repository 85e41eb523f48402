"""`audit`: who changed or sent what, when, from where, and how it ended; the latest first."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from bot.chatops.command import SLASH, Command, Desk, Press, Reply, Value, Words, typed
from bot.ports import Json

_PAGE = 10
_BEFORE = re.compile(r"before:(\d{1,15})")


async def show(desk: Desk, args: tuple[str, ...]) -> Reply:
    """`args`: words that a record has to hold; `before:<place>`, from the button below the page before."""
    places = [int(place[1]) for word in args if (place := _BEFORE.fullmatch(word))]
    words = tuple(word for word in args if not _BEFORE.fullmatch(word))
    found, further = await desk.audit.find(words, _PAGE, places[-1] if places else 0)
    buttons = []
    if further:
        quoted = (f'"{word}"' if " " in word else word for word in words)
        buttons.append(Press(Words("audit.more"), typed("audit", *quoted, f"before:{further}")))
    if not found and words:
        return Reply("audit.none_found", {"words": " ".join(words), "all": f"{SLASH} audit"}, buttons=tuple(buttons))
    if not found:
        return Reply("audit.empty")
    values: dict[str, Value] = {"words": " ".join(words), "example": f"{SLASH} audit settings"}
    return Reply("audit.list", values, tuple(_row(desk, record) for record in found), tuple(buttons), layout="audit")


def _row(desk: Desk, record: Json) -> dict[str, Value]:
    result, _, why = str(record["result"]).partition(": ")
    return {
        "when": datetime.fromtimestamp(record["at"], UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "who": str(record["who"]),
        "did": desk.audit.said(record),
        "from": Words(f"audit.from.{record['from']}"),
        "result": "" if result == "done" else Words(f"audit.{result}", {"reason": why}),
    }


COMMAND = Command(
    name="audit", summary="audit.summary", open=show, roles=("admin",), examples=("settings", "ada send-template")
)
