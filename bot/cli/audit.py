"""`python -m bot audit`: who changed or sent what; and whether the log is whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from bot.cli.stored import stored
from bot.cli.subcommand import Options, Parser, Subcommand, plain, settings
from bot.doors import SystemClock
from bot.ports import Json
from bot.relay.audit import Audit
from bot.storage.secrets import Vault


def _options(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORD", help="only records that hold all of these words")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="so many at most, the latest (default: 50)")
    parser.add_argument("--json", action="store_true", help="one JSON object in each line")
    parser.add_argument("--verify", action="store_true", help="check that no record was changed or taken out")


async def _audit(options: Options) -> int:
    config = settings(options)
    async with stored(config, looks=True) as journal:
        audit = Audit(journal, SystemClock(), Vault(config.storage.key_file).derive)
        if options.verify:
            return _told(await audit.broken())
        found, further = await audit.find(options.words, max(options.limit, 1))
    for record in found:
        print(json.dumps(dict(record), ensure_ascii=False) if options.json else plain(_line(record)))
    if not options.json and not found:
        print("Nothing was found." if options.words else "Nobody has changed or sent anything yet.")
    elif not options.json and further:
        print("There are earlier ones: --limit shows more.")
    return 0


def _line(record: Json) -> str:
    when = datetime.fromtimestamp(int(str(record["at"])), UTC).strftime("%Y-%m-%d %H:%M:%S")
    number = f"#{record['n']}" if "n" in record else "new"
    return f"{when}  {number}  {record['who']}  {Audit.said(record)}  ({record['from']})  {record['result']}"


def _told(broken: list[int]) -> int:
    if not broken:
        print("The log is whole: no record was changed or taken out.")
        return 0
    print(f"The log does not hold together at: {', '.join(f'#{number}' for number in broken[:20])}.")
    print("A record there was changed, or one before it was taken out. Compare with a backup.")
    return 1


AUDIT = Subcommand(
    name="audit",
    help="who connected, changed and sent what",
    description="Lists the audit log, the latest first. Works beside the running bot and changes nothing.",
    options=_options,
    act=_audit,
)
