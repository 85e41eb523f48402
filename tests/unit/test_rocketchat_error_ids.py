"""What every refusal of Rocket.Chat's REST API is taken for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import (
    AlreadyThere,
    BotError,
    ContactBlocked,
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
from bot.rocketchat.error_ids import error_of, error_of_ddp

SLOW = "Error, too many requests. Please slow down. You must wait 42 seconds before trying this endpoint again."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "room-closed"}, RoomClosed),
        (400, {"error": "invalid-room"}, RoomUnknown),
        (400, {"error": "invalid-token"}, VisitorUnknown),
        (400, {"error": "Sorry, no online agents [no-agent-online]", "errorType": "no-agent-online"}, NoAgentOnline),
        (400, {"error": "Sorry, no online agents [no-agent-online]"}, NoAgentOnline),
        (400, {"errorType": "error-omnichannel-is-disabled", "error": "off"}, OmnichannelOff),
        (400, {"error": "error-contact-channel-blocked"}, ContactBlocked),
        (400, {"error": "message-length-exceeds-character-limit"}, TooLong),
        (400, {"errorType": "error-duplicate-channel-name", "error": "A channel with name 'x' exists"}, AlreadyThere),
        (400, {"error": "TOTP Required [totp-required]", "errorType": "totp-required"}, NotAllowed),
        (400, {"error": "must have required property 'token' [invalid-params]"}, Refused),
        (400, {"reason": "error-not-allowed"}, NotAllowed),
        (400, {"error": "MongoServerError: E11000 duplicate key error [invalid-room]"}, Trouble),
        (401, {"error": "You must be logged in to do this.", "status": "error"}, LoggedOut),
        (401, {"error": "User does not have the permissions [error-unauthorized]"}, NotAllowed),
        (403, {"error": "unauthorized"}, NotAllowed),
        (403, {"error": "a text of the future"}, NotAllowed),
        (404, {"error": "Resource not found"}, NotFound),
        (429, {"error": f"{SLOW} [error-too-many-requests]"}, RateLimited),
        (500, {"error": "Internal server error"}, Trouble),
        (200, {"error": "unheard of"}, Trouble),
        (418, {}, Refused),
        (502, None, Trouble),
        (302, None, Trouble),
        (404, None, Trouble),
        (400, None, Trouble),
        (200, [1], Trouble),
        (401, None, Trouble),
        (403, None, Trouble),
        (429, None, RateLimited),
    ],
)
def test_a_refusal_is_what_its_id_says_else_what_its_status_says(status: int, body: Any, kind: type[BotError]) -> None:
    if isinstance(body, dict):
        body = {"success": False, **body}
    assert type(error_of(status, body)) is kind


@pytest.mark.parametrize(
    "body", [{"message": "Forbidden"}, {"timestamp": "2026-01-01", "status": 403, "error": "Forbidden"}, {}]
)
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_an_object_without_rocketchats_marks_is_of_something_in_front_of_it(status: int, body: dict[str, Any]) -> None:
    assert type(error_of(status, body)) is Trouble


def test_the_sentence_says_how_long_to_wait_and_the_header_helps_when_it_does_not() -> None:
    told = error_of(429, {"success": False, "error": f"{SLOW} [error-too-many-requests]"}, reset_in=5.0)
    assert isinstance(told, RateLimited) and told.after == 42.0
    bare = error_of(429, None, reset_in=5.0)
    assert isinstance(bare, RateLimited) and bare.after == 5.0


def test_a_missing_page_means_a_missing_route_only_where_the_route_is_optional() -> None:
    assert isinstance(error_of(404, None, optional=True), NotFound)
    assert isinstance(error_of(404, None), Trouble)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DdpError("403", "no"), NotAllowed),
        (DdpError("404", "Method 'x' not found"), NotFound),
        (DdpError("500"), Trouble),
        (DdpError("not-allowed"), NotAllowed),
        (DdpError("too-many-requests", wait=3.0), RateLimited),
        (DdpError("error-of-the-future", "sorry"), Refused),
        (DdpError("protocol-error"), Refused),
    ],
)
def test_a_refused_method_is_what_its_error_says(error: DdpError, kind: type[BotError]) -> None:
    found = error_of_ddp(error)
    assert isinstance(found, kind)
    assert not isinstance(found, RateLimited) or found.after == error.wait


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


bodies = st.dictionaries(st.sampled_from(["error", "errorType", "reason", "message"]), json_values)


@given(st.integers(100, 599), bodies)
@settings(max_examples=100)
def test_every_answer_is_some_error(status: int, body: dict[str, Any]) -> None:
    assert isinstance(error_of(status, body), BotError)
