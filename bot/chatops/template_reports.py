"""What became of a template for each of its recipients, in words; and the handler of `template.report`, which says so
in the room where it was asked for, once all of them are dealt with. Of those that wait for long it says so, and later,
in a second report, how it ended for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot import errors
from bot.chatops.command import Reply, Value, Words
from bot.chatops.voice import Voice
from bot.errors import BotError, Trouble
from bot.model import RoomId
from bot.ports import Clock, Entry, Outcome
from bot.relay.retry import DAY
from bot.relay.template_orders import Order, Orders, Result

ROWS = 50
"""Recipients in one message of the report: workspaces limit how long a message may be."""
_A_WHILE = 3.0
_PATIENCE = 15 * 60.0
"""Seconds after which those that still wait are reported as waiting."""
_LATEST = DAY - 10 * 60.0
"""Seconds after which the second report is made, whoever still waits: what waits is given up when it is a day old."""


def report_entry(order: Order) -> Entry:
    return Entry(f"tplreport:{order.id}", f"tplreport:{order.id}", "template.report", order.document())


def report(order: Order, results: Sequence[Result]) -> list[Reply]:
    """In as many messages as it needs."""
    return _report(str(order.template["name"]), results)


def _report(template: str, results: Sequence[Result]) -> list[Reply]:
    """Who is not known any more is only counted."""
    counts: dict[str, Value] = {state: sum(one.state == state for one in results) for state in ("sent", "failed")}
    about: dict[str, Value] = {"template": template, "n": len(results), **counts}
    rows: list[Mapping[str, Value]] = [
        {"to": f"+{one.to}" if one.to.isdecimal() else one.to, "result": _words(one)} for one in results if one.to
    ]
    parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)] or [[]]
    return [
        Reply("send_template.result", {**about, "first": number == 0}, tuple(part), layout="template_result")
        for number, part in enumerate(parts)
    ]


def _words(result: Result) -> Words:
    """The journal keeps an error by its name and what the server said; the sentence belongs to the name."""
    if result.state in ("sent", "waiting"):
        return Words(f"send_template.{result.state}")
    name, _, said = result.why.partition(": ")
    error = vars(errors).get(name)
    sentence = error.sentence if isinstance(error, type) and issubclass(error, BotError) else BotError.sentence
    values: Mapping[str, Value] = {"reason": Words(sentence, {"said": said})}
    return Words(f"send_template.{result.state}", values)


class TemplateReports:
    def __init__(self, orders: Orders, clock: Clock, voice: Voice) -> None:
        self._orders = orders
        self._clock = clock
        self._voice = voice

    async def __call__(self, entry: Entry) -> Outcome:
        late = "keys" in entry.body
        if late:
            results = await self._orders.standing(entry.body["keys"])
        else:
            order = Order.of(entry.body)
            results = await self._orders.results(order, _A_WHILE)
        waiting = sum(result.state == "waiting" for result in results)
        if waiting and self._clock.now() - entry.first_at < (_LATEST if late else _PATIENCE):
            raise Trouble(f"{waiting} recipients are not dealt with yet", after=60.0 if late else 2.0)
        template = str(entry.body["template"] if late else order.template["name"])
        for number, reply in enumerate(_report(template, results)):
            await self._voice.say(entry, RoomId(entry.body["room"]), reply, str(number) if number else "")
        then = (_second(order, results),) if waiting and not late else ()
        return Outcome({"recipients": len(results), "waiting": waiting}, then=then)


def _second(order: Order, results: Sequence[Result]) -> Entry:
    """Of those that wait. It names nobody: it may wait for a day itself."""
    keys = [key for key, one in zip(order.send_keys(), results, strict=True) if one.state == "waiting"]
    body = {"keys": keys, "template": order.template["name"], "room": order.room}
    return Entry(f"tplreport:{order.id}:2", f"tplreport:{order.id}", "template.report", body)
