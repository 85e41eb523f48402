"""Which rows belong to a customer: by every name they are known under, on every number.

A customer is found by phone digits or user id in `conversations`; message pairs and rooms carry the contact id; the
lane of what waits or is dead ends with one of the customer's names or rooms. The queries take lists: JSON in SQLite,
arrays in PostgreSQL. None of them walks through what is done.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.storage.journal_rows import Row

NAMES = """
    SELECT contact, phone, user_id FROM conversations WHERE contact = ?1
    UNION SELECT contact, phone, user_id FROM conversations WHERE phone = '+' || ?1 AND phone <> ''
    UNION SELECT contact, phone, user_id FROM conversations WHERE user_id = ?1 AND user_id <> ''
"""
ROOMS = "SELECT room FROM rooms WHERE contact IN (SELECT value FROM json_each(?1))"
LATEST = """
    SELECT * FROM entries WHERE seq IN (
        SELECT e.seq FROM pairs p JOIN entries e ON e.key = p.entry
            WHERE p.contact IN (SELECT value FROM json_each(?1))
        UNION SELECT e.seq FROM lanes l JOIN json_each(?2) AS t ON substr(l.lane, -length(t.value)) = t.value
            JOIN entries e ON e.lane = l.lane AND e.state = 'waiting'
        UNION SELECT e.seq FROM entries e JOIN json_each(?2) AS t ON substr(e.lane, -length(t.value)) = t.value
            WHERE e.state = 'dead'
    ) ORDER BY seq DESC LIMIT ?3
"""


def in_postgres(query: str) -> str:
    """The same query for PostgreSQL."""
    for old, new in (
        ("(SELECT value FROM json_each(?1))", "(SELECT unnest($1::text[]))"),
        ("json_each(?2) AS t", "unnest($2::text[]) AS t (value)"),
        ("substr(l.lane, -length(t.value))", "right(l.lane, length(t.value))"),
        ("substr(e.lane, -length(t.value))", "right(e.lane, length(t.value))"),
        ("?1", "$1::text"),
        ("?3", "$3"),
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
