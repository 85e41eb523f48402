"""Promises of the error table: every answer and every failed status has one meaning, told in the server's words."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from bot.translations import translator
from bot.whatsapp.error_codes import CLASSES, class_of, from_answer, from_wire


def meta(code: int, message: str = "m", **more: object) -> str:
    return json.dumps({"error": {"message": message, "type": "OAuthException", "code": code, **more}})


def gateway(said: str) -> str:
    return json.dumps({"meta": {"success": False, "http_code": 400, "developer_message": said}})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        # 360Dialog's gateway: docs.360dialog.com error messages
        (401, gateway("Invalid api_key"), KeyInvalid),
        (401, "", KeyInvalid),
        (400, gateway("You have exceeded the endpoint rate limit"), RateLimited),
        (429, "", RateLimited),
        (429, '{"error":"Too Many Requests"}', RateLimited),
        (400, gateway("Could not send message due to lack of payment. Please contact us"), Unpaid),
        (400, gateway("Your WhatsApp for Business API has been disabled"), NumberBlocked),
        (403, gateway("The endpoint is blocked"), NumberBlocked),
        (403, "The endpoint is blocked", NumberBlocked),
        (400, "You have exceeded the endpoint rate limit", RateLimited),
        (400, "Could not send message due to lack of payment.", Unpaid),
        (400, "Your WhatsApp for Business API has been disabled", NumberBlocked),
        (401, "Unauthorized", KeyInvalid),
        (404, '{"error":"not found"}', NotFound),
        (400, '{"error":"something odd"}', InvalidRequest),
        (413, "<html><title>Too large</title></html>", InvalidRequest),
        # somebody else's, in front of 360Dialog: a proxy, a firewall, a login page
        (403, "<html><title>403 Forbidden</title></html>", Trouble),
        (403, "RBAC: access denied", Trouble),
        (403, "Access to this site is blocked", Trouble),
        (403, "", Trouble),
        (403, '{"message":"Forbidden"}', Trouble),
        (400, "<html><title>400 Bad Request</title></html>", Trouble),
        (401, "<html><title>Please log in</title></html>", Trouble),
        (402, "<html><title>402 Payment Required</title></html>", Trouble),
        (404, "<html><title>404 Not Found</title></html>", Trouble),
        (404, "", Trouble),
        (407, "", Trouble),
        (451, "<html>", Trouble),
        (302, "", Trouble),
        (408, "", Trouble),
        (502, '{"error":"WhatsApp for Business API not available"}', Trouble),
        (502, "<html><head><title>502 Bad Gateway</title></head></html>", Unsure),
        (503, "", Trouble),
        (500, "", Unsure),
        (504, "<html>", Unsure),
        (599, "", Unsure),
        (200, "", Unsure),
        (200, "<html>", Unsure),
        (200, '{"messages":[]}', Unsure),
        # Meta
        (400, meta(131047), WindowClosed),
        (500, meta(131000), Trouble),
        (503, meta(2), Trouble),
        (400, meta(131056), PairLimited),
        (400, meta(130429), RateLimited),
        (400, meta(4, is_transient=True), RateLimited),
        (400, meta(131009, is_transient=True), Trouble),
        (500, meta(999_999), Unsure),
        (400, meta(999_999), InvalidRequest),
        (500, meta(999_999, is_transient=True), Trouble),
        (400, meta(190), KeyInvalid),
        (401, meta(0), KeyInvalid),
        (404, meta(132001), TemplateRefused),
        (403, meta(131031), NumberBlocked),
        (200, meta(131026), NotOnWhatsApp),
        # on-prem
        (400, '{"errors":[{"code":1014,"title":"Media","details":"link failed"}]}', MediaRefused),
        (400, '{"errors":[]}', InvalidRequest),
    ],
)
def test_every_answer_has_its_meaning(status: int, body: str, expected: type[BotError]) -> None:
    assert type(from_answer(status, body)) is expected


@pytest.mark.parametrize("body", ["", "404 page not found", "<html>", '{"error":"not found"}'])
def test_where_the_thing_need_not_exist_404_says_so_in_whatever_form(body: str) -> None:
    assert type(from_answer(404, body, optional=True)) is NotFound


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (131047, WindowClosed), (470, WindowClosed), (131026, NotOnWhatsApp), (131030, NotOnWhatsApp),
        (131049, Undeliverable), (131050, MarketingStopped), (130472, Undeliverable), (368, Undeliverable),
        (200, NumberBlocked), (299, NumberBlocked), (10, NumberBlocked), (131045, NumberBlocked),
        (133010, NumberBlocked), (133004, Trouble), (131042, Unpaid), (132000, TemplateRefused),
        (132015, TemplateRefused), (132069, TemplateRefused), (2388299, TemplateRefused), (131053, MediaRefused),
        (100, InvalidRequest), (131009, InvalidRequest), (131062, InvalidRequest), (131057, Trouble),
        (80007, RateLimited), (131056, PairLimited),
    ],
)  # fmt: skip
def test_codes_mean_what_the_documentation_says(code: int, expected: type[BotError]) -> None:
    assert class_of(code) is expected
    assert type(from_wire((WireError(code),))) is expected


@pytest.mark.parametrize("words", ["endpoint rate limit exceeded", "lack of payment", "the account is blocked"])
@pytest.mark.parametrize("status", [500, 504])
def test_no_words_make_an_answer_sure_that_may_come_after_the_message_was_taken(status: int, words: str) -> None:
    assert type(from_answer(status, json.dumps({"error": words}))) is Unsure


@pytest.mark.parametrize("code", [0, 190])
def test_a_success_that_tells_of_a_key_leaves_us_unsure(code: int) -> None:
    assert type(from_answer(200, json.dumps({"error": {"code": code, "message": "token"}}))) is Unsure


def test_no_code_is_claimed_twice() -> None:
    single = [code for codes in CLASSES.values() for code in codes if isinstance(code, int)]
    assert len(single) == len(set(single))
    spans = sorted((codes.start, codes.stop) for all in CLASSES.values() for codes in all if isinstance(codes, range))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (meta(131047, "(#131047) Re-engagement message"), "Re-engagement message"),
        (meta(100, "m", error_data={"details": "the\nreason"}), "the reason"),
        (meta(100, "m", error_data="bare"), "bare"),
        (meta(100, "m", error_user_msg="for people"), "for people"),
        (gateway("Invalid api_key"), "Invalid api_key"),
        ('{"meta":{"developer_message":"Bad","details":["a","b"]}}', "Bad a b"),
        ('{"meta":{"developer_message":"Bad","details":"why"}}', "Bad why"),
        ('{"error":"plain"}', "plain"),
        ("<html><title> Gateway\n</title><h1>x</h1>", "Gateway"),
        ("just words", "just words"),
        ("", "HTTP 400"),
        ("<p>x</p>", "HTTP 400"),
        ("[]", "HTTP 400"),
        ("{}", "HTTP 400"),
    ],
)
def test_the_servers_own_reason_is_told(body: str, said: str) -> None:
    error = from_answer(400, body)
    assert error.said == error.values["said"] == said


@pytest.mark.parametrize(
    ("header", "after"),
    [("7", 7.0), ("0.5", 0.5), ("-1", None), ("0", None), ("1e12", 86_400.0), ("nan", None), (None, None),
     ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)  # fmt: skip
def test_a_wait_that_the_server_names_is_kept_within_a_day(header: str | None, after: float | None) -> None:
    error = from_answer(429, "", header)
    assert isinstance(error, Busy)
    assert error.after == after


def test_a_failed_status_is_told_in_whatsapps_words() -> None:
    error = from_wire((WireError(131047, "Re-engagement message", "More than 24 hours have passed"),))
    assert error.values["said"] == "More than 24 hours have passed"
    assert error.sentence == "error.window_closed"


def test_the_first_code_that_is_known_counts() -> None:
    assert type(from_wire((WireError(0, "x"), WireError(999_999), WireError(131026, "t")))) is NotOnWhatsApp


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ((), "failed"),
        ((WireError(0),), "code 0"),
        ((WireError(999_999),), "code 999999"),
        ((WireError(0, "odd"),), "odd"),
    ],
)
def test_a_failure_without_a_known_code_is_a_refusal_that_still_says_something(
    errors: tuple[WireError, ...], said: str
) -> None:
    error = from_wire(errors)
    assert (type(error), error.said) == (Refused, said)


def test_every_class_of_the_table_has_a_sentence_for_people() -> None:
    t = translator("en")
    for cls in CLASSES:
        assert t(cls.sentence, said="x") != cls.sentence


wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "meta", "code", "message", "details", "error_data"]), inner
        )
    ),
)


@given(st.integers(100, 599), wild.map(json.dumps) | st.text(max_size=50))
@settings(max_examples=200)
def test_any_answer_is_an_error_with_a_bounded_reason(status: int, body: str) -> None:
    error = from_answer(status, body)
    assert 0 < len(error.said) <= 300
