"""`python -m tests.bench`: prints a table, each row a ratio within this run. `--quick` in a minute, else some ten."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from tests.bench import relay, storage, webhooks
from tests.bench.table import HEAD, Row

Part = Callable[[bool], Awaitable[list[Row]]]
PARTS: dict[str, Part] = {
    "webhooks": lambda quick: webhooks.rows(turns=3 if quick else 7, seconds=2 if quick else 5),
    "relay": lambda quick: relay.rows(turns=1 if quick else 3, messages=600 if quick else 3000),
    "storage": lambda quick: (
        storage.rows(100_000, waiting=10_000) if quick else storage.rows(1_000_000, waiting=100_000)
    ),
    "memory": lambda quick: storage.memory(people=500 if quick else 10_000, messages=2_000 if quick else 100_000),
}


async def bench(parts: list[str], quick: bool) -> list[Row]:
    found = []
    print(HEAD, flush=True)
    for name in parts:
        for row in await PARTS[name](quick):
            print(row, flush=True)
            found.append(row)
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
