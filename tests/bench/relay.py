"""The road: messages a second and added latency in each direction, against simulators that answer at once.

The simulators are Python too and share a core with the load: where they are busier than the bot they are the limit, so
the row says which share of its core the bot used.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from statistics import median, quantiles

from bot.sandbox.dialog360 import Customer
from bot.stage import Stage
from tests.bench.load import body
from tests.bench.machine import Server, processor_seconds, shoot, until
from tests.bench.table import Row, at_least, at_most
from tests.bench.webhooks import bot_alone

_PEOPLE = 100
_SAME = "in the same run"
_LATE = 150
"""Messages, one after another, that measure latency."""


async def rows(turns: int, messages: int) -> list[Row]:
    async with bot_alone() as (stage, server):
        await shoot(server, seconds=60, requests=_PEOPLE, people=_PEOPLE)
        await stage.rc.until(lambda: len(_rooms(stage)) == _PEOPLE, timeout=60)
        for person in range(_PEOPLE):  # to somebody whom WhatsApp does not know nothing would be delivered
            stage.wa.customer(f"+4917{person:08}", name=f"Person {person}")
        inward = [await _inward(stage, server, messages) for _ in range(turns)]
        outward = [await _outward(stage, server, messages) for _ in range(turns)]
        late_in, late_out = await _late_in(stage, server), await _late_out(stage)
    return [
        _rate("customers' messages relayed to agents a second", inward),
        _rate("agents' messages relayed to customers a second", outward),
        at_most("calls to Rocket.Chat for each customer's text", max(one[2] for one in inward), 1.01, _SAME),
        at_most("calls to 360Dialog for each agent's text", max(one[2] for one in outward), 1.01, _SAME),
        Row("added latency, customer to agent, on an idle bot", late_in),
        Row("added latency, agent to customer, on an idle bot", late_out),
    ]


def _rate(figure: str, found: list[tuple[float, float, float]]) -> Row:
    rate, share = median(one[0] for one in found), median(one[1] for one in found)
    return at_least(figure, rate, 500, f"the bot used {share:.0%} of its core")


def _rooms(stage: Stage) -> list[str]:
    return [id for id, room in stage.rc.rooms.items() if room["t"] == "l"]


async def _inward(stage: Stage, server: Server, messages: int) -> tuple[float, float, float]:
    """Messages a second, share of the core, calls for each message."""
    rooms = _rooms(stage)
    before = sum(len(stage.from_customer(room)) for room in rooms)
    calls, used, began = len(stage.rc.calls), processor_seconds(server.pid), time.perf_counter()
    load = asyncio.create_task(shoot(server, seconds=120, requests=messages, people=_PEOPLE))
    await until(lambda: sum(len(stage.from_customer(room)) for room in rooms) >= before + messages)
    seconds = time.perf_counter() - began
    await load
    made = sum(call.method == "POST" for call in stage.rc.calls[calls:])
    return messages / seconds, (processor_seconds(server.pid) - used) / seconds, made / messages


async def _outward(stage: Stage, server: Server, messages: int) -> tuple[float, float, float]:
    rooms = _rooms(stage)
    calls, used, began = len(stage.wa.calls), processor_seconds(server.pid), time.perf_counter()
    for turn in range(messages):
        await stage.rc.write(stage.agent, rooms[turn % len(rooms)], f"Answer {turn}: yes, of course we do.")
        if turn % 10 == 0:
            await asyncio.sleep(0)  # the simulators share this loop

    def sent() -> int:
        return sum(call.path == "/messages" for call in stage.wa.calls[calls:])

    await until(lambda: sent() >= messages)
    seconds = time.perf_counter() - began
    return messages / seconds, (processor_seconds(server.pid) - used) / seconds, sent() / messages


async def _late_in(stage: Stage, server: Server) -> str:
    """From the POST until Rocket.Chat has stored it."""
    name, _, secret = server.header.partition(": ")
    room, took = await _room_of(stage, 1), []
    for turn in range(_LATE):
        sent, before = time.time(), len(stage.rc.messages(room))
        content = body("4915112345678", 1, f"late{sent}{turn}", int(sent))
        async with stage.http.post(
            server.url, data=content, headers={name: secret, "Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 200
        [*_, stored] = await stage.rc.until(lambda: stage.rc.messages(room)[before:], timeout=10)  # noqa: B023
        took.append(_seconds(stored["ts"]) - sent)
    return _spread(took)


async def _late_out(stage: Stage) -> str:
    """From the agent's message until 360Dialog has accepted it."""
    room, took = await _room_of(stage, 1), []
    for turn in range(_LATE):
        calls, sent = len(stage.wa.calls), time.time()
        await stage.rc.write(stage.agent, room, f"Late answer {turn}")
        [call, *_] = await stage.wa.until(lambda: stage.wa.calls[calls:], timeout=10)  # noqa: B023
        took.append(call.at - sent)
    return _spread(took)


async def _room_of(stage: Stage, person: int) -> str:
    customer: Customer = stage.wa.customer(f"+4917{person:08}", name=f"Person {person}")
    return await stage.agent_room(customer)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(str(moment).replace("Z", "+00:00")).timestamp()


def _spread(took: list[float]) -> str:
    cuts = quantiles(took, n=100)
    return f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
