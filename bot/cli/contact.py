"""`python -m bot contact export|erase PHONE`: what is stored of a customer, handed out or forgotten."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from bot.chatops.command import Act
from bot.cli.stored import stored_all
from bot.cli.subcommand import Options, Parser, Subcommand, settings
from bot.doors import SystemClock
from bot.ports import Belongings, Json, Stored
from bot.relay.audit import by_operator
from bot.relay.trace import person_of

_ELSEWHERE = """\
Not in the bot's hands, and still there:
- Rocket.Chat: the customer's rooms, messages, files and the omnichannel contact. An administrator deletes them there.
- 360Dialog and WhatsApp: what was sent and received. Ask 360Dialog, under your contract with them.
- Backups that were made before, copies named journal.format-… in the data folder, and what your status endpoint was
  told.
A webhook of before that 360Dialog delivers once more (it tries for up to 7 days) counts as a new message."""


def _options(parser: Parser) -> None:
    parser.add_argument("what", choices=("export", "erase"))
    parser.add_argument("who", nargs="+", metavar="PHONE", help="with its country code; or a WhatsApp user id (DE.…)")


async def _contact(options: Options) -> int:
    config = settings(options)
    person = person_of(" ".join(options.who).strip())
    if not re.fullmatch(r"\d{5,20}|[A-Za-z]{2}\.[\w.-]{1,128}", person):
        print("Give the whole phone number with its country code, like +491701234567, or a user id.", file=sys.stderr)
        return 2
    if options.what == "export":
        async with stored_all(config, looks=True) as stores:
            held = await stores.journal.belongings(person)
            forms = [one for one in await stores.registry.sessions() if _names(one, held.names)]
        print(json.dumps(_document(held, forms), ensure_ascii=False, indent=2))
        return 0 if _anything(held) or forms else 1
    async with stored_all(config) as stores:
        held = await stores.journal.belongings(person)
        forms = [one for one in await stores.registry.sessions() if _names(one, held.names)]
        for form in forms:
            await stores.registry.remove_session(str(form["id"]))
        gone = await stores.journal.erase(person)
        counts = {**asdict(gone), "forms": len(forms)}
        name = stores.vault.derive("erased contact", person).hex()[:32]
        await stores.journal.append(by_operator(Act("contact-erase", {"who": name, **counts}), SystemClock()))
    if not config.storage.database_url.get_secret_value():
        await asyncio.to_thread(shutil.rmtree, config.storage.data_dir / "files", ignore_errors=True)
    told = ", ".join(f"{name} {n}" for name, n in counts.items() if name != "busy")
    print(f"Erased: {told}.\nOn the record as {name}, which names nobody (python -m bot audit contact-erase).")
    if gone.busy:
        print(f"Being worked on in this moment: {gone.busy}. Run this again in some minutes.", file=sys.stderr)
    print(_ELSEWHERE)
    return 1 if gone.busy else 0


def _anything(held: Belongings) -> bool:
    return bool(held.conversations or held.rooms or held.pairs or held.marks or held.entries)


def _names(session: Json, names: tuple[str, ...]) -> bool:
    text = json.dumps({name: value for name, value in session.items() if name != "secrets"}, ensure_ascii=False)
    return any(re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) for name in names)


def _document(held: Belongings, forms: list[Json]) -> dict[str, object]:
    return {
        "names": held.names,
        "conversations": held.conversations,
        "rooms": held.rooms,
        "messages": [asdict(pair) for pair in held.pairs],
        "remembered": held.marks,
        "entries": [_entry(one) for one in held.entries],
        "forms": [{name: value for name, value in form.items() if name != "secrets"} for form in forms],
    }


def _entry(stored: Stored) -> dict[str, object]:
    """With its text while it has one: what is done has none."""
    entry = stored.entry
    return {
        "key": entry.key,
        "kind": entry.kind,
        "state": stored.state,
        "entered_at": _when(entry.first_at),
        "closed_at": _when(stored.closed_at) if stored.closed_at else None,
        "why": stored.why,
        "result": stored.result,
        "body": entry.body,
    }


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


CONTACT = Subcommand(
    name="contact",
    help="export or erase what is stored of a customer",
    description=(
        "export: prints everything that is stored of a customer as JSON; works beside the running bot. erase: forgets "
        "the customer and keeps a record that names nobody; with PostgreSQL beside running bots, otherwise stop the "
        "bot first. What waits for or from the customer is not delivered any more. Ends with 1 when nothing is known "
        "(export) or something is being worked on (erase)."
    ),
    options=_options,
    act=_contact,
)
