"""`python -m tests.bench`: a table, each row a ratio within this run. `--quick` in three minutes, else some ten."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from tests.bench import relay, storage, webhooks
from tests.bench.machine import load_average, machine
from tests.bench.table import HEAD, Row

Part = Callable[[bool], Awaitable[list[Row]]]
PARTS: dict[str, Part] = {
    "webhooks": lambda quick: webhooks.rows(3, 2, patience=0) if quick else webhooks.rows(7, 5, patience=31),
    "relay": lambda quick: relay.rows(turns=1 if quick else 3, messages=600 if quick else 3000),
    "storage": lambda quick: (
        storage.rows(100_000, waiting=10_000) if quick else storage.rows(1_000_000, waiting=100_000)
    ),
    "memory": lambda quick: storage.memory(people=500 if quick else 2_000, messages=2_000 if quick else 50_000),
}


async def bench(parts: list[str], quick: bool) -> list[Row]:
    found = []
    began = time.monotonic()
    print(f"{machine()}; load average at the start {load_average()}", end="\n\n")
    print(HEAD, flush=True)
    for name in parts:
        for row in await PARTS[name](quick):
            print(row, flush=True)
            found.append(row)
    print(f"\nAfter {(time.monotonic() - began) / 60:.0f} minutes; load average at the end {load_average()}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which (default: all)")
    parser.add_argument("--quick", action="store_true", help="shorter runs and smaller stores")
    chosen = parser.parse_args()
    found = asyncio.run(bench(chosen.parts or list(PARTS), chosen.quick))
    return 1 if any(row.ok is False for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
