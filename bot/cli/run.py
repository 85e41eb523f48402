"""`python -m bot run`: the bot itself."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot import app
from bot.cli.subcommand import Options, Subcommand, settings

_YOUNG = 10_000
"""Objects that are made before the garbage among them is looked for. A webhook makes some hundred and leaves no cycles:
Python's 700 would look a few times for each dozen of them."""

HUNG = 60.0
"""Seconds of processor time without a turn of the event loop after which nothing will come any more."""


async def _run(options: Options) -> int:
    gc.freeze()  # what was imported stays for good, and is not looked through again and again
    gc.set_threshold(_YOUNG, 20, 20)
    async with ends_when_hung():
        return await app.run(settings(options))


@asynccontextmanager
async def ends_when_hung(after: float = HUNG) -> AsyncIterator[None]:
    """A loop that hangs answers no webhook and no signal, and whoever looks after the process sees it running.

    So the process ends itself by SIGPROF, having told on stderr where each thread stood (files and lines, no values),
    and is started again; the journal is made for that. The system watches, not a Python thread: it needs nothing of
    what hangs. It counts processor time, because by the clock a process that was stopped or starved for a while looks
    like one that hangs; one that waits for ever without working is not seen.
    """

    async def turns() -> None:
        while True:
            signal.setitimer(signal.ITIMER_PROF, after)
            await asyncio.sleep(after / 10)

    faulthandler.register(signal.SIGPROF, chain=True)
    turning = asyncio.create_task(turns())
    try:
        yield
    finally:
        turning.cancel()
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.unregister(signal.SIGPROF)


RUN = Subcommand(
    name="run", help="start the bot", description="Starts the bot and runs until stopped.", act=_run, log_level="INFO"
)
