"""What became of a message, in plain words: asked on the command line and in chat, answered from the journal alone.

It is named by a WhatsApp message id, a Rocket.Chat message id, or the key of its entry; a phone number or user id names
the last messages of a customer. What is done has lost its text, so no text is ever told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.errors import BotError
from bot.model import MessageId, Pair, Wamid
from bot.ports import Entry, Journal, Kind, Stored
from bot.relay.whose import customer_of
from bot.translations import Translate

LAST = 10
"""Messages of a customer that are told of."""
_PHONE = re.compile(r"\+?[\d\s()./-]{6,30}")
_STATES = "sent", "delivered", "read", "played", "failed"
_HEADS: Mapping[Kind, str] = {
    "wa.message": "trace.head.in", "wa.media": "trace.head.file", "wa.other": "trace.head.news",
    "rc.message": "trace.head.out", "auto.message": "trace.head.auto", "template.send": "trace.head.template",
}  # fmt: skip
_BEGINS = {"wa.message": "trace.from_customer", "rc.message": "trace.from_agent", "template.send": "trace.template"}
NOTHING = {
    "not_whatsapp", "no_content", "number_gone", "text_removed", "already_shown", "no_conversation", "deleted_in_time",
}  # fmt: skip
"""Why a message had not to be delivered: what its result calls `ignored`, and `trace.nothing.*` in the catalogues."""
_TRACED = (*_BEGINS, "wa.media", "wa.other", "auto.message")


@dataclass(frozen=True, slots=True)
class Line:
    at: float
    """Unix seconds."""
    says: str


@dataclass(frozen=True, slots=True)
class Track:
    """Of one entry, in the order in which it came about, because the clocks of others may differ. `due`: when it is
    tried again, while it waits; 0: as soon as it can be."""

    entry: Entry
    head: str
    """What it is, and whose: `Message from a customer · Maria, +491701234567`."""
    who: str
    """The customer, or what it is when there is none."""
    state: str
    lines: tuple[Line, ...]
    due: float = 0.0


class Trace:
    def __init__(self, journal: Journal, t: Translate) -> None:
        self._journal = journal
        self._t = t

    async def of(self, word: str) -> list[Track]:
        """The latest first; empty when nothing of the kind is known."""
        word = word.strip()
        found = await self._named(word) if word else []
        if word and not found:
            latest = await self._journal.latest(person_of(word), 3 * LAST)
            found = [one for one in latest if one.entry.kind in _TRACED][:LAST]
        return [await self._track(one) for one in found]

    async def headed(self, stored: Stored) -> tuple[str, str]:
        """`head` and `who` of a Track."""
        kind, who = stored.entry.kind, await customer_of(self._journal, stored)
        nobodys = kind == "rc.message" and not who
        what = self._t("trace.head.elsewhere" if nobodys else _HEADS.get(kind, "trace.head.other"), kind=kind)
        return (f"{what} · {who}", who) if who else (what, what)

    def reason(self, why: str) -> str:
        """Why an entry waits or was given up, as the sentence of that error; what no person can read stays as it is."""
        name, _, said = why.partition(": ")
        text = self._t(_SENTENCES.get(name, ""), said=said) if name in _SENTENCES else why
        return why if "{" in text else text

    async def _named(self, word: str) -> list[Stored]:
        pair = await self._journal.pair(Wamid(word))
        pairs = [pair] if pair is not None else await self._journal.pairs_of_message(MessageId(word))
        keys = [*(one.entry for one in pairs), word, f"wa:{word}", f"rc:{word}"]
        looked = [await self._journal.find(key) for key in dict.fromkeys(keys) if key]
        return [one for one in looked if one is not None]

    async def _track(self, stored: Stored) -> Track:
        entry, result = stored.entry, stored.result
        lines = [Line(entry.first_at, self._t(_BEGINS.get(entry.kind, "trace.stored"), kind=entry.kind))]
        if stored.state == "done":
            for wamid in result.get("wamids") or ():
                lines.append(Line(stored.closed_at, self._t("trace.accepted", wamid=str(wamid))))
                lines += await self._statuses(Wamid(str(wamid)))
            lines += self._ended(stored)
        else:
            lines += self._open(stored)
        return Track(entry, *await self.headed(stored), stored.state, tuple(lines), stored.due)

    def _ended(self, stored: Stored) -> Iterator[Line]:
        result, at = stored.result, stored.closed_at
        if "message" in result and "room" in result:
            yield Line(at, self._t("trace.shown", room=str(result["room"]), message=str(result["message"])))
        elif why := result.get("ignored"):
            yield Line(at, self._t(f"trace.nothing.{why}" if why in NOTHING else "trace.nothing_to_do"))
        elif why := result.get("refused"):
            yield Line(at, self._t("trace.refused", reason=self.reason(str(why))))
        elif why := result.get("expired"):
            yield Line(at, self._t("trace.expired", why=self.reason(str(why))))
        elif not result.get("wamids"):
            yield Line(at, self._t("trace.done"))

    def _open(self, stored: Stored) -> Iterator[Line]:
        """Of what waits, or is dead."""
        entry = stored.entry
        for _, step in sorted(entry.steps.items()):
            if step.state == "out":
                yield Line(entry.first_at, self._t("trace.accepted", wamid=step.ref))
        if stored.state == "dead":
            yield Line(stored.closed_at, self._t("trace.dead", why=self.reason(stored.why)))
        elif entry.confirming:
            yield Line(stored.due or entry.first_at, self._t("trace.unsure"))
        elif entry.tries:
            says = self._t("trace.waiting", why=self.reason(stored.why), tries=entry.tries)
            yield Line(entry.first_at, says)
        else:
            yield Line(entry.first_at, self._t("trace.turn"))

    async def _statuses(self, wamid: Wamid) -> list[Line]:
        lines = []
        for state in _STATES:
            status = await self._journal.find(f"st:{wamid}:{state}")
            if status is not None:
                at = status.entry.at_ms / 1000 or status.entry.first_at
                sentence = str(status.result.get("reason") or "")
                reason = self._t(sentence, said=str(status.result.get("said") or "")) if sentence else ""
                lines.append(Line(at, self._t(f"trace.{state}", reason=reason).strip()))
        pair: Pair | None = await self._journal.pair(wamid)
        if not lines and pair is not None and pair.state in _STATES:
            lines.append(Line(pair.state_at, self._t(f"trace.{pair.state}", reason="").strip()))
        return sorted(lines, key=lambda line: line.at)


def person_of(word: str) -> str:
    """`+49 170 123-4567` → `491701234567`; a user id stays as it is."""
    return re.sub(r"\D", "", word).removeprefix("00") if _PHONE.fullmatch(word) else word


def _sentences(family: type[BotError]) -> Iterator[tuple[str, str]]:
    yield family.__name__, family.sentence
    for kind in family.__subclasses__():
        yield from _sentences(kind)


_SENTENCES = dict(_sentences(BotError))
