"""`python -m bot trace`: what became of a message, or of the last messages of a customer."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from bot.chatops.command import SLASH
from bot.cli.stored import stored
from bot.cli.subcommand import Options, Parser, Subcommand, called, plain, settings
from bot.relay.trace import Trace, Track
from bot.translations import translator


def _options(parser: Parser) -> None:
    parser.add_argument(
        "what", nargs="+", metavar="WHAT",
        help="a WhatsApp message id (wamid.…), a Rocket.Chat message id, or a phone number with its country code",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON array, for programs")


async def _trace(options: Options) -> int:
    configured = settings(options)
    word = " ".join(options.what)
    t = translator(configured.app.preferred_language)
    async with stored(configured, looks=True) as journal:
        tracks = await Trace(journal, t).of(word)
    if options.json:
        print(json.dumps([_document(track) for track in tracks], ensure_ascii=False, indent=2))
    else:
        for track in tracks:
            print("\n".join(_text(track, called("dead", options))))
    if not tracks:
        print(plain(t("trace.unknown", word=word)), file=sys.stderr)
    return 0 if tracks else 1


def _text(track: Track, dead: str) -> list[str]:
    """`dead`: how the subcommand that tries again is called."""
    lines = [plain(f"{track.head} · {_when(track.entry.first_at)}")]
    lines += [f"  {_when(line.at)}  {plain(line.says)}" for line in track.lines]
    if track.state == "waiting" and track.due:
        lines.append(f"  → {_when(track.due)}")
    if track.state == "dead":
        key = plain(track.entry.key)
        lines.append(f"  → to try it again, in Rocket.Chat: {SLASH} status retry {key}")
        lines.append(f"    or, while the bot is stopped: {dead} --retry {key}")
    return lines


def _document(track: Track) -> dict[str, object]:
    return {
        "key": track.entry.key,
        "kind": track.entry.kind,
        "about": track.head,
        "state": track.state,
        "tries": track.entry.tries,
        "next_try": _when(track.due) if track.state == "waiting" and track.due else None,
        "lines": [{"at": _when(line.at), "says": line.says} for line in track.lines],
    }


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


TRACE = Subcommand(
    name="trace",
    help="what became of a message, or of a customer's last messages",
    description=(
        "Tells line by line what became of a message: stored, shown, sent, delivered, read, failed and why, waiting "
        "and until when. Works beside the running bot and changes nothing. No text is told: what is done has none. "
        "Ends with 1 when nothing is known."
    ),
    options=_options,
    act=_trace,
)
