"""Words of the wire: ids, dates as REST and DDP write them, and the errors a server answers with.

Documents hold dates as aware `datetime`; REST writes ISO 8601 with milliseconds, DDP writes `{"$date": ms}`.
"""

from __future__ import annotations

import json
import random
import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Doc = dict[str, Any]

_UNMISTAKABLE = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"


def new_id(length: int = 17) -> str:
    """Meteor's Random.id: 17 unmistakable characters."""
    return "".join(random.choices(_UNMISTAKABLE, k=length))


def new_token() -> str:
    """A login token: 43 characters that nobody guesses."""
    return "".join(secrets.choice(string.ascii_letters + string.digits + "-_") for _ in range(43))


def moment(seconds: float) -> datetime:
    """Unix seconds to the date that the database keeps: whole milliseconds, UTC."""
    ms = int(seconds * 1000)
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def copied(document: Any) -> Any:
    """All that a document holds, apart from it. `copy.deepcopy` looks at each text and date too, and a busy workspace
    would spend half of its time there."""
    if isinstance(document, dict):
        return {name: copied(value) for name, value in document.items()}
    if isinstance(document, list):
        return [copied(value) for value in document]
    return document


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def from_iso(text: str) -> datetime | None:
    """What JavaScript's Date makes of an ISO text; None for an invalid date."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def rest_json(value: object) -> str:
    def fallback(item: object) -> str:
        if isinstance(item, datetime):
            return iso(item)
        raise TypeError(type(item).__name__)

    return json.dumps(value, default=fallback, ensure_ascii=False)


def ejson(value: object) -> str:
    def fallback(item: object) -> Doc:
        if isinstance(item, datetime):
            return {"$date": to_ms(item)}
        raise TypeError(type(item).__name__)

    return json.dumps(value, default=fallback, ensure_ascii=False)


class Refusal(Exception):
    """The server says no; subclasses say in which words."""


class MeteorError(Refusal):
    """`throw new Meteor.Error(id, reason, details)`."""

    def __init__(self, id: str | int, reason: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        self.id, self.reason, self.details = id, reason, details
        self.message = f"{reason} [{id}]" if reason else f"[{id}]"
        super().__init__(self.message)

    def ddp(self) -> Doc:
        """The error object of `result` and `nosub` frames; details only when there are some."""
        error: Doc = {"isClientSafe": True, "errorType": "Meteor.Error", "error": self.id, "message": self.message}
        if self.reason:
            error["reason"] = self.reason
        if self.details:
            error["details"] = dict(self.details)
        return error


class PlainError(Refusal):
    """`throw new Error(text)`: REST shows the text without an errorType, DDP hides it."""


class Answer(Refusal):
    """A whole HTTP answer: for bodies that follow no common shape."""

    def __init__(self, status: int, body: Doc | None, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, dict(headers or {})
        super().__init__(f"{status} {body}")


def failure(text: str, error_type: str | None = None) -> Answer:
    """`API.v1.failure(text, type)`."""
    body: Doc = {"success": False, "error": text}
    if error_type:
        body["errorType"] = error_type
    return Answer(400, body)
