"""`python -m bot run`: the bot itself."""

from __future__ import annotations

from bot import app
from bot.cli.subcommand import Options, Subcommand, settings


async def _run(options: Options) -> int:
    return await app.run(settings(options))


RUN = Subcommand(
    name="run", help="start the bot", description="Starts the bot and runs until stopped.", act=_run, log_level="INFO"
)
