"""What an error of WhatsApp or 360Dialog means for us: codes and answers → classes of `bot.errors`.

Codes: Meta: whatsapp/support/error-codes. Answers that are no success come in four shapes, perhaps as a sentence of
360Dialog's alone, and as HTML, other words or nothing from a proxy, firewall or login page in between:

    {"meta": {"success": false, "http_code": 401, "developer_message": "Invalid api_key", "details": […]}}   360Dialog
    {"error": "…"}                                                                                           360Dialog
    {"error": {"message", "code", "error_data": {"details"}, "is_transient"?, …}}                            Meta
    {"errors": [{"code", "title", "details"}]}                                                               on-prem

`said` of every error is the server's reason, also under `values["said"]`; never a header, a key or our own request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bot.errors import (
    BotError,
    Busy,
    InvalidRequest,
    KeyInvalid,
    MarketingStopped,
    MediaRefused,
    NotFound,
    NotOnWhatsApp,
    NumberBlocked,
    PairLimited,
    RateLimited,
    Refused,
    TemplateRefused,
    Trouble,
    Undeliverable,
    Unpaid,
    Unsure,
    WindowClosed,
)
from bot.model import WireError
from bot.whatsapp.raw import items, line, number, obj, text, wire_errors, words

Numbers = int | range

CLASSES: Mapping[type[BotError], tuple[Numbers, ...]] = {
    WindowClosed: (131047, 470),
    NotOnWhatsApp: (131026, 131030, 1013, 1026),
    Undeliverable: (368, 130472, 130497, 131048, 131049, 131064),
    MarketingStopped: (131050,),
    KeyInvalid: (0, 190),
    NumberBlocked: (3, 10, range(200, 300), 131005, 131031, 131037, 131045, range(133000, 133017)),
    Unpaid: (131042, 131044, 134011),
    TemplateRefused: (131063, range(132000, 132070), range(2000, 2100), range(2388000, 2389000)),
    MediaRefused: (1006, 1014, 131052, 131053),
    InvalidRequest: (
        33, 100, 480, 501, 131008, 131009, 131020, 131021, 131041, 131051, 131059, 131062, 137000,
        range(131201, 131216), range(138000, 138019), range(139000, 139104), range(147001, 147006),
    ),
    NotFound: (803,),
    Trouble: (1, 2, 131000, 131016, 131057, 133004),
    RateLimited: (4, 471, 613, 80007, 130429, 138013),
    PairLimited: (131056,),
}  # fmt: skip
"""Ranges are families; a code that is named by itself outweighs the range that holds it (133004 in 133000…133016)."""

_EXACT = {code: error for error, codes in CLASSES.items() for code in codes if isinstance(code, int)}
_RANGES = [(codes, error) for error, parts in CLASSES.items() for codes in parts if isinstance(codes, range)]

_RATE = re.compile(r"rate.?limit|too many (requests|messages)", re.I)
_UNPAID = re.compile(r"lack of payment|payment (issue|required|method)|unpaid", re.I)
_OWN_WORDS = re.compile(r"api.?key|endpoint rate limit|lack of payment|has been disabled|endpoint is blocked", re.I)
"""Of 360Dialog's sentences (docs.360dialog.com: error messages)."""
_BLOCKED = re.compile(r"\b(blocked|disabled)\b", re.I)
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.I)
_CODE_IN_FRONT = re.compile(r"^\(#\d+\)\s*")
_LONGEST_WAIT = 86_400.0
_HEAD_OF_PAGE = 4000


def class_of(code: int) -> type[BotError] | None:
    """None: a code that nobody documented."""
    return _EXACT.get(code) or next((error for codes, error in _RANGES if code in codes), None)


