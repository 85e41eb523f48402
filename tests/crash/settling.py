"""After the last kill: until nothing is on its way any more."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence

from bot.stage import Stage
from tests.crash.model import missing
from tests.crash.people import Talk

_SETTLE = 120.0


async def settle(stage: Stage, talks: Sequence[Talk], rooms: Sequence[str]) -> None:
    """Until everything that was written was seen or told, and nothing is on its way any more; or time is over."""
    until = time.monotonic() + _SETTLE
    while time.monotonic() < until:
        if not any(missing(stage, talk, rooms) for talk in talks):
            break
        await asyncio.sleep(0.5)
    await stage.wa.settled(timeout=60)
    while time.monotonic() < until + 30 and await waiting(stage) > 0:  # noqa: ASYNC110 - a process
        await asyncio.sleep(0.2)


async def waiting(stage: Stage) -> int:
    """Entries that have something to do; a watch over a message waits for its time alone."""
    url = f"http://127.0.0.1:{stage.settings.server.port}"
    async with stage.http.get(f"{url}/metrics") as answer:
        found = re.findall(r'^wa360d_waiting_entries\{kind="([\w.]+)"\} (\d+)', await answer.text(), re.M)
    counted = {kind: int(n) for kind, n in found}
    del counted["late"]
    return sum(counted.values())
