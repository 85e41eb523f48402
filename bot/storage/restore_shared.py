"""A dump that was put back into PostgreSQL, before bots go on with it: as `restore` does with a backup of one bot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bot.config import Storage
from bot.errors import SENT_SINCE
from bot.relay.listener import FLOOR
from bot.storage import journal_postgres_tables as tables
from bot.storage import postgres_memory as memory
from bot.storage.files import StorageError
from bot.storage.postgres import Database
from bot.storage.postgres_origin import accept_origin
from bot.storage.restore import HELD_BACK
from bot.storage.secrets import Vault

if TYPE_CHECKING:
    from bot.storage.postgres import Db

_WHY = f"it waited in the dump that was put back and {SENT_SINCE}"


async def restore_shared(config: Storage, *, lost_at: float, unchanged: bool = False) -> int:
    """How many entries are dead letters now because they may have been sent since. `lost_at`: unix seconds at which the
    last bot ended that wrote these tables.

    Raises StorageError, also while bots use the database; then nothing was changed."""
    async with Database(config.database_url.get_secret_value(), Vault(config.key_file), put_back=True) as database:
        presence = database.presence

        async def go_on(db: Db) -> int:
            if others := await presence.alive(db) - {presence.number}:
                raise StorageError(f"{len(others)} bot(s) use the database {database.where}. Stop them first.")
            held_back = await tables.hold_back(db, () if unchanged else HELD_BACK, _WHY, time.time())
            if not unchanged:
                await memory.set_mark(db, FLOOR, str(lost_at), forward=False)
            await accept_origin(db)
            return held_back

        return await database.transact(go_on)
