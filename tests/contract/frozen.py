"""A bot that a test freezes and lets go on: `python -m tests.contract.frozen URL KEY`.

It takes one entry, enters `alone` and begins a transaction that stores another one: `taken KEY` on stdout. After a line
on stdin it goes on: `lost` when it may not go on with what it took, `ours` when it may.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bot.ports import Step
from bot.storage import journal_postgres_tables as tables
from bot.storage.journal_postgres import HoldLost
from tests.contract.bots import bot_on
from tests.contract.journals import entry

if TYPE_CHECKING:
    from bot.storage.postgres import Db


async def main(url: str, key: Path) -> None:
    async with bot_on(url, key) as bot:
        [one] = await bot.journal.heads(1)
        async with bot.database.alone("somebody"):
            tried = False

            async def half(db: Db) -> None:
                nonlocal tried
                await tables.append(db, [tables.row_of(entry("half", "other"), 1.0)])
                if not tried:
                    tried = True
                    say(f"taken {one.key}")
                    await asyncio.to_thread(sys.stdin.readline)

            await bot.database.transact(half)
            try:
                await bot.journal.progress(one, 0, Step("handed"))
            except HoldLost:
                say("lost")
            else:
                say("ours")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
