"""`python -m bot dead`: what was kept because it could not be delivered."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from bot.chatops.command import SLASH, Act
from bot.cli.stored import stored
from bot.cli.subcommand import Options, Parser, Subcommand, called, plain, settings
from bot.doors import SystemClock
from bot.ports import Journal, Stored
from bot.relay.audit import by_operator
from bot.relay.overview import perhaps_sent

_PAGE = 200
"""Dead letters, with their bodies, that are in memory at once."""


def _options(parser: Parser) -> None:
    parser.add_argument(
        "--retry", nargs="+", metavar="KEY", help="let these wait again (`all`: every one that surely did not arrive)"
    )


async def _dead(options: Options) -> int:
    """Lists beside a running bot too. Tries again on the stopped bot's journal: a running one holds it, and says so."""
    asked = set(options.retry or ())
    everything, seen = asked == {"all"}, set[str]()
    async with stored(settings(options), looks=not asked) as journal:
        async for letter in _letters(journal):
            key = letter.entry.key
            if key in seen:
                continue  # a running bot has tried it and given it up again
            seen.add(key)
            when = datetime.fromtimestamp(letter.closed_at, UTC).strftime("%Y-%m-%d %H:%M")
            left = everything and perhaps_sent(letter)
            again = (everything or key in asked) and not left and await journal.retry(key)
            if again:
                await journal.append(by_operator(Act("retry", {"entry": key}), SystemClock()))
            end = (
                "  → waits again"
                if again
                else "  → left: it may have arrived, so ask for it by its key"
                if left
                else ""
            )
            print(plain(f"{when}  {key}  {letter.why}{end}"))
    if not seen:
        print("No dead letters: everything that entered was delivered or still waits.")
    elif not asked:
        print(f"To try them again, in Rocket.Chat: {SLASH} status")
        print(f"While the bot is stopped: {called('dead', options)} --retry KEY")
        print("(--retry all: every one that surely did not arrive)")
    unknown = set() if everything else asked - seen
    for key in sorted(unknown):
        print(f"There is no dead letter {key}.", file=sys.stderr)
    return 1 if unknown else 0


async def _letters(journal: Journal) -> AsyncIterator[Stored]:
    """All of them, those that were given up first in front."""
    page = await journal.dead(_PAGE)
    while page:
        for letter in page:
            yield letter
        page = await journal.dead(_PAGE, after=page[-1])


DEAD = Subcommand(
    name="dead",
    help="list messages that could not be delivered, or try them again",
    description=(
        "Lists dead letters: what was kept because it could not be delivered, and why. Works beside the running bot. "
        "--retry needs the bot stopped, unless it uses PostgreSQL; while it runs, /whatsapp-360d-cloud status does the "
        "same in chat."
    ),
    options=_options,
    act=_dead,
)
