"""Rows of the journal's tables, and the domain's values that they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports import ASIDE, Backlog, Entry, Kind, Step, Stored


class Row(Protocol):
    """A row whose values are found by the names of the columns."""

    def __getitem__(self, name: str, /) -> Any: ...


Values = tuple[Any, ...]

LAST_SEQ = _INT64 = 2**63 - 1


BACKLOG = """
    SELECT kind, count(*) AS waiting, min(first_at) AS oldest FROM entries WHERE state = 'waiting' GROUP BY kind
"""


WAITS_ASIDE = " + ".join(
    f"(SELECT count(*) FROM entries WHERE state = 'waiting' AND lane >= '{kind}:' AND lane < '{kind};')"  # noqa: S608 - our own names
    for kind in ASIDE
)
"""By lanes, because those stand in the index of what waits."""


def backlog_of(rows: Iterable[Row]) -> dict[Kind, Backlog]:
    return {row["kind"]: Backlog(int(row["waiting"]), float(row["oldest"])) for row in rows}


def between(prefix: str, after: str) -> tuple[str, str]:
    """Between these are the names that begin with `prefix` and come behind `after`."""
    return max(prefix, after), f"{prefix}\U0010ffff"


def marks_of(rows: Iterable[Row]) -> dict[str, str]:
    return {str(row["name"]): str(row["value"]) for row in rows}


def storable(text: str) -> str:
    """Half characters (lone surrogates) cannot be written as UTF-8: they are spelled out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def without_nul(text: str) -> str:
    """PostgreSQL's text holds every character but this one: it is spelled out."""
    return text.replace("\0", "\\x00")


def plain(text: str) -> str:
    """As it is stored: neither half characters nor NUL."""
    return without_nul(storable(text))


def written(value: Mapping[str, Any]) -> str:
    """As JSON. Raises TypeError or ValueError for what JSON cannot say."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half characters, huge numbers: the standard library knows how to write them
        return json.dumps(value, separators=(",", ":"))


def expired(why: str) -> str:
    """Result of a dead letter that was kept long enough: the class of its error, without what a server said."""
    return written({"expired": why.partition(":")[0]})


def new_values(entry: Entry) -> Values:
    """key, lane, kind, source, at_ms, body, rest."""
    return (
        storable(entry.key),
        storable(entry.lane),
        entry.kind,
        storable(entry.source),
        max(-_INT64, min(int(entry.at_ms), _INT64)),
        written(entry.body),
        float(entry.rest),
    )


def entry_of(row: Row) -> Entry:
    return Entry(
        key=row["key"],
        lane=row["lane"],
        kind=row["kind"],
        body=json.loads(row["body"]) if row["body"] is not None else {},
        at_ms=row["at_ms"],
        source=row["source"],
        seq=row["seq"],
        tries=row["tries"],
        confirming=bool(row["confirming"]),
        first_at=row["first_at"],
        steps=steps_of(row["steps"]),
        given_up_at=row["closed_at"] if row["state"] == "waiting" else 0.0,
    )


def stored_of(row: Row) -> Stored:
    closed_at = 0.0 if row["state"] == "waiting" else row["closed_at"]
    return Stored(entry_of(row), row["state"], row["why"], json.loads(row["result"]), closed_at, row["due"])


def steps_of(text: str) -> dict[int, Step]:
    return {int(part): Step(state, ref) for part, (state, ref) in json.loads(text).items()} if text != "{}" else {}


def steps_text(steps: Mapping[int, Step]) -> str:
    return written({str(part): (step.state, step.ref) for part, step in sorted(steps.items())})


def pair_values(pair: Pair) -> Values:
    """wamid, message, room, number, contact, outbound, entry, state, state_at."""
    return (
        pair.wamid, pair.message, pair.room, pair.number, pair.contact, int(pair.outbound), pair.entry, pair.state,
        pair.state_at,
    )  # fmt: skip


def pair_of(row: Row) -> Pair:
    return Pair(
        wamid=Wamid(row["wamid"]),
        message=MessageId(row["message"]),
        room=RoomId(row["room"]),
        number=NumberId(row["number"]),
        contact=ContactId(row["contact"]),
        outbound=bool(row["outbound"]),
        entry=row["entry"],
        state=row["state"],
        state_at=row["state_at"],
    )


def conversation_of(row: Row, token: VisitorToken) -> Conversation:
    return Conversation(
        number=NumberId(row["number"]),
        contact=ContactId(row["contact"]),
        token=token,
        room=RoomId(row["room"]) if row["room"] is not None else None,
        phone=row["phone"],
        user_id=row["user_id"],
        name=row["name"],
        last_inbound_at=row["last_inbound_at"],
    )
