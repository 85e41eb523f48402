"""`python -m bot demo`: see it work without any account."""

from __future__ import annotations

import argparse
from pathlib import Path

from bot.cli.subcommand import Options, Parser, Subcommand


def _options(parser: Parser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--script", action="store_true", help="play the story in the terminal instead, then end")
    how.add_argument(
        "--replay", nargs="+", type=Path, metavar="FILE",
        help="feed recorded webhook bodies (JSON) through the real webhook edge and print what the agent sees",
    )  # fmt: skip
    parser.add_argument("--port", type=_port, default=0, help="port of the demo page (default: any free one)")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: write a number up to 65535")
    return int(text)


async def _demo(options: Options) -> int:
    from bot import demo  # noqa: PLC0415 - both simulators come with it, and no other subcommand waits for them

    if options.replay:
        return await demo.replay(options.replay)
    return await (demo.script() if options.script else demo.page(options.port))


DEMO = Subcommand(
    name="demo",
    help="see it work without any account",
    description="Starts a small Rocket.Chat, a small 360Dialog and the bot on this machine; prints one address.",
    options=_options,
    act=_demo,
    needs_config=False,
)
