"""The DDP protocol without I/O: frames in, events out, and the texts of what to send.

One `Ddp` stands for one connection. It speaks with both servers that Rocket.Chat puts behind `/websocket`: Meteor's
own (`packages/ddp-server`, in a single-process workspace) and Rocket.Chat's `ee/apps/ddp-streamer` (in a cluster).
They differ: `updated` before or after `result`, a `server_id` frame, a ping before `connected`, protocol errors as
`error` frames or as a closed socket. Nothing here depends on which one it is, and no input whatever raises.

Values stay as they are on the wire (EJSON): a moment is `{"$date": <ms>}`, see `bot.rocketchat.parse.moment`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOO_MANY = "too-many-requests"
_WAIT = re.compile(r"wait (\d{1,9}) second")


@dataclass(frozen=True, slots=True)
class DdpError:
    """An error object. `code` is its id as text (`403`, `not-allowed`); `wait` seconds when it is the rate limiter."""

    code: str
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    wait: float | None = None

    def __str__(self) -> str:
        return f"{self.reason} [{self.code}]" if self.reason else self.code


@dataclass(frozen=True, slots=True)
class Send:
    """This text has to go out now (the answer to a ping)."""

    text: str


@dataclass(frozen=True, slots=True)
class Connected:
    session: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The server speaks no version of ours; it offers this one and closes."""

    version: str


@dataclass(frozen=True, slots=True)
class Result:
    """A call is answered. `error` is None when it worked; a method without a return value gives None."""

    id: str
    value: Any = None
    error: DdpError | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    id: str


@dataclass(frozen=True, slots=True)
class NoSub:
    """A subscription was refused, or has ended."""

    id: str
    error: DdpError | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """An event of a stream: `collection` is the stream's name."""

    collection: str
    event_name: str
    args: list[Any]


@dataclass(frozen=True, slots=True)
class ServerError:
    """An `error` frame that names no call or subscription of ours."""

    reason: str


Event = Send | Connected | Failed | Result | Ready | NoSub | Changed | ServerError


class Ddp:
    """Counts ids and remembers what is still open, so that nobody waits for an answer that cannot come."""

    def __init__(self) -> None:
        self._last = 0
        self._calls: set[str] = set()
        self._subs: set[str] = set()

    def connect(self) -> str:
        return _frame(msg="connect", version="1", support=["1", "pre2", "pre1"])

    def ping(self) -> str:
        return _frame(msg="ping")

    def call(self, method: str, *params: Any) -> tuple[str, str]:
        """Id of the coming `Result`, and the text to send."""
        id = self._next()
        self._calls.add(id)
        return id, _frame(msg="method", method=method, id=id, params=list(params))

    def subscribe(self, name: str, *params: Any) -> tuple[str, str]:
        """Id of the coming `Ready` or `NoSub`, and the text to send."""
        id = self._next()
        self._subs.add(id)
        return id, _frame(msg="sub", id=id, name=name, params=list(params))

    def feed(self, frame: str) -> list[Event]:
        """What a frame means; nothing when it is none of our business or no DDP at all."""
        try:
            data = json.loads(frame)
        except (ValueError, RecursionError):
            return []
        if not isinstance(data, dict):
            return []
        match data.get("msg"):
            case "ping":
                return [Send(_frame(msg="pong", **({"id": data["id"]} if "id" in data else {})))]
            case "connected":
                return [Connected(_text(data.get("session")))]
            case "failed":
                return [Failed(_text(data.get("version")))]
            case "result":
                return self._result(data)
            case "ready":
                subs = data.get("subs")
                return [Ready(id) for id in map(_text, subs) if id in self._subs] if isinstance(subs, list) else []
            case "nosub":
                id = _text(data.get("id"))
                if id not in self._subs:
                    return []
                self._subs.discard(id)
                return [NoSub(id, _error(data.get("error")))]
            case "changed":
                return _changed(data)
            case "error":
                return [self._protocol_error(data)]
        return []

    def _next(self) -> str:
        self._last += 1
        return str(self._last)

    def _result(self, data: dict[str, Any]) -> list[Event]:
        id = _text(data.get("id"))
        if id not in self._calls:
            return []
        self._calls.discard(id)
        return [Result(id, data.get("result"), _error(data.get("error")))]

    def _protocol_error(self, data: dict[str, Any]) -> Event:
        """Meteor answers a malformed `method` or `sub` with an `error` frame *instead of* `result` or `nosub`."""
        offending, reason = data.get("offendingMessage"), _text(data.get("reason"))
        id = _text(offending.get("id")) if isinstance(offending, dict) else ""
        if id in self._calls:
            self._calls.discard(id)
            return Result(id, None, DdpError("protocol-error", reason))
        if id in self._subs:
            self._subs.discard(id)
            return NoSub(id, DdpError("protocol-error", reason))
        return ServerError(reason)


def _frame(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or isinstance(value, dict | list) else json.dumps(value)


def _changed(data: dict[str, Any]) -> list[Event]:
    fields = data.get("fields")
    if not isinstance(fields, dict) or not isinstance(fields.get("args"), list):
        return []
    return [Changed(_text(data.get("collection")), _text(fields.get("eventName")), fields["args"])]


def _error(raw: Any) -> DdpError | None:
    """Any value but null under `error` means that it failed, whatever its shape."""
    if raw is None:
        return None
    if not isinstance(raw, dict):
        return DdpError(_text(raw) or "unknown")
    details = raw.get("details")
    if not isinstance(details, dict):
        details = {}
    code = _text(raw.get("error")) or "unknown"
    reason = _text(raw.get("reason")) or _text(raw.get("message"))
    return DdpError(code, reason, details, _wait(details, reason) if code == TOO_MANY else None)


def _wait(details: Mapping[str, Any], reason: str) -> float | None:
    """Meteor's ddp-rate-limiter gives `timeToReset` in milliseconds, and says seconds in its sentence."""
    reset = details.get("timeToReset")
    if isinstance(reset, int | float) and 0 <= reset < 3_600_000:
        return reset / 1000
    said = _WAIT.search(reason)
    return float(said[1]) if said else None
