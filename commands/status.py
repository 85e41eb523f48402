"""`status`: numbers, the connection, what waits and what was given up; and what became of one message.

`status retry <key>` and `status retry all` are what the buttons say.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.chatops.command import SLASH, Act, Command, Desk, Press, Reply, Value, Words, typed
from bot.errors import BotError
from bot.model import Number
from commands.dialog360 import connected, health_words

_MOST_TRACKS = 5
_MOST_NUMBERS = 20
_CUSTOMER = "+491701234567"
"""An example."""
SHOW = Press(Words("status.again"), typed("status"))


async def show(desk: Desk, args: tuple[str, ...]) -> Reply:
    match args:
        case []:
            return await _standing(desk)
        case ["retry", "all"]:
            n = await desk.overview.retry_all()
            return Reply("status.retried", {"count": n}, buttons=(SHOW,), did=Act("retry", {"entries": n}))
        case ["retry", key]:
            if await desk.overview.retry(key):
                return Reply("status.retried_one", buttons=(SHOW,), did=Act("retry", {"entry": key}))
            return Reply("status.retry_unknown", {"id": key}, buttons=(SHOW,))
    return await _trace(desk, " ".join(args))


async def _trace(desk: Desk, word: str) -> Reply:
    tracks = (await desk.overview.trace(word))[:_MOST_TRACKS]
    if not tracks:
        return Reply("trace.unknown", {"word": word}, buttons=(SHOW,))
    rows: list[dict[str, Value]] = []
    buttons = []
    for track in tracks:
        rows.append({"head": track.head, "when": _when(track.entry.first_at), "says": ""})
        rows += [{"head": "", "when": _when(line.at), "says": line.says} for line in track.lines]
        if track.state == "waiting" and track.due > desk.now:
            rows.append({"head": "", "when": _when(track.due), "says": Words("status.next_try")})
        if track.state == "dead":
            buttons.append(Press(Words("status.retry", {"who": track.who}), typed("status", "retry", track.entry.key)))
    return Reply("status.trace", {"word": word}, tuple(rows), (*buttons, SHOW), layout="trace")


async def _standing(desk: Desk) -> Reply:
    numbers, now = await connected(desk), await desk.overview.standing(desk.occasion)
    rows: list[dict[str, Value]] = [
        {"what": "number", "phone": number.phone, "name": number.name, "health": health}
        for number, health in zip(
            numbers, await asyncio.gather(*(_health(desk, number) for number in numbers[:_MOST_NUMBERS])), strict=False
        )
    ]
    rows += [
        {
            "what": "waits",
            "says": Words(
                f"status.waits.{way}",
                {"waiting": of.waiting, "since": _when(of.oldest), "age": _age(desk.now - of.oldest)},
            ),
        }
        for way, of in sorted(now.waits.items())
    ]
    rows += [{"what": "dead", "when": _when(one.at), "who": one.who, "reason": one.reason} for one in now.latest]
    buttons = [
        Press(
            Words("status.retry_unsure" if one.perhaps_sent else "status.retry", {"who": one.who}),
            typed("status", "retry", one.key),
        )
        for one in now.latest
    ]
    if now.dead > 1:
        buttons.append(Press(Words("status.retry_all"), typed("status", "retry", "all")))
    link = now.link
    values: dict[str, Value] = {
        "connection": Words(
            "status.connected" if link.connected else "status.away",
            {"since": _when(link.since), "heard": _when(link.heard_at) if link.heard_at else Words("status.never")},
        ),
        "numbers": len(numbers),
        "more": max(0, len(numbers) - _MOST_NUMBERS),
        "waiting": sum(of.waiting for of in now.waits.values()),
        "dead": now.dead,
        "kept": Words("status.kept", {"days": now.keep_days, "when": _when(now.next_goes)})
        if now.next_goes
        else Words("status.kept_for_ever"),
        "example": f"{SLASH} status {_CUSTOMER}",
    }
    return Reply("status.list", values, tuple(rows), (*buttons, SHOW), layout="status")


async def _health(desk: Desk, number: Number) -> Words:
    try:
        return health_words(await desk.whatsapp.check(number.api_key))
    except BotError as error:
        return Words(error.sentence, {"said": error.said, **error.values})


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _age(seconds: float) -> Words:
    minutes = max(0, int(seconds // 60))
    if minutes < 60:
        return Words("status.age_minutes", {"minutes": minutes}) if minutes else Words("status.age_now")
    return Words("status.age", {"hours": minutes // 60, "minutes": minutes % 60})


COMMAND = Command(name="status", summary="status.summary", open=show, examples=(_CUSTOMER,))
