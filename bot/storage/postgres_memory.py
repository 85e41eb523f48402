"""What the journal in PostgreSQL keeps besides its entries: conversations with their rooms, message pairs, marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.model import Pair
from bot.storage.journal_rows import pair_values, plain, without_nul
from bot.storage.journal_tables import Sealed

if TYPE_CHECKING:
    from bot.storage.postgres import Db


async def record_pair(db: Db, pair: Pair) -> None:
    """A state that is known is not lost to a pair that comes without one, nor where the message stands."""
    values = [without_nul(value) if isinstance(value, str) else value for value in pair_values(pair)]
    values[5] = pair.outbound
    await db.execute(
        "INSERT INTO pairs (wamid, message, room, number, contact, outbound, entry, state, state_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (wamid) DO UPDATE SET "
        "message = CASE excluded.message WHEN '' THEN pairs.message ELSE excluded.message END, "
        "room = CASE excluded.message WHEN '' THEN pairs.room ELSE excluded.room END, "
        "number = excluded.number, contact = excluded.contact, outbound = excluded.outbound, entry = excluded.entry, "
        "state = CASE excluded.state WHEN '' THEN pairs.state ELSE excluded.state END, "
        "state_at = CASE excluded.state WHEN '' THEN pairs.state_at ELSE excluded.state_at END",
        *values,
    )


async def remember(db: Db, sealed: Sealed) -> None:
    one = sealed.conversation
    names = (one.number, one.contact, sealed.token, one.room, one.phone, one.user_id, one.name)
    number, contact, token, room, phone, user_id, name = (None if v is None else without_nul(v) for v in names)
    await db.execute(
        "INSERT INTO conversations AS known "
        "(number, contact, token, token_hash, room, phone, user_id, name, last_inbound_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (number, contact) DO UPDATE SET "
        "token = CASE known.token_hash WHEN excluded.token_hash THEN known.token ELSE excluded.token END, "
        "token_hash = excluded.token_hash, room = excluded.room, phone = excluded.phone, "
        "user_id = excluded.user_id, name = excluded.name, "
        "last_inbound_at = greatest(known.last_inbound_at, excluded.last_inbound_at)",
        number, contact, token, sealed.token_hash, room, phone, user_id, name, one.last_inbound_at,
    )  # fmt: skip
    if room is not None:
        await db.execute(
            "INSERT INTO rooms AS known VALUES ($1, $2, $3) ON CONFLICT (room) DO UPDATE SET number = $2, contact = $3 "
            "WHERE (known.number, known.contact) <> ($2, $3)",
            room, number, contact,
        )  # fmt: skip


MARKS = "SELECT name, value FROM marks WHERE name > $1 AND name < $2 ORDER BY name LIMIT $3"


async def set_mark(db: Db, name: str, value: str, *, forward: bool) -> None:
    if not value:
        await db.execute("DELETE FROM marks WHERE name = $1", plain(name))
        return
    await db.execute(
        "INSERT INTO marks AS known VALUES ($1, $2::text) ON CONFLICT (name) DO UPDATE SET value = $2::text "
        "WHERE NOT $3::boolean OR known.value::double precision < $2::text::double precision",
        plain(name), plain(value), forward,
    )  # fmt: skip
