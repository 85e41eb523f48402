"""Starts the real bot again and again, quickly, and lets it die at a chosen moment: `python -m tests.crash.launcher`.

Every line on stdin is one life, as JSON: `{"config": "bot.toml", "log": "bot.log", "confirm_after": 30, "at":
{"method": "done", "nth": 3, "when": "after"}}`; without `at` it lives until somebody kills it. Lines on stdout:
`born PID`, `ended PID CODE`.

Each life is a process of its own, forked from this one, which has imported everything and started nothing: that saves
the second and a half that Python needs to read the libraries. What runs in it is `bot.app` as it is; between it and its
journal stands `Mortal`, which knows no mercy: signal 9, so nothing is tidied up.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from bot import app
from bot.config import load
from bot.doors import Doors, open_doors
from bot.relay import retry


class Mortal:
    """A journal or registry whose process dies just before, or just after, the nth call of one of its methods.

    Its methods return when the disk has the change, so `after` is the moment right behind the commit.
    """

    def __init__(self, inner: object, method: str, nth: int, when: str) -> None:
        self._inner = inner
        self._method = method
        self._left = nth
        self._when = when

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._counted(found) if name == self._method else found

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            last = self._left == 0
            if last and self._when == "before":
                die()
            result = await call(*arguments, **named)
            if last:
                die()
            return result

        return counted


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_parent() -> None:
    """However the crash run ends, no bot stays behind (Linux: prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def live(life: dict[str, Any]) -> None:
    """The whole life of one bot; its last words, if it has time for any, go to the log."""
    die_with_parent()
    handle = os.open(life["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    logging.basicConfig(
        level=life.get("level", "INFO"), format=f"%(asctime)s {os.getpid()} %(levelname)s %(name)s: %(message)s"
    )
    retry.CONFIRM_AFTER = life["confirm_after"]
    at = life.get("at")
    if at:

        async def doors_with_a_mortal_journal(*given: Any, **named: Any) -> Doors:
            doors = await open_doors(*given, **named)
            place = "registry" if hasattr(doors.registry, at["method"]) else "journal"
            mortal = Mortal(getattr(doors, place), at["method"], at["nth"], at["when"])
            return replace(doors, **{place: cast("Any", mortal)})

        vars(app)[open_doors.__name__] = doors_with_a_mortal_journal
    asyncio.run(app.run(load(Path(life["config"]))))


def main() -> None:
    die_with_parent()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                live(json.loads(line))
                code = 0
            except BaseException:
                logging.exception("the bot ended")
            finally:
                os._exit(code)
        os.write(1, f"born {pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(1, f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
