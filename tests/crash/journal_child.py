"""A small program that appends to a journal and works on it, and says each thing after it was acknowledged.

`python -m tests.crash.journal_child FOLDER SEED`. Lines on stdout: `new KEY` (its append was acknowledged), `take KEY`
(got from `heads`), `handed KEY`, `put back KEY`, `done KEY`, and `all` at the end. Every run appends the
same keys in the same order, as a sender does who repeats what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from pathlib import Path

from bot.ports import Entry, Journal, Outcome, Step
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault

SENDERS, EACH = 8, 60


class RealClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def send(journal: Journal, sender: int) -> None:
    for number in range(EACH):
        key = f"{sender}-{number}"
        await journal.append(Entry(key, f"lane {sender}", "wa.message", {"number": number}, at_ms=number))
        say(f"new {key}")


async def work(journal: Journal, entry: Entry, chance: random.Random) -> None:
    say(f"take {entry.key}")
    if chance.random() < 0.3 and not entry.steps:
        await journal.progress(entry, 0, Step("handed"))
        say(f"handed {entry.key}")
    if chance.random() < 0.2:
        await journal.again(entry, 0.001, "busy", confirm=True)
        say(f"put back {entry.key}")
        return
    await journal.done(entry, Outcome({"key": entry.key}))
    say(f"done {entry.key}")


async def main(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with (
        SqliteJournal(folder, Vault(folder / "secret.key"), RealClock()) as journal,
        asyncio.TaskGroup() as tasks,
    ):
        for sender in range(SENDERS):
            tasks.create_task(send(journal, sender))
        while (await journal.counts())["done"] < SENDERS * EACH:
            for entry in await journal.heads(4):
                tasks.create_task(work(journal, entry, chance))
            await journal.wait(1)
    say("all")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
