"""The first five minutes: the whole product between two simulators, without any account.

`page` shows it live in a browser, `script` plays the story in the terminal, `replay` feeds recorded webhook bodies
through the real webhook edge and prints what the agent sees of each.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bot.config import ConfigError
from bot.sandbox.dialog360 import SandboxNumber
from bot.sandbox.page import DemoPage
from bot.stage import TIMEOUT, Stage, staged
from bot.whatsapp.envelope import entries


async def page(port: int = 0) -> int:
    """Runs until interrupted."""
    async with _prepared() as stage:
        show = DemoPage(
            stage.rc,
            stage.wa,
            number=stage.number,
            customer=stage.customer,
            admin=stage.admin,
            agent=stage.agent,
            setup_room=stage.setup_room,
            port=port,
        )
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(show)
            except OSError as error:
                why = os.strerror(error.errno or 0)
                raise ConfigError(f"The page cannot be shown on port {port}: {why}. Take another --port.") from None
            print("A customer's phone, a Rocket.Chat workspace and the bot between them, all on this machine:\n")
            print(f"    {show.url}\n\nCtrl+C ends it.", flush=True)
            await asyncio.Event().wait()
    return 0


async def script() -> int:
    """The story of the page, told in the terminal."""
    async with _prepared() as stage:
        for message in stage.from_bot(stage.setup_room):
            if "t" not in message:
                _say("setup channel", "bot", message["msg"])
        _say("setup channel", stage.admin.name, "/whatsapp-360d-cloud connect")
        answer = await stage.command("/whatsapp-360d-cloud connect")
        _say("setup channel", "bot", answer["msg"])
        _say("form", stage.admin.name, f"API Key: ••••••••\nPhone Number: {stage.number.phone}")
        done = await stage.connect()
        _say("form", "page", done.text.strip().partition("\n")[2])  # the first line is the browser's title

        await stage.customer.write(stage.number, "Hello! Do you open on *Sunday*?")
        _say("phone", stage.customer.name, "Hello! Do you open on *Sunday*?")
        room = await stage.agent_reads("Hello! Do you open on *Sunday*?")
        _say("workspace", f"{stage.customer.name}, as {stage.agent.name} sees it", stage.from_customer(room)[-1])
        await stage.rc.write(stage.agent, room, "Yes, **from ten to four** :smile:")
        _say("workspace", stage.agent.name, "Yes, **from ten to four** :smile:")
        await stage.customer_reads("Yes, *from ten to four* 😄")
        _say("phone", f"{stage.number.name}, as {stage.customer.name} sees it", str(stage.customer.received[-1].text))
        await _a_day_later(stage, room)
    print("\nThe message reached the agent, and the answer came back; what WhatsApp refused was said.")
    return 0


async def _a_day_later(stage: Stage, room: str) -> None:
    """WhatsApp takes nothing but templates then. The customer answers with the template's button."""
    await stage.wa.settled(TIMEOUT)
    stage.wa.clock_offset = 25 * 3600
    print("\n--- A day passes without a word from the customer. ---")
    _say("workspace", stage.agent.name, "Are you still there?")
    refused = await stage.command("Are you still there?", room, stage.agent)
    _say("workspace", "bot", refused["msg"].split(") ", 1)[-1])  # without the link that makes it a quote
    line = '!whatsapp-360d-cloud send-template appointment_reminder en Maria Sunday "10:30"'
    _say("workspace", stage.agent.name, line)
    await stage.agent_writes(room, line)
    card = await stage.wa.until(lambda: [one for one in stage.customer.received if one.card], timeout=TIMEOUT)
    _say("phone", f"{stage.number.name}, as {stage.customer.name} sees it", card[-1].text)
    await stage.customer.tap(card[-1], "Confirm")
    await stage.agent_reads("Confirm")
    _say("workspace", f"{stage.customer.name}, as {stage.agent.name} sees it", stage.from_customer(room)[-1])


