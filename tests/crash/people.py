"""The people of the crash run. Whatever happens to the bot, they go on: customers write, agents answer, admins send.

Each thing that somebody says has a label, `C07-0012`: who, and the how manieth. Nobody here looks at what arrived; that
is `model`'s.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.sandbox.dialog360 import Customer
from bot.sandbox.rocketchat import User
from bot.stage import Stage
from bot.stage_page import Page, link_in, read_page
from tests.crash.ear import Ear

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 50
PDF = b"%PDF-1.7 " + b"words" * 50
REFUSED = "Parameter value is not valid"
"""What WhatsApp says in bad weather to a message that it will never take."""
API_TOKEN = "the-key-of-the-crash-run"
_PATIENCE = 90.0
"""Seconds after the last kill until an admin gives a form up: a failure, for a form must outlive every restart."""
_REFUSALS = 3
"""So often does a program hear that nobody got its template until it believes it. The setup channel hears of it too."""
_REDELIVERY = 0.25
"""Seconds until a webhook that nobody took is delivered again. 360Dialog waits longer."""
_FOR_EVER = 7 * 86400.0


@dataclass
class Talk:
    """One conversation: the labels of what was written on each side, in order."""

    customer: Customer
    number: int
    room: str = ""
    wrote: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What pages said of template messages to this customer."""
    refused: list[str] = field(default_factory=list)
    """Template messages of which a program was told that surely nobody got them: it would send them again."""

    def label(self, who: str, said: list[str]) -> str:
        return f"{who}{self.number:02}-{len(said):04}"


