"""Whether these are the tables that bots have worked with, or a dump of them that was put back.

A dump is a journey into the past: whoever went on with it would send again what was sent since, and WhatsApp cannot
recognise that. So one row notes by which transaction it was written (`xmin`) and the number of a table: a dump takes
along what it says, and a restore makes both anew. Physical copies are the same, and not noticed: a standby that takes
over, `pg_upgrade`, recovery to a point in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.storage.files import StorageError

if TYPE_CHECKING:
    from bot.storage.postgres import Db

_NOTE = """
    INSERT INTO about VALUES ('tables', (txid_current() % 4294967296)::text || ' ' || 'entries'::regclass::oid::text)
    ON CONFLICT (name) DO
"""
_SAME = "SELECT value = xmin::text || ' ' || 'entries'::regclass::oid::text FROM about WHERE name = 'tables'"


async def check_origin(db: Db, where: str) -> None:
    """Raises StorageError for tables that were put back from a dump, of which nobody has said what that means."""
    await db.execute(f"{_NOTE} NOTHING")
    if not await db.fetchval(_SAME):
        raise StorageError(
            f"The database {where} was put back from a dump. What was sent since the dump would be sent again. Say "
            "when the bots ended that wrote it (python -m bot restore --lost-at 2026-11-30T14:05), or that none has "
            "run since the dump (python -m bot restore --unchanged); then start again."
        )


async def accept_origin(db: Db) -> None:
    """These are the ones from now on. Within a transaction that is no part of another."""
    await db.execute(f"{_NOTE} UPDATE SET value = excluded.value")
