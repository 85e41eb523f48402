"""The command line: `python -m bot --help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from bot import __doc__ as about
from bot import app, demo
from bot.config import ConfigError, load


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level or options.usual_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        return int(asyncio.run(options.act(options)))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description=(about or "").split("\n\n", maxsplit=1)[0],
        epilog="Start with `python -m bot demo`: it needs no account and nothing installed besides.",
    )
    parser.add_argument("--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    parser.set_defaults(usual_level="WARNING")
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", help="start the bot", description="Starts the bot and runs until stopped.")
    _config(run)
    run.set_defaults(act=_run, usual_level="INFO")

    show = commands.add_parser(
        "demo",
        help="see it work without any account",
        description="Starts a small Rocket.Chat, a small 360Dialog and the bot on this machine; prints one address.",
    )
    how = show.add_mutually_exclusive_group()
    how.add_argument("--script", action="store_true", help="play the story in the terminal instead, then end")
    how.add_argument(
        "--replay", nargs="+", type=Path, metavar="FILE",
        help="feed recorded webhook bodies (JSON) through the real webhook edge and print what the agent sees",
    )  # fmt: skip
    show.add_argument("--port", type=int, default=0, help="port of the demo page (default: any free one)")
    show.set_defaults(act=_demo)

    dead = commands.add_parser(
        "dead",
        help="list messages that could not be delivered, or try them again",
        description="Lists dead letters: what was kept because it could not be delivered, and why.",
    )
    _config(dead)
    dead.add_argument("--retry", nargs="+", metavar="KEY", help="let these wait again (`all` for every one)")
    dead.set_defaults(act=_dead)
    return parser


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="configuration file, see config.example.toml (default: environment variables WA360D_… only)",
    )  # fmt: skip


async def _run(options: argparse.Namespace) -> int:
    return await app.run(load(options.config))


async def _demo(options: argparse.Namespace) -> int:
    if options.replay:
        return await demo.replay(options.replay)
    return await (demo.script() if options.script else demo.page(options.port))


async def _dead(options: argparse.Namespace) -> int:
    """Works on the stopped bot's journal: a running one holds the folder, and says so."""
    async with app.stored(load(options.config)) as journal:
        letters = await journal.dead(limit=1000)
        wanted = {letter.entry.key for letter in letters} if options.retry == ["all"] else set(options.retry or ())
        for letter in letters:
            when = datetime.fromtimestamp(letter.closed_at, UTC).strftime("%Y-%m-%d %H:%M")
            again = letter.entry.key in wanted and await journal.retry(letter.entry.key)
            print(f"{when}  {letter.entry.key}  {letter.why}{'  → waits again' if again else ''}")
        if not letters:
            print("No dead letters: everything that entered was delivered or still waits.")
        unknown = wanted - {letter.entry.key for letter in letters}
        for key in sorted(unknown):
            print(f"There is no dead letter {key}.", file=sys.stderr)
        return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
