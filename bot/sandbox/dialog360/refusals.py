"""Every way this API says no: Meta's error object, and the two shapes of 360Dialog's gateway in front of it.

Codes, titles and HTTP statuses: Meta, "Cloud API error codes". Gateway texts: 360Dialog, "Error messages".
"""

from __future__ import annotations

import secrets
from typing import Any

Json = dict[str, Any]

TITLES: dict[int, tuple[str, int]] = {
    100: ("Invalid parameter", 400),
    130429: ("Rate limit hit", 400),
    131000: ("Something went wrong", 500),
    131008: ("Required parameter is missing", 400),
    131009: ("Parameter value is not valid", 400),
    131021: ("Recipient cannot be sender", 400),
    131026: ("Message undeliverable", 400),
    131030: ("Recipient phone number not in allowed list", 400),
    131031: ("Business Account locked", 403),
    131042: ("Business eligibility payment issue", 400),
    131047: ("Re-engagement message", 400),
    131048: ("Spam rate limit hit", 400),
    131049: ("This message was not delivered to maintain healthy ecosystem engagement.", 400),
    131051: ("Unsupported message type", 400),
    131052: ("Media download error", 400),
    131053: ("Media upload error", 400),
    131056: ("(Business Account, Consumer Account) pair rate limit hit", 400),
    131062: ("Business-scoped User ID (BSUID) recipients are not supported for this message", 400),
    132000: ("Number of parameters does not match the expected number of params", 400),
    132001: ("Template name does not exist in the translation", 404),
    132005: ("Translated text too long", 400),
    132012: ("Parameter format does not match format in the created template", 400),
    132015: ("Template is paused", 400),
    132016: ("Template is disabled", 400),
    132018: ("There was an issue with the parameters in your template", 400),
}


class Refusal(Exception):
    """An answer that is no. `body` is what goes over the wire."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def graph(code: int, details: str = "", *, subcode: int | None = None, status: int | None = None) -> Refusal:
    """Meta's error object. Code 100 carries its reason in the message itself, the 13xxxx codes in `error_data`."""
    title, usual = TITLES[code]
    error: Json = {
        "message": f"(#{code}) {details if code == 100 and details else title}",
        "type": "OAuthException",
        "code": code,
    }
    if subcode is not None:
        error["error_subcode"] = subcode
    if details and code != 100:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    error["fbtrace_id"] = "A" + secrets.token_urlsafe(16)
    return Refusal(status or usual, {"error": error})


def gateway(status: int, message: str, *details: str) -> Refusal:
    """The older shape of 360Dialog's own answers."""
    meta: Json = {"success": False, "http_code": status, "developer_message": message}
    if details:
        meta["details"] = list(details)
    return Refusal(status, {"meta": meta})


def gateway_text(status: int, message: str) -> Refusal:
    """The newer shape of 360Dialog's own answers."""
    return Refusal(status, {"error": message})


def invalid_key() -> Refusal:
    return gateway(401, "Invalid api_key")


def status_error(code: int, details: str = "", title: str = "") -> Json:
    """The same reason as an item of `statuses[].errors` (Meta: webhooks/reference/messages/status)."""
    known = title or TITLES.get(code, ("Something went wrong", 500))[0]
    error: Json = {"code": code, "title": known, "message": known}
    if details:
        error["error_data"] = {"details": details}
    error["href"] = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"
    return error
