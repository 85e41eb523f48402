"""`python -m bot backup` and `restore`: a bot's folder as one file, and back."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

from bot.cli.subcommand import Options, Parser, Subcommand, called, settings
from bot.config import ConfigError
from bot.storage.backup import backup
from bot.storage.restore import restore
from bot.storage.restore_shared import restore_shared


def _backup_options(parser: Parser) -> None:
    parser.add_argument("target", type=Path, metavar="FILE|DIR", help="a new file, or a folder that gets a dated one")
    parser.add_argument(
        "--without-key", action="store_true", help="leave the key file out: then keep it apart, or nothing can be read"
    )


async def _backup(options: Options) -> int:
    storage = settings(options).storage
    with_key = not options.without_key
    file = await asyncio.to_thread(backup, storage, options.target, with_key=with_key)
    print(f"{file}  {file.stat().st_size / 1e6:.1f} MB")
    if with_key:
        print("The key that opens the stored API keys is in it: keep the file as safe as the machine itself.")
    else:
        print(f"The key is not in it. Without a copy of {storage.key_file} this backup cannot be restored.")
    return 0


def _restore_options(parser: Parser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", nargs="?", help="what `backup` wrote; none with PostgreSQL")
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--unchanged", action="store_true",
        help="no bot has run since the backup, as in a move to another machine: go on exactly where it stopped",
    )  # fmt: skip
    when.add_argument(
        "--lost-at", metavar="TIME",
        help="when the old bot ended, such as 2026-11-30T14:05 (default: now). What agents wrote after that is sent; "
        "what they wrote before counts as sent",
    )  # fmt: skip


async def _restore(options: Options) -> int:
    storage = settings(options).storage
    lost_at = _moment(options.lost_at)
    if storage.database_url.get_secret_value() and options.file is None:
        held_back = await restore_shared(storage, lost_at=lost_at, unchanged=options.unchanged)
        print("The bots that share the database may start.")
        _say_rest(options, held_back, lost_at)
        return 0
    if options.file is None:
        raise ConfigError("Name the file that `backup` wrote.")
    done = await asyncio.to_thread(restore, storage, options.file, lost_at=lost_at, unchanged=options.unchanged)
    made = datetime.fromtimestamp(done.made_at).astimezone()
    print(f"{storage.data_dir} is as it was on {made:%Y-%m-%d at %H:%M:%S %Z}.")
    _say_rest(options, done.held_back, lost_at)
    return 0


def _say_rest(options: Options, held_back: int, lost_at: float) -> None:
    if held_back:
        print(
            f"{held_back} message(s) or commands were waiting then and may have been done since. They are kept "
            f"and not sent by themselves: `{called('dead', options)}` lists them and tries again what you choose."
        )
    if not options.unchanged:
        ended = datetime.fromtimestamp(lost_at).astimezone()
        print(f"What agents wrote up to {ended:%Y-%m-%d %H:%M:%S %Z} counts as sent; later messages are caught up.")
    print(f"Look with `{called('doctor', options)}`, then start with `{called('run', options)}`.")


def _moment(text: str | None) -> float:
    if text is None:
        return time.time()
    try:
        moment = datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        raise ConfigError(f"--lost-at {text}: write it as 2026-11-30T14:05, or with a zone: …+01:00") from None
    if moment > time.time():
        raise ConfigError(f"--lost-at {text} has not come yet.")
    return moment


BACKUP = Subcommand(
    name="backup",
    help="write everything that is stored into one file, beside the running bot",
    description=(
        "Writes journal, registry and key file into one archive (mode 0600), as they stood in one moment, while the "
        "bot goes on. With PostgreSQL it says what to use instead."
    ),
    options=_backup_options,
    act=_backup,
)
RESTORE = Subcommand(
    name="restore",
    help="put a backup into an empty folder, or go on with a dump of PostgreSQL",
    description=(
        "Checks a backup and puts it into the empty [storage] data_dir. With PostgreSQL put the dump back with its "
        "own tools, and then say so here, without FILE, before bots start. What was waiting for WhatsApp in the backup "
        "may have been sent since: it becomes dead letters for you to decide on, so that nobody gets a message twice."
    ),
    options=_restore_options,
    act=_restore,
)
