"""`python -m bot run`: the bot itself."""

from __future__ import annotations

import gc

from bot import app
from bot.cli.subcommand import Options, Subcommand, settings

_YOUNG = 10_000
"""Objects that are made before the garbage among them is looked for. A webhook makes some hundred and leaves no cycles:
Python's 700 would look a few times for each dozen of them."""


async def _run(options: Options) -> int:
    gc.freeze()  # what was imported stays for good, and is not looked through again and again
    gc.set_threshold(_YOUNG, 20, 20)
    return await app.run(settings(options))


RUN = Subcommand(
    name="run", help="start the bot", description="Starts the bot and runs until stopped.", act=_run, log_level="INFO"
)
