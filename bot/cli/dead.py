"""`python -m bot dead`: what was kept because it could not be delivered."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from bot.chatops.command import Act
from bot.cli.stored import stored
from bot.cli.subcommand import Options, Parser, Subcommand, settings
from bot.doors import SystemClock
from bot.relay.audit import by_operator


def _options(parser: Parser) -> None:
    parser.add_argument("--retry", nargs="+", metavar="KEY", help="let these wait again (`all` for every one)")


async def _dead(options: Options) -> int:
    """Works on the stopped bot's journal: a running one holds the folder, and says so."""
    async with stored(settings(options)) as journal:
        letters = await journal.dead(limit=1000)
        wanted = {letter.entry.key for letter in letters} if options.retry == ["all"] else set(options.retry or ())
        for letter in letters:
            when = datetime.fromtimestamp(letter.closed_at, UTC).strftime("%Y-%m-%d %H:%M")
            again = letter.entry.key in wanted and await journal.retry(letter.entry.key)
            if again:
                await journal.append(by_operator(Act("retry", {"entry": letter.entry.key}), SystemClock()))
            print(f"{when}  {letter.entry.key}  {letter.why}{'  → waits again' if again else ''}")
        if not letters:
            print("No dead letters: everything that entered was delivered or still waits.")
        unknown = wanted - {letter.entry.key for letter in letters}
        for key in sorted(unknown):
            print(f"There is no dead letter {key}.", file=sys.stderr)
        return 1 if unknown else 0


DEAD = Subcommand(
    name="dead",
    help="list messages that could not be delivered, or try them again",
    description="Lists dead letters: what was kept because it could not be delivered, and why.",
    options=_options,
    act=_dead,
)
