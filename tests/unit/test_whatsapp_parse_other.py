"""Promises of the parser for what is no message: statuses, and everything else that a webhook brings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.model import WireError
from bot.whatsapp import parse
from bot.whatsapp.envelope import entries


def test_a_status_is_read() -> None:
    item = {
        "id": "wamid.A=", "status": "Failed", "timestamp": "1749416383", "recipient_id": "16505551234",
        "biz_opaque_callback_data": "rc:1#0",
        "errors": [{"code": "131047", "title": "Re-engagement message", "error_data": {"details": "24 hours"}}, 7],
    }  # fmt: skip
    found = parse.status({"item": item})
    assert (found.wamid, found.state, found.at, found.recipient) == ("wamid.A=", "failed", 1749416383.0, "16505551234")
    assert found.opaque == "rc:1#0"
    assert found.errors[0] == WireError(131047, "Re-engagement message", "24 hours")


def test_a_status_for_somebody_without_phone_names_the_user_id() -> None:
    assert parse.status({"item": {"id": "w", "status": "sent", "recipient_user_id": "DE.1"}}).recipient == "DE.1"


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        (
            {"event": "PAUSED", "message_template_name": "hi", "message_template_language": "de", "reason": "LOW"},
            "message_template_status_update",
            ("template_status", "hi de PAUSED LOW"),
        ),
        ({"event": "ACCOUNT_RESTRICTION"}, "account_update", ("account", "account_update ACCOUNT_RESTRICTION")),
        ({"calls": [{"id": "wacid.1", "event": "connect"}]}, "calls", ("call", "connect")),
        ({"message_echoes": [{"type": "text"}]}, "smb_message_echoes", ("echo", "smb_message_echoes text")),
        ({"groups": [{"type": "gone"}]}, "group_status_update", ("group", "group_status_update gone")),
        ({"errors": [{"code": 1, "error_data": {"details": "API down"}}]}, "messages", ("error", "API down")),
        ({"errors": [{"code": 7}]}, "messages", ("error", "code 7")),
        ({"errors": ["odd"]}, "messages", ("error", "code ?")),
        ({"moon": 1}, "moon_phase", ("unknown", "moon_phase moon")),
    ],
)  # fmt: skip
def test_other_items_have_a_word_and_a_line(value: dict[str, Any], field: str, expected: tuple[str, str]) -> None:
    body = json.dumps({"entry": [{"changes": [{"field": field, "value": value}]}]}).encode()
    (entry,) = entries(body, "1", 2.0)
    assert parse.other(entry.body) == expected


def test_a_body_that_was_no_json_is_told_by_its_beginning() -> None:
    assert parse.other({"text": "hello\nthere", "at": 1.0}) == ("text", "hello there")
