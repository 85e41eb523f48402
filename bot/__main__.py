"""The command line: `python -m bot --help`. One line here for each subcommand; each has its own file in `bot/cli`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from types import ModuleType

from bot import __doc__ as about
from bot import logs
from bot.cli.audit import AUDIT
from bot.cli.backup import BACKUP, RESTORE
from bot.cli.contact import CONTACT
from bot.cli.dead import DEAD
from bot.cli.demo import DEMO
from bot.cli.doctor import DOCTOR
from bot.cli.keys import KEYS
from bot.cli.run import RUN
from bot.cli.subcommand import Options, Subcommand
from bot.cli.trace import TRACE
from bot.config import ConfigError

uvloop: ModuleType | None
try:
    import uvloop
except ImportError:  # there is none for Windows
    uvloop = None

SUBCOMMANDS = (
    RUN,
    DEMO,
    DOCTOR,
    TRACE,
    DEAD,
    BACKUP,
    RESTORE,
    CONTACT,
    AUDIT,
    KEYS,
)


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    subcommand: Subcommand | None = options.subcommand
    if subcommand is None:
        parser.print_help(sys.stderr)
        return 2
    logs.configure(options.log_level or subcommand.log_level, options.log_format or "text")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
            return runner.run(_act(subcommand, options))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except ExceptionGroup as group:
        first = _said(group)
        if first is None:
            raise
        print(first, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _said(group: ExceptionGroup[Exception]) -> Exception | None:
    """What ended the bot while it ran, when that has a sentence for people: a file that cannot be written any more.
    Another start may find it in order, so it does not end with 2."""
    if group.split(ConfigError)[1] is not None:
        return None
    first: Exception = group
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first


async def _act(subcommand: Subcommand, options: Options) -> int:
    return await subcommand.act(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description=(about or "").split("\n\n", maxsplit=1)[0],
        epilog="Start with `python -m bot demo`: it needs no account and nothing installed besides.",
    )
    parser.add_argument(
        "--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help="default: [log] level of the configuration"
    )
    parser.add_argument("--log-format", choices=("text", "json"), help="default: [log] format of the configuration")
    parser.set_defaults(subcommand=None)
    table = parser.add_subparsers(metavar="command", title="commands")
    for subcommand in SUBCOMMANDS:
        subcommand.add_to(table)
    return parser


if __name__ == "__main__":
    sys.exit(main())
