"""One bot that lives again and again: as `bot.stage.Program`, but quickly born, and able to die at a chosen moment."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.config import Settings
from bot.stage import Program, config_text

ROOT = Path(__file__).parents[2]
TRANSITIONS = ("append", "heads", "progress", "done", "again", "park", "confirm", "remember", "set_mark", "put_session")
"""Everything that the journal commits, and the step of a form."""
RARE = ("again", "park", "confirm", "set_mark", "remember", "put_session")
_LATEST = 12
_PATIENCE = 10
"""Times `bot.stage.TIMEOUT`."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a life ends. Without a method: whenever somebody kills it."""

    method: str = ""
    nth: int = 1
    when: str = ""

    def __str__(self) -> str:
        return f"{self.when} {self.method}" if self.method else "at any moment"


def deaths(chance: random.Random, kills: int) -> list[Death]:
    """A schedule: every transition, before and after, in turn; and as often at any moment."""
    found: list[Death] = []
    while len(found) < kills:
        planned = [
            Death(method, 1 if method in RARE else chance.randint(1, _LATEST), when)
            for method in TRANSITIONS
            for when in ("before", "after")
        ]
        round = planned + [Death()] * len(planned)
        chance.shuffle(round)
        found += round
    return found[:kills]


class Lives(Program):
    """Start it with how it shall end; `dead` is set once it has ended, in whichever way."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession, confirm_after: float) -> None:
        super().__init__(settings, http)
        self.confirm_after = confirm_after
        self.config = settings.storage.data_dir.with_suffix(".toml")
        self.log = settings.storage.data_dir.with_suffix(".log")
        self.dead = asyncio.Event()
        self.dead.set()
        self.code = 0
        self._pid = 0
        self._launcher: Process | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._born = asyncio.Event()

    async def start(self, death: Death | None = None) -> None:
        """Waits until it is ready, or dead because its moment came before that."""
        await self.begin(death or Death())
        dead = asyncio.ensure_future(self.dead.wait())
        alive = asyncio.ensure_future(self.alive())
        try:
            await asyncio.wait((dead, alive), return_when=asyncio.FIRST_COMPLETED)
            if not dead.done():
                alive.result()
            elif self.code != -signal.SIGKILL:
                raise RuntimeError(f"the bot ended by itself with {self.code}: {self.log.read_text()[-2000:]}")
        finally:
            for task in (dead, alive):
                task.cancel()
            await asyncio.gather(dead, alive, return_exceptions=True)

    async def begin(self, death: Death) -> None:
        """The process is born; it is not ready yet."""
        assert self.dead.is_set(), "one life at a time"
        if self._launcher is None:
            self.config.write_text(config_text(self.settings), encoding="utf-8")
            self._launcher = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.crash.launcher", stdin=PIPE, stdout=PIPE, cwd=ROOT
            )
            self._hearing = asyncio.create_task(self._hear(self._launcher))
        life: dict[str, Any] = {"config": str(self.config), "log": str(self.log), "confirm_after": self.confirm_after}
        if death.method:
            life["at"] = {"method": death.method, "nth": death.nth, "when": death.when}
        self.dead.clear()
        self._born.clear()
        assert self._launcher.stdin is not None
        self._launcher.stdin.write(json.dumps(life).encode() + b"\n")
        await self._born.wait()

    async def alive(self) -> None:
        """As for every program, but with patience: it may have much to catch up with, on a machine that is busy."""
        for _ in range(_PATIENCE - 1):
            with suppress(TimeoutError):
                return await super().alive()
        await super().alive()

    async def kill(self) -> None:
        """Signal 9, unless it has died already; the launcher stays."""
        if not self.dead.is_set():
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            await self.dead.wait()

    async def close(self) -> None:
        await self.kill()
        if self._launcher is not None and self._hearing is not None:
            assert self._launcher.stdin is not None
            self._launcher.stdin.close()
            await self._launcher.wait()
            await self._hearing

    async def _hear(self, launcher: Process) -> None:
        assert launcher.stdout is not None
        async for line in launcher.stdout:
            match line.decode().split():
                case ["born", pid]:
                    self._pid = int(pid)
                    self._born.set()
                case ["ended", _, code]:
                    self.code = int(code)
                    self.dead.set()
