"""The DDP protocol: both of Rocket.Chat's servers, and whatever else may come over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rocketchat.ddp import (
    Changed,
    Connected,
    Ddp,
    DdpError,
    Event,
    Failed,
    NoSub,
    Ready,
    Result,
    Send,
    ServerError,
)


def feed(ddp: Ddp, **frame: Any) -> list[Event]:
    return ddp.feed(json.dumps(frame))


def test_says_hello_with_the_versions_that_meteor_knows() -> None:
    assert json.loads(Ddp().connect()) == {"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]}


def test_frames_of_a_streamer_session_recorded_on_the_wire() -> None:
    ddp = Ddp()
    assert ddp.feed('{"msg":"server_id","server_id":"0"}') == []
    assert ddp.feed('{"msg":"connected","session":"f3b9"}') == [Connected("f3b9")]
    login, text = ddp.call("login", {"resume": "pat"})
    assert json.loads(text) == {"msg": "method", "method": "login", "id": login, "params": [{"resume": "pat"}]}
    assert feed(ddp, msg="result", id=login, result={"id": "u1", "token": "pat", "type": "resume"}) == [
        Result(login, {"id": "u1", "token": "pat", "type": "resume"})
    ]
    assert feed(ddp, msg="updated", methods=[login]) == []
    assert ddp.feed('{"msg":"added","collection":"users","id":"u1","fields":{"username":"bot"}}') == []
    sub, text = ddp.subscribe("stream-room-messages", "__my_messages__", False)
    assert json.loads(text)["params"] == ["__my_messages__", False]
    assert feed(ddp, msg="ready", subs=[sub]) == [Ready(sub)]
    args = [{"_id": "m1", "rid": "r1", "msg": "hi", "ts": {"$date": 1795330863825}}, {"roomType": "l"}]
    fields = {"eventName": "__my_messages__", "args": args}
    assert feed(ddp, msg="changed", collection="stream-room-messages", id="id", fields=fields) == [
        Changed("stream-room-messages", "__my_messages__", args)
    ]


@pytest.mark.parametrize("updated_first", [True, False])
def test_a_call_is_answered_by_its_result_wherever_updated_comes(updated_first: bool) -> None:
    ddp = Ddp()
    id, _ = ddp.call("getUserRoles")
    updated, result = {"msg": "updated", "methods": [id]}, {"msg": "result", "id": id, "result": []}
    frames = [updated, result] if updated_first else [result, updated]
    assert [event for frame in frames for event in feed(ddp, **frame)] == [Result(id, [])]


def test_a_method_that_returns_nothing_is_answered_with_none() -> None:
    ddp = Ddp()
    id, _ = ddp.call("quiet")
    assert feed(ddp, msg="result", id=id) == [Result(id, None, None)]


def test_a_ping_before_connected_is_answered_with_its_id() -> None:
    assert Ddp().feed('{"msg":"ping","id":"x"}') == [Send('{"msg":"pong","id":"x"}')]
    assert Ddp().feed('{"msg":"ping"}') == [Send('{"msg":"pong"}')]


def test_a_version_that_we_do_not_speak_is_reported() -> None:
    assert Ddp().feed('{"msg":"failed","version":"pre9"}') == [Failed("pre9")]


def test_a_malformed_frame_that_meteor_complains_about_fails_its_call_instead_of_hanging() -> None:
    ddp = Ddp()
    call, text = ddp.call("x")
    sub, sub_text = ddp.subscribe("y")
    assert feed(ddp, msg="error", reason="Malformed method invocation", offendingMessage=json.loads(text)) == [
        Result(call, None, DdpError("protocol-error", "Malformed method invocation"))
    ]
    assert feed(ddp, msg="error", reason="Malformed subscription", offendingMessage=json.loads(sub_text)) == [
        NoSub(sub, DdpError("protocol-error", "Malformed subscription"))
    ]
    assert feed(ddp, msg="error", reason="Parse error", offendingMessage="{") == [ServerError("Parse error")]


def test_errors_keep_their_code_as_text_whether_it_is_a_number_or_a_word() -> None:
    ddp = Ddp()
    call, _ = ddp.call("login")
    raw = {"isClientSafe": True, "errorType": "Meteor.Error", "error": 403, "reason": "You've been logged out"}
    assert feed(ddp, msg="result", id=call, error=raw) == [
        Result(call, None, DdpError("403", "You've been logged out"))
    ]
    sub, _ = ddp.subscribe("s")
    raw = {"isClientSafe": True, "errorType": "Meteor.Error", "error": "not-allowed", "message": "[not-allowed]"}
    assert feed(ddp, msg="nosub", id=sub, error=raw) == [NoSub(sub, DdpError("not-allowed", "[not-allowed]"))]


@pytest.mark.parametrize(
    ("details", "reason", "seconds"),
    [
        ({"timeToReset": 2500}, "", 2.5),
        ({}, "Error, too many requests. You must wait 7 seconds before trying again.", 7.0),
        ({"timeToReset": "soon"}, "slow down", None),
        ({"timeToReset": float("nan")}, "", None),
    ],
)
def test_the_rate_limiter_says_how_long_to_wait(details: dict[str, Any], reason: str, seconds: float | None) -> None:
    ddp = Ddp()
    sub, _ = ddp.subscribe("s")
    error = {"error": "too-many-requests", "reason": reason, "details": details}
    [event] = feed(ddp, msg="nosub", id=sub, error=error)
    assert isinstance(event, NoSub) and event.error is not None and event.error.wait == seconds


def test_answers_to_what_nobody_asked_are_ignored() -> None:
    ddp = Ddp()
    call, _ = ddp.call("x")
    assert feed(ddp, msg="result", id="99", result=1) == []
    assert feed(ddp, msg="ready", subs=["99"]) == []
    assert feed(ddp, msg="nosub", id="99") == []
    assert feed(ddp, msg="result", id=call, result=1) == [Result(call, 1)]
    assert feed(ddp, msg="result", id=call, result=2) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
words = ["ping", "connected", "failed", "result", "updated", "ready", "nosub", "added", "changed", "removed", "error"]
keys = ["id", "subs", "error", "result", "fields", "session", "version", "reason", "offendingMessage", "collection"]


@given(st.text())
@settings(max_examples=60)
def test_no_text_raises(frame: str) -> None:
    Ddp().feed(frame)


@given(st.sampled_from(words) | json_values, st.dictionaries(st.sampled_from(keys), json_values))
@settings(max_examples=200)
def test_no_frame_of_any_shape_raises(word: Any, fields: dict[str, Any]) -> None:
    ddp = Ddp()
    ddp.call("a")
    ddp.subscribe("b")
    for event in ddp.feed(json.dumps({**fields, "msg": word})):
        if isinstance(event, Send):
            assert json.loads(event.text)["msg"] == "pong"


@pytest.mark.parametrize("frame", ["", "a[]", "[" * 200_000, '{"msg":"ping","id":' + "9" * 5000 + "}", "null", "[1]"])
def test_frames_that_break_parsers_are_ignored_or_answered(frame: str) -> None:
    assert Ddp().feed(frame) == []


@given(st.lists(st.sampled_from(["call", "sub"]), min_size=1, max_size=20))
@settings(max_examples=30)
def test_ids_are_never_used_twice_on_one_connection(kinds: list[str]) -> None:
    ddp = Ddp()
    ids = [ddp.call("m")[0] if kind == "call" else ddp.subscribe("s")[0] for kind in kinds]
    assert len(set(ids)) == len(ids)
