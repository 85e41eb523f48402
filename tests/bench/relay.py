"""The road: messages a second and added latency in each direction, and calls for each message.

The rates are measured with other sides that answer at once (`instant`), in a process of their own on the other cores:
the bot is the limit. Its processor time for each message stands beside the rate, because it depends less on what else
the machine does. Latency is measured against the simulators themselves, one message after another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median, quantiles

from bot.sandbox.dialog360 import Customer
from bot.stage import Stage
from tests.bench.between import Instant
from tests.bench.load import body
from tests.bench.machine import Server, processor_seconds, shoot, until
from tests.bench.table import Row, at_least, at_most
from tests.bench.webhooks import bot_alone

_PEOPLE = 100
_LATE = 150
"""Messages, one after another, that measure latency."""


@dataclass(frozen=True)
class _Run:
    rate: float
    share: float
    """Of its core that the bot used."""
    cost_ms: float
    """The bot's processor time for each message."""
    calls: float
    """For each message."""


async def rows(turns: int, messages: int) -> list[Row]:
    instant = Instant()
    async with bot_alone(instant.before) as (stage, server):
        await meet(stage, server)
        await instant.begin()
        inward = [await _inward(instant, server, messages) for _ in range(turns)]
        outward = [await _outward(instant, server, messages, statuses=False) for _ in range(turns)]
        followed = [await _outward(instant, server, messages // 3, statuses=True) for _ in range(turns)]
    async with bot_alone() as (stage, server):
        await meet(stage, server)
        late_in, late_out = await _late_in(stage, server), await _late_out(stage)
    with_marks = median(one.cost_ms for one in followed)
    return [
        _rate("customers' texts relayed to agents a second, from webhook to REST call", inward),
        _rate("agents' texts relayed to customers a second, from websocket to 360Dialog", outward),
        Row(
            "an agent's text with all that follows: `sent`, `delivered` and `read`, and the marks that agents see",
            f"{with_marks:.2f} ms of processor time",
        ),
        at_most("calls to Rocket.Chat for each customer's text", max(one.calls for one in inward), 1.01, "counted"),
        at_most("calls to 360Dialog for each agent's text", max(one.calls for one in outward), 1.01, "counted"),
        Row("added latency, customer to agent, on an idle bot, the simulator's own time included", late_in),
        Row("added latency, agent to customer, on an idle bot, the simulator's own time included", late_out),
    ]


def _rate(figure: str, found: list[_Run]) -> Row:
    rate, share = median(one.rate for one in found), median(one.share for one in found)
    cost = median(one.cost_ms for one in found)
    return at_least(figure, rate, 500, f"{cost:.2f} ms of processor time each; the bot used {share:.0%} of its core")


async def meet(stage: Stage, server: Server, people: int = _PEOPLE) -> None:
    """Every customer has an open conversation, and an agent has written in it."""
    await shoot(server, seconds=60, requests=people, people=people)
    await until(lambda: len(_rooms(stage)) == people)
    for person in range(people):  # to somebody whom WhatsApp does not know nothing would be delivered
        stage.wa.customer(f"+4917{person:08}", name=f"Person {person}")
    before = len(stage.wa.calls)
    for room in _rooms(stage):
        await stage.rc.write(stage.agent, room, "Good morning!")
    await until(lambda: sum(call.path == "/messages" for call in stage.wa.calls[before:]) == people)


def _rooms(stage: Stage) -> list[str]:
    return [id for id, room in stage.rc.rooms.items() if room["t"] == "l"]


async def _inward(instant: Instant, server: Server, messages: int) -> _Run:
    load = shoot(server, seconds=120, requests=messages, people=_PEOPLE)
    return await _measured(instant, server, load, messages, _Until("posts", "rocketchat"))


async def _outward(instant: Instant, server: Server, messages: int, *, statuses: bool) -> _Run:
    load = instant.agents_write(messages, statuses=statuses)
    return await _measured(instant, server, load, messages, _Until("sends", "dialog360", marks=statuses))


@dataclass(frozen=True)
class _Until:
    """All have arrived, counted as `what`; with `marks` also until the last of them is set."""

    what: str
    side: str
    marks: bool = False

    def reached(self, before: Mapping[str, int], now: Mapping[str, int], messages: int) -> bool:
        counted = (self.what, "marks") if self.marks else (self.what,)
        return all(now[one] - before[one] >= messages for one in counted)


async def _measured(
    instant: Instant, server: Server, load: Coroutine[None, None, object], messages: int, until_when: _Until
) -> _Run:
    before, used, began = await instant.counts(), processor_seconds(server.pid), time.perf_counter()
    loading = asyncio.create_task(load)
    now = await instant.until(lambda now: until_when.reached(before, now, messages))
    seconds = time.perf_counter() - began
    spent = processor_seconds(server.pid) - used
    await loading
    calls = (now[until_when.side] - before[until_when.side]) / messages
    return _Run(messages / seconds, spent / seconds, spent / messages * 1000, calls)


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
