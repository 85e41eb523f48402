"""Which rows belong to a customer: by every name they are known under, on every number.

A customer is found by phone digits or user id in `conversations`; message pairs and rooms carry the contact id; the
lane of what waits or is dead ends with one of the customer's names or rooms. The queries take lists: JSON in SQLite,
arrays in PostgreSQL. None of them walks through what is done.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.model import Pair
from bot.ports import Belongings, Entry, Stored
from bot.storage.journal_rows import Row

NAMES = """
    SELECT contact, phone, user_id FROM conversations WHERE contact = :person
    UNION SELECT contact, phone, user_id FROM conversations WHERE phone = '+' || :person AND phone <> ''
    UNION SELECT contact, phone, user_id FROM conversations WHERE user_id = :person AND user_id <> ''
"""
ROOMS = "SELECT room FROM rooms WHERE contact IN (SELECT value FROM json_each(:names))"
LATEST = """
    SELECT * FROM entries WHERE seq IN (
        SELECT e.seq FROM pairs p JOIN entries e ON e.key = p.entry
            WHERE p.contact IN (SELECT value FROM json_each(:names))
        UNION SELECT e.seq FROM lanes l JOIN json_each(:tails) AS t ON substr(l.lane, -length(t.value)) = t.value
            JOIN entries e ON e.lane = l.lane AND e.state = 'waiting'
        UNION SELECT e.seq FROM entries e JOIN json_each(:tails) AS t ON substr(e.lane, -length(t.value)) = t.value
            WHERE e.state = 'dead'
    ) ORDER BY seq DESC LIMIT :most
"""


def in_postgres(query: str) -> str:
    """The same query for PostgreSQL."""
    for old, new in (
        ("(SELECT value FROM json_each(:names))", "(SELECT unnest($1::text[]))"),
        ("json_each(:tails) AS t", "unnest($2::text[]) AS t (value)"),
        ("substr(l.lane, -length(t.value))", "right(l.lane, length(t.value))"),
        ("substr(e.lane, -length(t.value))", "right(e.lane, length(t.value))"),
        (":person", "$1::text"),
        (":most", "$3"),
    ):
        query = query.replace(old, new)
    return query


def names_of(person: str, rows: Iterable[Row]) -> list[str]:
    """The person's contact ids, phone digits and user ids."""
    found = {person}
    for row in rows:
        found |= {row["contact"], row["phone"].removeprefix("+"), row["user_id"]}
    return sorted(found - {""})


def tails_of(names: Iterable[str], rooms: Iterable[Row]) -> list[str]:
    """What the lanes of a person's entries end with."""
    return [f":{name}" for name in (*names, *(row["room"] for row in rooms))]


# --- everything that is stored of a person --------------------------------------------------------------------------

PAIRS = "SELECT * FROM pairs WHERE contact IN (SELECT value FROM json_each(:names))"
CONVERSATIONS = "SELECT * FROM conversations WHERE contact IN (SELECT value FROM json_each(:names))"
MARKS = "SELECT name, value FROM marks"
ENTRIES = "SELECT * FROM entries WHERE seq > :after AND kind <> 'audit' ORDER BY seq LIMIT :most"
"""Everything, in pages: only who exports or erases walks so far. The audit log names no customer."""
PAGE = 5000
SHARED = ("template.order", "template.report")
"""Entries that name many people: nobody's alone to erase. They are done within minutes, and their bodies go then."""
_OF_A_LANE = "wa.message", "wa.media", "rc.message", "rc.closed", "rc.edited", "rc.reaction", "template.send"
"""Entries that belong to whoever's lane they are in, whomever they mention."""
Derive = Callable[[str, str], bytes]
"""`Vault.derive`: of a purpose and a text."""
_KNOWN = "erased:"
KNOWN_KEYS = "SELECT key FROM entries WHERE key >= 'erased:' AND key < 'erased;' AND closed_at > ?"
REDELIVERED = 30 * 86400.0
"""360Dialog delivers again for seven days; the hashes of what was closed longer ago are not looked at any more."""
_WAMID = re.compile(r"wamid\.([A-Za-z0-9+/_-]+)=*")


@dataclass(frozen=True)
class Whose:
    """By what a person's rows are known."""

    names: Sequence[str]
    rooms: Sequence[str]
    pairs: Sequence[Pair]

    @cached_property
    def _tails(self) -> tuple[str, ...]:
        return tuple(f":{name}" for name in (*self.names, *self.rooms))

    @cached_property
    def _word(self) -> re.Pattern[str]:
        names = sorted(map(re.escape, self.names), key=len, reverse=True)
        return re.compile(rf"(?<![\w.])(?:{'|'.join(names)})(?![\w])")

    @cached_property
    def _wamids(self) -> frozenset[str]:
        return frozenset(pair.wamid for pair in self.pairs)

    @cached_property
    def _made(self) -> frozenset[str]:
        return frozenset(pair.entry for pair in self.pairs)

    def in_text(self, text: str) -> bool:
        """It holds one of the names as a word, or the id of a message with this person: that holds the number too."""
        return bool(self._word.search(text)) or any(
            found[0] in self._wamids or any(name in _read(found[1]) for name in self.names)
            for found in _WAMID.finditer(text)
        )

    def has(self, stored: Stored, text: str) -> bool:
        """The entry is about this person; `text` is its body as it is stored, or empty."""
        entry = stored.entry
        if stored.state != "done" and entry.lane.endswith(self._tails):
            return True
        if entry.key in self._made or self.in_text(entry.key):
            return True
        return bool(text) and entry.kind not in _OF_A_LANE and self.in_text(text)

    def marks(self, rows: Iterable[Row]) -> list[tuple[str, str]]:
        found = ((str(row["name"]), str(row["value"])) for row in rows)
        return [(name, value) for name, value in found if self.in_text(name) or self.in_text(value)]


def known_as(entry: Entry, derive: Derive) -> str:
    """What the key of an erased webhook is kept as: whoever has the key finds it again, and nobody else reads it."""
    return f"{_KNOWN}{derive('erased key', entry.key).hex()[:32]}" if entry.kind.startswith("wa.") else ""


def key_after(entry: Entry, derive: Derive) -> str:
    """Of an erased entry whose key tells whom it was about."""
    return known_as(entry, derive) or f"{_KNOWN}{entry.seq}"


def belongings(
    whose: Whose, conversations: Iterable[Row], marks: Iterable[tuple[str, str]], entries: Iterable[Stored]
) -> Belongings:
    shown = ("number", "contact", "phone", "user_id", "name", "room", "last_inbound_at")
    return Belongings(
        names=tuple(whose.names),
        conversations=tuple({column: row[column] for column in shown} for row in conversations),
        rooms=tuple(whose.rooms),
        pairs=tuple(whose.pairs),
        marks=dict(marks),
        entries=tuple(entries),
    )


def _read(part: str) -> str:
    """What is written inside a WhatsApp message id: base64 of bytes with the customer's number among them."""
    try:
        return base64.b64decode(part.replace("-", "+").replace("_", "/") + "==").decode("latin-1")
    except ValueError:
        return ""