async def replay(files: list[Path]) -> int:
    """Prints, for every recorded body, what became of it: what the agent reads, or the reason why nothing is shown.

    A file holds one body, a list of them, or an object of named ones. Recordings often use one message id for several
    messages; WhatsApp never does, so a body whose ids were seen before is played in a fresh workspace.
    """
    items = [(f"{file.name}: {name}", body) for file in files for name, body in _bodies(file)]
    rounds: list[list[tuple[str, Any]]] = []
    seen: list[set[str]] = []
    for label, body in items:
        keys = {entry.key for entry in entries(_raw(body), "0", time.time()) if entry.kind == "wa.message"}
        fits = next((number for number, used in enumerate(seen) if not used & keys), None)
        if fits is None:
            rounds.append([])
            seen.append(set())
            fits = len(rounds) - 1
        rounds[fits].append((label, body))
        seen[fits] |= keys
    silent = 0
    for number, played in enumerate(rounds, start=1):
        if len(rounds) > 1:
            print(f"--- workspace {number} of {len(rounds)} (message ids repeat in this recording) ---")
        async with _prepared() as stage:
            connected: dict[str, SandboxNumber] = {}
            for label, body in played:
                silent += await _play(stage, connected, label, body)
    print(f"\nBodies replayed: {len(items)}; without anything to see or a reason: {silent}.")
    return 1 if silent else 0


async def _play(stage: Stage, connected: dict[str, SandboxNumber], label: str, body: Any) -> int:
    """One body through the edge. Returns how many of its items ended without a visible line and without a reason."""
    id = _phone_number_id(body)
    if id not in connected:
        phone = f"+49151000{len(connected):05}"
        connected[id] = stage.wa.add_number(phone, name=f"Replay {len(connected) + 1}", phone_number_id=id or None)
        await stage.connect(connected[id])
    number = connected[id]
    [status] = await stage.wa.deliver(number, body)
    print(f"\n{label}\n    webhook answered {status}")
    silent = 0
    for entry in entries(_raw(body), number.digits, time.time()):
        told = await _became(stage, entry.key)
        print(f"    {entry.kind:<10} {told or 'NOTHING'}")
        silent += not told
    return silent


async def _became(stage: Stage, key: str) -> str:
    """In words; empty when neither a line nor a reason is to be found."""
    assert stage.bot is not None
    stored = await stage.bot.journal.closed(key, 2 * TIMEOUT)  # a foreign status is looked for a while
    if stored is None:
        return ""
    result = stored.result
    if stored.state == "dead":
        return f"kept as a dead letter: {stored.why}"
    if "message" in result:
        shown = [one["msg"] for one in stage.rc.messages(str(result["room"])) if one["_id"] == result["message"]]
        return "agent reads: " + "\n                           ".join("".join(shown).splitlines()) if shown else ""
    if "state" in result:
        return f"status recorded: {result['state']}"
    if result.get("told"):
        where = "the agent's room" if result["told"] in stage.rc.rooms else "the setup channel"
        return f"told in {where}: {result['what']}"
    if result.get("what"):
        return f"recorded, nothing for an agent to see: news about {result['what']}"
    return f"not shown: {result['ignored'].replace('_', ' ')}" if result.get("ignored") else ""


def _bodies(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    try:
        content = json.loads(raw)
    except ValueError:
        yield "not JSON", raw
        return
    if isinstance(content, list):
        yield from ((f"{number}", body) for number, body in enumerate(content, start=1))
    elif isinstance(content, dict) and "entry" not in content and all(isinstance(v, dict) for v in content.values()):
        yield from content.items()
    else:
        yield "1", content


def _raw(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _phone_number_id(body: Any) -> str:
    """The first one that the body names, wherever it stands."""
    if isinstance(body, Mapping):
        if body.get("phone_number_id"):
            return str(body["phone_number_id"])
        return next((found for value in body.values() if (found := _phone_number_id(value))), "")
    if isinstance(body, list):
        return next((found for value in body if (found := _phone_number_id(value))), "")
    return ""


@asynccontextmanager
async def _prepared() -> AsyncIterator[Stage]:
    """With the one setting on that the administrator of a real workspace is asked to switch on."""
    async with staged(start=False) as stage:
        stage.rc.settings["Message_AllowUnrecognizedSlashCommand"] = True
        await stage.start()
        yield stage


def _say(where: str, who: str, text: str) -> None:
    lines = text.strip().splitlines() or [""]
    print(f"\n[{where}] {who}")
    print("\n".join(f"    {line}" for line in lines), flush=True)
