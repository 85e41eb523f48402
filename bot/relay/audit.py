"""The audit log: who changed or sent what, when, from where, and how it ended. Handler of `audit` entries.

A record enters as an entry, in the commit of the effect where that has one, else right after it: an effect that is
repeated after a crash has the same key, so there is one record. Working on it chains it: each record's seal is computed
from the record before it with a key that is not in the database. A record that was changed or taken out breaks the
chain from there on; only the latest ones can be cut off unnoticed, and their numbers may have been seen.

Nothing secret is in it: people by their user name, numbers by their last three digits, texts for customers not at all.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from bot.chatops.command import Act, Person
from bot.ports import Clock, Entry, Journal, Json, Outcome, Stored
from bot.relay.masking import masked

CHAT, PAGE, API, COMMAND_LINE = "chat", "page", "api", "cli"
"""Where something was done."""
DONE, REFUSED, FAILED = "done", "refused", "failed"
LANE = "audit"
_BATCH = 100
_LOOKED_THROUGH = 5000
"""Records that one search looks through."""
_RACE = 64
"""Records of bots that share a database may be chained in another order than they came in; by far not so many."""
_LONGEST = 200


class Audit:
    def __init__(self, journal: Journal, clock: Clock, derive: Callable[..., bytes]) -> None:
        self._journal = journal
        self._clock = clock
        self._derive = derive

    # --- writing ---

    def entry(self, occasion: str, act: Act, *, who: str, origin: str, result: str = DONE, user: str = "") -> Entry:
        """What an effect stores with itself. `occasion` is the same when the effect is repeated."""
        return _entry(occasion, act, int(self._clock.now()), who=who, user=user, origin=origin, result=result)

    async def note(self, occasion: str, act: Act, person: Person, *, origin: str, result: str = DONE) -> None:
        await self._journal.append(
            self.entry(occasion, act, who=person.username, user=person.id, origin=origin, result=result)
        )

    async def __call__(self, entry: Entry) -> Outcome:
        """One after the other, also when several bots share the lane."""
        found = [one.result for one in await self._journal.audit(_RACE, done=True) if "n" in one.result]
        last: Json = max(found, key=lambda record: int(record["n"]), default={"n": 0, "seal": ""})
        record = {"n": int(last["n"]) + 1, **entry.body}
        return Outcome({**record, "seal": self._seal(str(last["seal"]), record)})

    # --- reading ---

    @staticmethod
    def said(record: Json) -> str:
        """The part that every language says alike: `settings list_button_label="Show me"`."""
        about = (f"{name}={_quoted(value)}" for name, value in record["about"].items())
        return " ".join((str(record["what"]), *about))

    async def find(self, words: Sequence[str], limit: int, before: int = 0) -> tuple[list[Json], int]:
        """Records that hold all of the words, the latest first, and where the next search goes on; 0: that was all."""
        found: list[Json] = []
        looked, place = 0, before
        async for stored in self._all(before):
            if len(found) == limit or looked == _LOOKED_THROUGH:
                return found, place
            looked, place = looked + 1, stored.entry.seq
            if _matches(record_of(stored), words):
                found.append(record_of(stored))
        return found, 0

    async def broken(self) -> list[int]:
        """Numbers of records at which the chain does not hold: changed, or what was before them is gone."""
        records = [stored.result async for stored in self._all(0) if stored.state == "done"]
        previous, wrong, expected = "", [], 1
        for record in sorted(records, key=lambda one: int(one.get("n", 0))):
            number = int(record.get("n", 0))
            plain = {name: value for name, value in record.items() if name != "seal"}
            if number != expected or not hmac.compare_digest(self._seal(previous, plain), str(record.get("seal"))):
                wrong.append(number)
            previous, expected = str(record.get("seal")), number + 1
        return wrong

    async def _all(self, before: int) -> AsyncIterator[Stored]:
        while batch := await self._journal.audit(_BATCH, before):
            for stored in batch:
                yield stored
            before = batch[-1].entry.seq

    def _seal(self, previous: str, record: Mapping[str, Any]) -> str:
        return self._derive("audit", previous, json.dumps(record, sort_keys=True)).hex()


def by_operator(act: Act, clock: Clock) -> Entry:
    """A record of what was done on the command line, where nobody says who they are."""
    occasion = f"{COMMAND_LINE}:{secrets.token_hex(8)}"
    return _entry(occasion, act, int(clock.now()), who="operator", user="", origin=COMMAND_LINE, result=DONE)


def _entry(occasion: str, act: Act, at: int, *, who: str, user: str, origin: str, result: str) -> Entry:
    body = {
        "at": at,
        "who": _plain(who),
        "user": user,
        "what": act.what,
        "about": {name: _plain(value) for name, value in act.about.items() if value != ""},
        "from": origin,
        "result": result,
    }
    return Entry(f"audit:{occasion}", LANE, "audit", body)


def record_of(stored: Stored) -> Json:
    """Also of one that is not chained yet."""
    return stored.result if stored.state == "done" else stored.entry.body


def _quoted(value: str | int) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def _matches(record: Json, words: Sequence[str]) -> bool:
    text = f"{record['who']} {Audit.said(record)} {record['from']} {record['result']}".casefold()
    return all(word.casefold() in text for word in words)


def _plain(value: str | int) -> str | int:
    return masked(" ".join(value.split()))[:_LONGEST] if isinstance(value, str) else value
