"""What a refusal of Rocket.Chat's means, over REST and over DDP, as one table.

The id of an error hides in four places (Rocket.Chat 8.3 `app/api/server/ApiClass.ts`): `errorType`; `error` itself when
the server threw a plain Error; the bracket at the end of `error` (`Sorry, no online agents [no-agent-online]`); and
`reason` on uploads. Texts and even status codes change between versions, ids rarely do, so the id is looked at first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.errors import (
    AlreadyThere,
    BotError,
    ContactBlocked,
    DepartmentUnknown,
    LoggedOut,
    NoAgentOnline,
    NotAllowed,
    NotFound,
    OmnichannelOff,
    RateLimited,
    Refused,
    RoomClosed,
    RoomUnknown,
    TooLong,
    Trouble,
    VisitorUnknown,
)
from bot.rocketchat.ddp import DdpError

_ERRORS: dict[str, type[BotError]] = {
    "room-closed": RoomClosed,
    "error-room-closed": RoomClosed,
    "This_conversation_is_already_closed": RoomClosed,
    "invalid-room": RoomUnknown,
    "error-invalid-room": RoomUnknown,
    "error-room-not-found": RoomUnknown,
    "room-not-found": RoomUnknown,
    "cannot-access-room": RoomUnknown,
    "invalid-token": VisitorUnknown,
    "error-invalid-token": VisitorUnknown,
    "no-agent-online": NoAgentOnline,
    "error-omnichannel-is-disabled": OmnichannelOff,
    "error-contact-channel-blocked": ContactBlocked,
    "error-invalid-department": DepartmentUnknown,
    "message-length-exceeds-character-limit": TooLong,
    "error-message-size-exceeded": TooLong,
    "error-duplicate-channel-name": AlreadyThere,
    "error-archived-duplicate-name": AlreadyThere,
    "invalid-message": NotFound,
    "error-message-not-found": NotFound,
    "error-user-not-found": NotFound,
    "error-invalid-user": NotFound,
    "error-too-many-requests": RateLimited,
    "too-many-requests": RateLimited,
    "error-failed-to-start-conversation": Trouble,  # its transaction lost against others too often
    "totp-required": NotAllowed,
    "totp-invalid": NotAllowed,
    "unauthorized": NotAllowed,
    "error-unauthorized": NotAllowed,
    "not-authorized": NotAllowed,
    "error-not-authorized": NotAllowed,
    "forbidden": NotAllowed,
    "error-forbidden": NotAllowed,
    "not-allowed": NotAllowed,
    "error-not-allowed": NotAllowed,
    "error-action-not-allowed": NotAllowed,
    "error-no-permission": NotAllowed,
}

_NUMBERS = {"400", "401", "403", "404", "500"}
_BRACKET = re.compile(r"\[([\w.-]{1,100})\]\s*\Z")
_SECONDS = re.compile(r"wait (\d{1,6}) second")


def error_of(status: int, body: object, *, reset_in: float | None = None, optional: bool = False) -> BotError:
    """The error that an answer stands for. `body` is the parsed JSON, or None when it was none.

    `reset_in`: seconds until the rate limit's window ends, as the headers tell. `optional`: the route need not exist
    on every version, so a bare 404 says so. Elsewhere what is not Rocket.Chat's own comes from a proxy whose server is
    away, a firewall or a login page in front of it: nothing was refused, and no login has ended.
    """
    if not isinstance(body, Mapping) or not ("success" in body or body.get("status") == "error"):
        if status == 429:
            return RateLimited(f"HTTP {status}", reset_in)
        return NotFound(f"HTTP {status}") if status == 404 and optional else Trouble(f"HTTP {status}")
    said = next((value for name in ("error", "reason", "message") if isinstance(value := body.get(name), str)), "")
    said = said or f"HTTP {status}"
    if "E11000" in said:  # two creations at once: the next try finds the winner's
        return Trouble(said)
    kind = next((_ERRORS[id] for id in ids(body) if id in _ERRORS), None) or _by_status(status)
    return RateLimited(said, _seconds(said, reset_in)) if issubclass(kind, RateLimited) else kind(said)


def error_of_ddp(error: DdpError) -> BotError:
    """The same for a DDP method: its error is an id, or a number like HTTP's."""
    said = str(error)
    kind = _ERRORS.get(error.code) or (_by_status(int(error.code)) if error.code in _NUMBERS else Refused)
    return RateLimited(said, error.wait) if issubclass(kind, RateLimited) else kind(said)


def ids(body: Mapping[str, Any]) -> Iterator[str]:
    """Everything in a body that may be the id of its error, surest first."""
    for name in ("errorType", "error", "reason"):
        value = body.get(name)
        if not isinstance(value, str):
            continue
        yield value
        if found := _BRACKET.search(value[-200:]):
            yield found[1]


def _by_status(status: int) -> type[BotError]:
    if status == 401:
        return LoggedOut
    if status == 403:
        return NotAllowed
    if status == 404:
        return NotFound
    if status == 429:
        return RateLimited
    return Refused if 400 <= status < 500 and status not in (408, 425) else Trouble


def _seconds(said: str, reset_in: float | None) -> float | None:
    """The sentence is surer than the header, which counts by the server's clock."""
    found = _SECONDS.search(said)
    return float(found[1]) if found else reset_in
