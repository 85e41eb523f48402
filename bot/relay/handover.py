"""The one way in which anything is handed to WhatsApp: in parts, in order, each once.

WhatsApp has no idempotency key, so each part is noted as handed over before it leaves. If the bot dies in between, the
next look finds a part without an answer: its fate is *unsure*, and only a status webhook that carries the part's opaque
name (`<entry key>#<part>`) can settle it. It is never sent a second time by itself. A server that says it failed, but
may have taken the part all the same, gets it again, unless such a status has come by then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from bot.errors import Busy, Doubtful, Unsure
from bot.model import Sent, Wamid
from bot.ports import Entry, Journal, Json, Step, WhatsApp

_DOUBTFUL = Step("handed", "doubtful")
"""Most likely not taken, so it may be sent again."""

Make = Callable[[], Awaitable[Json]]
"""Makes the body of one part just before it leaves; what it takes (an upload) may be repeated."""


def to_send(step: Step | None) -> bool:
    """Whether a part that stands so leaves, perhaps once more."""
    return step is None or step == _DOUBTFUL


def opaque_name(key: str, part: int) -> str:
    return f"{key}#{part}"


def read_opaque(opaque: str) -> tuple[str, int] | None:
    """The entry key and part that `opaque_name` was made from; None when it is not one of ours."""
    key, mark, part = opaque.rpartition("#")
    return (key, int(part)) if mark and key and part.isdecimal() else None


async def hand_over(
    journal: Journal,
    whatsapp: WhatsApp,
    entry: Entry,
    api_key: str,
    parts: Sequence[Make],
    *,
    heard: Callable[[Sent], Awaitable[None]] | None = None,
    bulk: bool = False,
) -> list[Wamid]:
    """Sends what has not been sent yet; the ids of all parts. Raises Unsure for a part whose fate is not known.

    `heard` is told each answer: it also names the person by WhatsApp's id. `bulk` lets conversations go first."""
    wamids = []
    for part, make in enumerate(parts):
        step = entry.steps.get(part)
        if step is not None and step.state == "out":
            wamids.append(Wamid(step.ref))
            continue
        if not to_send(step):
            raise Unsure("no answer was noted for a part that had been handed over")
        body = await make()
        await whatsapp.turn(api_key, bulk=bulk)
        await journal.progress(entry, part, Step("handed"))
        try:
            sent = await whatsapp.send(api_key, body)
        except Busy as error:
            if step is not None or isinstance(error, Doubtful):
                await journal.progress(entry, part, _DOUBTFUL)
            raise
        if heard is not None:
            await heard(sent)
        if part < len(parts) - 1:  # the last one is noted with the whole entry, in one commit less
            await journal.progress(entry, part, Step("out", sent.wamid))
        wamids.append(sent.wamid)
    return wamids
