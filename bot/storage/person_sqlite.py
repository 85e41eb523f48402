"""What SQLite holds of a customer: found for an export, and erased. Synchronous.

`secure_delete` is on (`journal_schema`), so what goes is overwritten in the file; the write-ahead log is folded in and
removed when the journal is closed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from bot.ports import Belongings, Erased, Stored
from bot.storage import journal_person as persons
from bot.storage.journal_person import SHARED, Derive, Whose, key_after
from bot.storage.journal_rows import pair_of, stored_of
from bot.storage.journal_tables import show_head


def belongings(db: sqlite3.Connection, person: str) -> Belongings:
    whose = _whose(db, person)
    conversations = db.execute(persons.CONVERSATIONS, {"names": json.dumps(whose.names)})
    return persons.belongings(whose, conversations, whose.marks(db.execute(persons.MARKS)), _entries(db, whose))


def erase(db: sqlite3.Connection, person: str, now: float, derive: Derive) -> Erased:
    whose = _whose(db, person)
    names = json.dumps(whose.names)
    found = list(_entries(db, whose))
    busy = [one for one in found if one.state != "done" and one.entry.kind in SHARED]
    for one in found:
        if one not in busy:
            tells = whose.in_text(one.entry.key)
            _forget(db, one, now, key=key_after(one.entry, derive) if tells else one.entry.key)
    marks = whose.marks(db.execute(persons.MARKS))
    db.executemany("DELETE FROM marks WHERE name = ?", [(name,) for name, _ in marks])
    gone = [
        db.execute(f"DELETE FROM {table} WHERE contact IN (SELECT value FROM json_each(?))", (names,)).rowcount  # noqa: S608 - our own names
        for table in ("pairs", "rooms", "conversations")
    ]
    return Erased(gone[2], gone[1], gone[0], len(marks), len(found) - len(busy), len(busy))


def _whose(db: sqlite3.Connection, person: str) -> Whose:
    names = persons.names_of(person, db.execute(persons.NAMES, {"person": person}))
    listed = {"names": json.dumps(names)}
    rooms = [str(row["room"]) for row in db.execute(persons.ROOMS, listed)]
    return Whose(names, rooms, [pair_of(row) for row in db.execute(persons.PAIRS, listed)])


def _entries(db: sqlite3.Connection, whose: Whose) -> Iterator[Stored]:
    last = 0
    while rows := db.execute(persons.ENTRIES, {"after": last, "most": persons.PAGE}).fetchall():
        last = rows[-1]["seq"]
        for row in rows:
            stored = stored_of(row)
            if whose.has(stored, row["body"] or ""):
                yield stored


def _forget(db: sqlite3.Connection, stored: Stored, now: float, *, key: str) -> None:
    entry = stored.entry
    db.execute(
        "UPDATE entries SET state = 'done', lane = '', body = NULL, begun = 0, tries = 0, confirming = 0, due = 0, "
        "steps = '{}', why = '', result = '{}', closed_at = max(closed_at, ?), key = ? WHERE seq = ?",
        (stored.closed_at or now, key, entry.seq),
    )
    if stored.state == "waiting":
        show_head(db, entry.lane)
