"""`python -m tests.bench`: a table, each row a ratio within this run, in some ten minutes.

`--quick` takes three; `--full` sends a million messages through the bot for its memory, which takes half an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from enum import Enum

from tests.bench import relay, storage, webhooks
from tests.bench.machine import load_average, machine
from tests.bench.table import HEAD, Row


class Size(Enum):
    QUICK, USUAL, FULL = range(3)


_MEMORY = {Size.QUICK: (500, 2_000), Size.USUAL: (10_000, 100_000), Size.FULL: (10_000, 1_000_000)}
"""(Open conversations, messages after that.)"""
Part = Callable[[Size], Awaitable[list[Row]]]
PARTS: dict[str, Part] = {
    "webhooks": lambda size: (
        webhooks.rows(3, 2, patience=0) if size is Size.QUICK else webhooks.rows(7, 5, patience=31)
    ),
    "relay": lambda size: (
        relay.rows(turns=1, messages=600) if size is Size.QUICK else relay.rows(turns=3, messages=3000)
    ),
    "storage": lambda size: (
        storage.rows(100_000, waiting=10_000) if size is Size.QUICK else storage.rows(1_000_000, waiting=100_000)
    ),
    "memory": lambda size: storage.memory(*_MEMORY[size]),
}


async def bench(parts: list[str], size: Size) -> list[Row]:
    found = []
    began = time.monotonic()
    print(f"{machine()}; load average at the start {load_average()}", end="\n\n")
    print(HEAD, flush=True)
    for name in parts:
        for row in await PARTS[name](size):
            print(row, flush=True)
            found.append(row)
    print(f"\nAfter {(time.monotonic() - began) / 60:.0f} minutes; load average at the end {load_average()}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which (default: all)")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        "--quick", dest="size", action="store_const", const=Size.QUICK, help="shorter runs and smaller stores"
    )
    sizes.add_argument(
        "--full", dest="size", action="store_const", const=Size.FULL, help="memory after a million messages too"
    )
    parser.set_defaults(size=Size.USUAL)
    chosen = parser.parse_args()
    found = asyncio.run(bench(chosen.parts or list(PARTS), chosen.size))
    return 1 if any(row.ok is False for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
