"""`python -m bot keys`: the secret keys with which API keys, visitor tokens and the like are stored."""

from __future__ import annotations

import asyncio

from bot.chatops.command import Act
from bot.cli.stored import stored
from bot.cli.subcommand import Options, Parser, Subcommand, settings
from bot.doors import SystemClock
from bot.relay.audit import by_operator
from bot.storage import rotation
from bot.storage.inspection import vault_in_use
from bot.storage.rotation import NotEverywhere, Sealed
from bot.storage.secrets import Vault, key_name


def _options(parser: Parser) -> None:
    parser.add_argument(
        "what",
        choices=("show", "rotate", "prune"),
        help="show: which key seals how much · rotate: a new key, and everything sealed with it · prune: remove keys "
        "that nothing needs any more",
    )


async def _keys(options: Options) -> int:
    config = settings(options)
    storage = config.storage
    vault = await asyncio.to_thread(vault_in_use, storage)
    async with rotation.opened(storage, vault) as store:
        try:
            match options.what:
                case "rotate":
                    _show(vault, await rotation.rotate(vault, store))
                    print("A new key seals everything now. Back up the key file together with what is stored.")
                    print("`keys prune` removes the keys in between; backups from before need them.")
                case "prune":
                    removed = await rotation.prune(vault, store)
                    _show(vault, await rotation.count(vault, store))
                    print(f"{removed} key(s) removed." if removed else "There is no key that nothing needs.")
                case _:
                    await _show_now(vault, store)
        except NotEverywhere as error:
            print(
                f"Not finished: {error.bots} running bot(s) with this database do not have the new key yet. Copy the "
                f"key file {vault.path} to each of them (they read it by themselves), then run this command again."
            )
            return 1
    if options.what != "show":
        async with stored(config) as journal:
            await journal.append(by_operator(Act(f"keys-{options.what}"), SystemClock()))
    return 0


async def _show_now(vault: Vault, store: Sealed) -> None:
    _show(vault, await rotation.count(vault, store))


def _show(vault: Vault, counts: list[int]) -> None:
    """The file's lines, by names that tell nothing of the keys."""
    print(f"{vault.path}")
    for place, (key, sealed) in enumerate(zip(vault.keys, counts, strict=True)):
        what = [*(["seals"] if place == 0 else []), *(["root, has to stay"] if key == vault.keys[-1] else [])]
        print(f"  line {place + 1}  {key_name(key)}  {sealed} stored secret(s)  {', '.join(what) or 'opens only'}")


KEYS = Subcommand(
    name="keys",
    help="change the secret key with which API keys and tokens are stored",
    description="The key file holds one key in each line: the first seals, all of them open, the last one is the root "
    "of visitor tokens and stays. Stop the bot first, unless several bots share a database.",
    options=_options,
    act=_keys,
)
