"""The process of `instant` as the rows hold it: started between the bot and the simulators."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from bot.stage import Stage
from tests.bench.machine import ROOT, on_core


class Instant:
    """The process that answers at once."""

    def __init__(self) -> None:
        self._url = ""

    @asynccontextmanager
    async def before(self, stage: Stage) -> AsyncIterator[None]:
        """Between the bot, which is not started yet, and the simulators."""
        command = (sys.executable, "-m", "tests.bench.instant", stage.rc.url, stage.wa.url)
        with on_core(bot=False):
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        try:
            rocketchat, dialog360 = (await asyncio.wait_for(process.stdout.readline(), 60)).split()
            self._url = f"http://127.0.0.1:{int(rocketchat)}"
            settings = stage.settings
            stage.settings = stage.program.settings = settings.model_copy(
                update={
                    "rocketchat": settings.rocketchat.model_copy(update={"url": self._url}),
                    "dialog360": settings.dialog360.model_copy(
                        update={"base_url": f"http://127.0.0.1:{int(dialog360)}"}
                    ),
                }
            )
            yield
        finally:
            process.kill()
            await process.wait()

    async def begin(self) -> None:
        async with aiohttp.ClientSession() as http, http.post(f"{self._url}/bench/begin") as answer:
            answer.raise_for_status()

    async def counts(self) -> dict[str, int]:
        async with aiohttp.ClientSession() as http, http.get(f"{self._url}/bench/counts") as answer:
            found: dict[str, int] = await answer.json()
            return found

    async def until(self, reached: Callable[[Mapping[str, int]], bool]) -> Mapping[str, int]:
        """Asked some twenty times a second."""
        async with asyncio.timeout(3600):
            while not reached(now := await self.counts()):  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.05)
        return now

    async def agents_write(self, messages: int, *, statuses: bool) -> None:
        order = {"count": messages, "statuses": statuses}
        async with aiohttp.ClientSession() as http, http.post(f"{self._url}/bench/agents", json=order) as answer:
            answer.raise_for_status()
