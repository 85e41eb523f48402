"""What PostgreSQL holds of a customer: found for an export, and erased, beside running bots.

What goes is dead to every query at once; its place is overwritten after the next vacuum, which PostgreSQL does itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.ports import Belongings, Erased, Stored
from bot.storage import journal_person as persons
from bot.storage import journal_postgres_tables as tables
from bot.storage.journal_person import SHARED, Derive, Whose, key_after
from bot.storage.journal_rows import pair_of, plain, stored_of

if TYPE_CHECKING:
    from bot.storage.postgres import Db

_NAMES, _ROOMS, _PAIRS, _CONVERSATIONS = (
    persons.in_postgres(query) for query in (persons.NAMES, persons.ROOMS, persons.PAIRS, persons.CONVERSATIONS)
)
_ENTRIES = persons.ENTRIES.replace(":after", "$1::bigint").replace(":most", "$2::bigint")


async def belongings(db: Db, person: str) -> Belongings:
    whose = await _whose(db, person)
    conversations = await db.fetch(_CONVERSATIONS, list(whose.names))
    marks = whose.marks(await db.fetch(persons.MARKS))
    return persons.belongings(whose, conversations, marks, await _entries(db, whose))


async def erase(db: Db, person: str, now: float, derive: Derive) -> Erased:
    whose = await _whose(db, person)
    found = await _entries(db, whose)
    gone = 0
    for one in sorted(found, key=lambda one: (one.entry.lane, one.entry.seq)):
        key = key_after(one.entry, derive) if whose.in_text(one.entry.key) else one.entry.key
        if one.state == "done" or one.entry.kind not in SHARED:
            gone += await _forget(db, one, now, key=key)
    marks = whose.marks(await db.fetch(persons.MARKS))
    await db.execute("DELETE FROM marks WHERE name = ANY ($1::text[])", [name for name, _ in marks])
    names = list(whose.names)
    pairs, rooms, conversations = [
        len(await db.fetch(f"DELETE FROM {table} WHERE contact = ANY ($1::text[]) RETURNING 1", names))  # noqa: S608 - our own names
        for table in ("pairs", "rooms", "conversations")
    ]
    return Erased(conversations, rooms, pairs, len(marks), gone, len(found) - gone)


async def _whose(db: Db, person: str) -> Whose:
    names = persons.names_of(person, await db.fetch(_NAMES, person))
    rooms = [str(row["room"]) for row in await db.fetch(_ROOMS, names)]
    return Whose(names, rooms, [pair_of(row) for row in await db.fetch(_PAIRS, names)])


async def _entries(db: Db, whose: Whose) -> list[Stored]:
    found, last = [], 0
    while rows := await db.fetch(_ENTRIES, last, persons.PAGE):
        last = rows[-1]["seq"]
        for row in rows:
            stored = stored_of(row)
            if whose.has(stored, row["body"] or ""):
                found.append(stored)
    return found


async def _forget(db: Db, stored: Stored, now: float, *, key: str) -> bool:
    """False: a bot works on it in this moment, or it has changed since it was looked at."""
    entry, lane = stored.entry, plain(stored.entry.lane)
    if stored.state == "waiting":
        row = await db.fetchrow("SELECT held FROM lanes WHERE lane = $1 FOR UPDATE", lane)
        if row is not None and row["held"] == entry.seq:
            return False
    changed = await db.fetch(
        "UPDATE entries SET state = 'done', lane = '', body = NULL, begun = false, tries = 0, confirming = false, "
        "due = 0, steps = '{}', why = '', result = '{}', closed_at = $2, key = $3 "
        "WHERE seq = $1 AND state = $4 RETURNING 1",
        entry.seq, stored.closed_at or now, key, stored.state,
    )  # fmt: skip
    if changed and stored.state != "done":
        await tables.moved(db, stored.state, lane)
    return bool(changed)