@dataclass(frozen=True)
class Town:
    """Where they live, how busy they are (seconds between two things that one says, on average), and until when."""

    stage: Stage
    ear: Ear
    seed: int
    pace: float
    over: asyncio.Event = field(default_factory=asyncio.Event)
    labels: Iterator[int] = field(default_factory=itertools.count)
    """Of template messages."""
    stuck: list[str] = field(default_factory=list)
    """Forms that did not go on."""

    def chance(self, who: str) -> random.Random:
        return random.Random(f"{self.seed} {who}")

    async def patiently(self, work: Coroutine[Any, Any, None]) -> None:
        """Waits as long as bots are killed, and then a while; raises TimeoutError."""
        working, over = asyncio.create_task(work), asyncio.create_task(self.over.wait())
        await asyncio.wait((working, over), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        async with asyncio.timeout(_PATIENCE):
            await working

    async def rest(self, chance: random.Random) -> None:
        await asyncio.sleep(chance.expovariate(1 / self.pace))


# --- customers ------------------------------------------------------------------------------------------------------


async def customer(town: Town, talk: Talk) -> None:
    chance = town.chance(f"customer {talk.number}")
    while not town.over.is_set():
        await customer_writes(town.stage, talk, chance.choices(("text", "image", "document"), (8, 1, 1))[0])
        await town.rest(chance)


async def customer_writes(stage: Stage, talk: Talk, kind: str = "text") -> None:
    """Delivered twice at once and again until somebody says 200, as 360Dialog does."""
    label, wa, who = talk.label("C", talk.wrote), stage.wa, talk.customer
    if kind == "text":
        message = who.compose(stage.number, type="text", text={"body": f"{label} is what I say"})
    else:
        data, mime = (PNG, "image/png") if kind == "image" else (PDF, "application/pdf")
        file = wa.media.received(stage.number, data + label.encode(), mime, f"{label}.pdf", wa.now())
        more: dict[str, Any] = {"caption": f"{label} look"} if kind == "image" else {"filename": f"{label}.pdf"}
        parts: dict[str, Any] = {kind: wa.media.announce(file, wa.now()) | more}
        message = who.compose(stage.number, type=kind, **parts)
    body = wa.webhook_body(stage.number, [message])
    while 200 not in await wa.deliver(stage.number, body, times=2, concurrently=True):  # noqa: ASYNC110 - it is the question itself
        await asyncio.sleep(_REDELIVERY)  # nobody is there to be waited for
    talk.wrote.append(label)


# --- agents ---------------------------------------------------------------------------------------------------------


async def agent(town: Town, talk: Talk) -> None:
    chance = town.chance(f"agent {talk.number}")
    await town.rest(chance)
    while not town.over.is_set():
        label = talk.label("A", talk.answered)
        talk.answered.append(label)
        if chance.random() < 0.15:
            await town.stage.rc.upload(town.stage.agent, talk.room, f"{label}.pdf", "application/pdf", PDF)
        else:
            link = f": https://example.org/{label}" if chance.random() < 0.2 else ""
            await town.stage.agent_writes(talk.room, f"{label} is the answer{link}")
        await town.rest(chance)


# --- programs that call the template API ----------------------------------------------------------------------------


async def program(town: Town, talks: list[Talk]) -> None:
    chance, url = town.chance("program"), town.stage.settings.server.public_url
    app_id = town.stage.settings.server.app_id
    while not town.over.is_set():
        talk = chance.choice(talks)
        label = f"T{talk.number:02}-{next(town.labels):04}"
        talk.templates.append(label)
        body = {
            "phoneNumbers": [talk.customer.phone],
            "connectedWhatsAppNo": town.stage.number.phone,
            "template": {
                "name": "appointment_reminder",
                "language": {"code": "en", "policy": "deterministic"},
                "components": [{"type": "body", "parameters": _named(first_name=label, date="Friday", time="10:30")}],
            },
        }
        path = f"{url}/api/apps/private/{app_id}/{API_TOKEN}/templateMessage"
        refused, said = 0, ""
        while refused < _REFUSALS:
            status, said = await _ask(town.stage.http, path, body, label)
            if status == 200:
                break
            refused += status == 500
            await asyncio.sleep(0.1)
        else:
            talk.refused += [label] if REFUSED in said else []
        await town.rest(chance)


def _named(**values: str) -> list[dict[str, str]]:
    return [{"type": "text", "parameter_name": name, "text": value} for name, value in values.items()]


async def _ask(http: aiohttp.ClientSession, url: str, body: dict[str, Any], key: str) -> tuple[int, str]:
    """Status and text of the answer; 0 without one."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    try:
        async with http.post(url, data=json.dumps(body), headers=headers) as answer:
            return answer.status, await answer.text()
    except (aiohttp.ClientError, OSError):
        return 0, ""


# --- admins and their forms -----------------------------------------------------------------------------------------


async def admin(town: Town, who: User, talks: list[Talk]) -> None:
    """Sends templates by form, now in the chat, now on the page, from a direct room with the bot."""
    chance, room = town.chance(who.username), town.stage.rc.direct_room(who, town.stage.bot_user)
    while not town.over.is_set():
        talk = chance.choice(talks)
        label = f"T{talk.number:02}-{next(town.labels):04}"
        fill = fill_in_chat if chance.random() < 0.5 else fill_page
        try:
            await town.patiently(fill(town, who, room, talk, label))
        except (TimeoutError, LookupError, ValueError) as error:
            said = [m["msg"][:200] for m in town.ear.said[room][-2:]]
            town.stuck.append(f"{fill.__name__} {label}: {type(error).__name__} {error}; the bot said last: {said}")
        await town.rest(chance)


async def fill_in_chat(town: Town, who: User, room: str, talk: Talk, label: str) -> None:
    asked = [
        ("send-template", "Question 1"),
        ("appointment_reminder", ""),
        (talk.customer.phone, ""),
        (label, ""),
        ("Friday", ""),
        ("10:30", label),
    ]
    for words, expected in asked:
        await say(town, who, room, words, expected)
    talk.templates.append(label)
    await say(town, who, room, "confirm", talk.customer.phone)


async def say(town: Town, who: User, room: str, words: str, expected: str) -> dict[str, Any]:
    """Types it and waits for what the bot says to it."""
    said = town.ear.said[room]
    before = len(said)
    await town.stage.rc.write(who, room, words)

    def answers() -> list[dict[str, Any]]:
        return [m for m in said[before:] if expected in m["msg"] + str(m.get("attachments", ""))]

    found = await town.stage.rc.until(answers, timeout=_FOR_EVER)
    return found[-1]


async def fill_page(town: Town, who: User, room: str, talk: Talk, label: str) -> None:
    """Whoever gets no answer presses the button once more: the very same request."""
    stage = town.stage
    offered = await say(town, who, room, "send-template", "Question 1")
    page = await _page(stage, "GET", link_in(offered), {})
    page = await _press(stage, page, template="appointment_reminder|en", recipients=talk.customer.phone)
    page = await _press(stage, page, body_first_name=label, body_date="Friday", body_time="10:30")
    if label not in page.text:
        raise LookupError(f"the page shows no preview: {page.text[:300]}")
    talk.templates.append(label)
    page = await _press(stage, page)
    talk.told.append(page.text)


async def _press(stage: Stage, page: Page, **fields: str) -> Page:
    missing = fields.keys() - page.fields.keys()
    if missing:
        raise LookupError(f"the page has no {missing}: {page.text[:300]}")
    [(name, value), *_] = page.buttons
    data = {**page.fields, **fields, **({name: value} if name else {})}
    return await _page(stage, "POST", page.url, data)


async def _page(stage: Stage, method: str, url: str, data: dict[str, str]) -> Page:
    while True:
        try:
            async with stage.http.request(method, url, data=data or None) as answer:
                if answer.status < 500:
                    return read_page(answer.status, url, await answer.text())
        except (aiohttp.ClientError, OSError):
            pass
        await asyncio.sleep(0.1)