def from_answer(status: int, body: str, retry_after: str | None = None, *, optional: bool = False) -> BotError:
    """The error that an HTTP answer stands for; also for a 2xx whose body is no success, which leaves us unsure.

    A code of Meta's decides, then the words of 360Dialog's gateway, then the HTTP status. 500 and 504 without a reason
    may come after the message was taken. A 4xx in nobody's shape is of something in front of 360Dialog, to which
    nothing was handed over: Trouble. Of those, 401 without a page still means the key, and 413 the size.
    `retry_after` is the header: seconds, or a date, which is ignored. `optional`: what is asked for need not exist, so
    404 says so in whatever form; elsewhere only in 360Dialog's.
    """
    code, said, transient, shaped = _read(body)
    page = body.lstrip().startswith("<")
    explained = code is not None or (bool(said) and not page)
    own = shaped or bool(not page and _OWN_WORDS.search(said)) or (status == 401 and not page)
    wait = number(retry_after)
    after = min(wait, _LONGEST_WAIT) if wait is not None and wait > 0 else None
    foreign = 400 <= status < 500 and not own and status not in (413, 429) and not (status == 404 and optional)
    error = Trouble if foreign else _judge(status, code, said, transient=transient)
    if status in (502, 503) and error is Trouble and body.strip() and not explained:
        error = Unsure  # a proxy in between gave up waiting, perhaps after the message was taken
    return _error(error, said or f"HTTP {status}", after)


def from_wire(errors: tuple[WireError, ...]) -> BotError:
    """The error of a `failed` status. Code 0 is no code here; the first code that is known counts."""
    known = [(error, class_of(error.code)) for error in errors if error.code]
    for error, cls in known:
        if cls is not None:
            return _error(cls, error.details or error.title or f"code {error.code}")
    return _error(Refused, words(errors) or (f"code {errors[0].code}" if errors else "failed"))


def _judge(status: int, code: int | None, said: str, *, transient: bool) -> type[BotError]:
    cls = class_of(code) if code is not None else None
    if status == 401 or (cls is KeyInvalid and status >= 400):
        return KeyInvalid
    if cls is not None and issubclass(cls, Busy):
        return cls
    if transient:
        return Trouble
    if cls is not None and cls is not KeyInvalid:
        return cls
    if status == 429 or (400 <= status < 500 and _RATE.search(said)):
        return RateLimited
    if 400 <= status < 500 and _UNPAID.search(said):
        return Unpaid
    if status == 403 or (status == 400 and _BLOCKED.search(said)):
        return NumberBlocked
    if status == 404:
        return NotFound
    if 400 <= status < 500 and status != 408:
        return InvalidRequest
    return Trouble if status in (408, 502, 503) or 300 <= status < 400 else Unsure


def _error(cls: type[BotError], said: str, after: float | None = None) -> BotError:
    error = cls(said, after=after) if after is not None and issubclass(cls, Busy) else cls(said)
    error.values["said"] = error.said
    return error


def _read(body: str) -> tuple[int | None, str, bool, bool]:
    """Code or None, the reason in the server's words, whether the server calls it transient, and whether the body has
    one of the four shapes."""
    try:
        answer = obj(json.loads(body))
    except (ValueError, RecursionError):
        title = _TITLE.search(body[:_HEAD_OF_PAGE])
        return None, line(title.group(1) if title else "" if "<" in body else body, 200), False, False
    error = answer.get("error")
    if isinstance(error, dict):
        code = number(error.get("code"))
        return int(code) if code is not None else None, _reason(error), error.get("is_transient") is True, True
    if isinstance(answer.get("errors"), list):
        found = wire_errors(answer["errors"])
        return found[0].code or None if found else None, words(found), False, True
    meta = obj(answer.get("meta"))
    said = [text(error), line(meta.get("developer_message")), *map(line, items(meta.get("details")))]
    return None, line(" ".join(filter(None, said))), False, "meta" in answer or "error" in answer


def _reason(error: Mapping[str, Any]) -> str:
    """The most telling of Meta's sentences; `error_data` may be a bare string."""
    data = error.get("error_data")
    details = data if isinstance(data, str) else obj(data).get("details")
    said = line(details) or line(error.get("error_user_msg")) or line(error.get("message"))
    return _CODE_IN_FRONT.sub("", said)
