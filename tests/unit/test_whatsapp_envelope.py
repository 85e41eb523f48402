"""Promises of the envelope: every item of a webhook becomes one entry, whatever its shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.ports import Entry
from bot.whatsapp.envelope import entries

NUMBER, NOW = "15550783881", 1_760_000_000.5
META = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
# Meta's OpenAPI (business-messaging-api v23.0), "Text Message"
TEXT = {
    "from": "16505551234",
    "id": "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
    "timestamp": "1749416383",
    "type": "text",
    "text": {"body": "Does it come in another color?"},
}
CONTACT = {"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}


def webhook(*values: Any, field: str = "messages") -> dict[str, Any]:
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "419561257915477", "changes": [{"value": value, "field": field} for value in values]}],
    }


def value(**parts: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "metadata": META, **parts}


def split(data: Any) -> list[Entry]:
    return entries(json.dumps(data).encode(), NUMBER, NOW)


def one(data: Any) -> Entry:
    (entry,) = split(data)
    return entry


def test_a_message_is_one_entry_in_its_customers_lane() -> None:
    entry = one(webhook(value(contacts=[CONTACT], messages=[TEXT])))
    assert (entry.kind, entry.key, entry.lane) == ("wa.message", f"wa:{TEXT['id']}", f"in:{NUMBER}:16505551234")
    assert (entry.at_ms, entry.source) == (1_749_416_383_000, NUMBER)
    assert entry.body == {
        "item": TEXT,
        "contact": CONTACT,
        "metadata": META,
        "field": "messages",
        "errors": None,
        "at": 1_749_416_383.0,
    }


def test_a_status_is_one_entry_in_the_lane_of_its_message() -> None:
    status = {"id": "wamid.A+/=", "status": "delivered", "timestamp": 1749416390, "recipient_id": "16505551234"}
    entry = one(webhook(value(statuses=[status])))
    assert (entry.kind, entry.key, entry.lane) == ("wa.status", "st:wamid.A+/=:delivered", f"st:{NUMBER}:wamid.A+/=")
    assert entry.at_ms == 1_749_416_390_000
    assert entry.body["item"] == status


def test_every_item_of_a_batch_is_kept_in_order() -> None:
    messages = [{**TEXT, "id": f"wamid.{n}"} for n in range(5)]
    status = {"id": "wamid.s", "status": "sent"}
    data = webhook(value(messages=messages[:2], statuses=[status]), value(messages=messages[2:4]))
    data["entry"] += webhook(value(messages=messages[4:]))["entry"]
    assert [entry.key for entry in split(data)] == [
        "wa:wamid.0", "wa:wamid.1", "st:wamid.s:sent", "wa:wamid.2", "wa:wamid.3", "wa:wamid.4",
    ]  # fmt: skip


def test_the_same_item_twice_in_one_body_is_one_entry() -> None:
    assert len(split(webhook(value(messages=[TEXT, TEXT]), value(messages=[TEXT])))) == 1


def test_in_a_batch_each_message_finds_its_own_contact() -> None:
    anna, bert = {"wa_id": "4911111"}, {"user_id": "DE.123", "profile": {"name": "Bert"}}
    messages = [
        {"id": "1", "from_user_id": "DE.123", "type": "text"},
        {"id": "2", "from": "4911111", "type": "text"},
        {"id": "3", "from": "4922222", "type": "text"},
    ]
    found = split(webhook(value(contacts=[anna, bert], messages=messages)))
    assert [entry.body["contact"] for entry in found] == [bert, anna, None]


def test_a_lone_contact_belongs_to_a_lone_message_whatever_its_number_says() -> None:
    brazilian = {"wa_id": "5541988887777"}
    entry = one(webhook(value(contacts=[brazilian], messages=[{**TEXT, "from": "554188887777"}])))
    assert entry.body["contact"] == brazilian


@pytest.mark.parametrize(
    ("item", "contact", "lane"),
    [
        ({"from": "16505551234"}, None, "16505551234"),
        ({"from": "+1 650 555 1234"}, None, "16505551234"),
        ({"from": 16505551234}, None, "16505551234"),
        ({"from_user_id": "US.1234abc"}, {"user_id": "US.1234abc"}, "US.1234abc"),
        ({"from": "US.1234"}, {"wa_id": "US.1234"}, "US.1234"),
        ({"from": "4911111", "from_user_id": "DE.9"}, None, "4911111"),
        ({"from": "4911111", "group_id": "g1"}, None, "group:g1"),
        ({}, None, ""),
    ],
)
def test_lanes_follow_the_phone_then_the_user_id_and_groups_have_their_own(
    item: dict[str, Any], contact: dict[str, Any] | None, lane: str
) -> None:
    contacts = [contact] if contact else []
    assert one(webhook(value(contacts=contacts, messages=[{"id": "x", **item}]))).lane == f"in:{NUMBER}:{lane}"


@pytest.mark.parametrize("stamp", [None, "", "soon", "-5", 0, True, "1e999", "NaN", 1749416383000, [], {}])
def test_a_time_that_is_none_becomes_the_time_of_arrival(stamp: Any) -> None:
    entry = one(webhook(value(messages=[{**TEXT, "timestamp": stamp}])))
    assert entry.at_ms == int(NOW * 1000)
    assert entry.body["at"] == NOW


def test_messages_without_an_id_stay_apart_and_can_still_be_recognised() -> None:
    first, second = {"from": "1", "text": {"body": "a"}}, {"from": "1", "text": {"body": "b"}}
    found = split(webhook(value(messages=[first, second, first])))
    assert len({entry.key for entry in found}) == 2
    assert [entry.key for entry in found] == [entry.key for entry in split(webhook(value(messages=[first, second])))]


def test_a_failed_status_and_one_nobody_knows_have_keys_of_their_own() -> None:
    found = split(webhook(value(statuses=[{"id": "w", "status": word} for word in ("sent", "failed", "in_orbit")])))
    assert [entry.key for entry in found] == ["st:w:sent", "st:w:failed", "st:w:in_orbit"]


def test_an_echo_of_the_phone_waits_in_the_lane_of_its_customer() -> None:
    echoes = [{"id": "a", "to": "491701234567"}, {"id": "b", "to_user_id": "DE.9"}, {"id": "c"}]
    found = split(webhook(value(message_echoes=echoes), field="smb_message_echoes"))
    assert [entry.lane for entry in found] == [
        f"in:{NUMBER}:491701234567", f"in:{NUMBER}:DE.9", f"other:{NUMBER}",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["message_echoes", "calls", "groups", "user_preferences", "errors"])
def test_lists_of_other_things_become_one_entry_per_item(name: str) -> None:
    found = split(webhook(value(**{name: [{"id": "a"}, {"id": "b"}, "c"]}), field="calls"))
    assert [entry.kind for entry in found] == ["wa.other"] * 3
    assert [entry.body["item"] for entry in found] == [{"id": "a"}, {"id": "b"}, "c"]
    assert {(entry.body["list"], entry.body["field"], entry.lane) for entry in found} == {
        (name, "calls", f"other:{NUMBER}")
    }


def test_errors_beside_messages_travel_with_the_messages() -> None:
    errors = [{"code": 131000, "title": "Something went wrong"}]
    assert one(webhook(value(messages=[TEXT], errors=errors))).body["errors"] == errors


def test_what_nobody_knows_beside_messages_is_kept_too() -> None:
    message = {"id": "w1", "from": "491701234567", "type": "text", "text": {"body": "hi"}}
    entries = split(webhook(value(messages=[message], surveys=[{"id": 1}], origin="x")))

    assert [(entry.kind, entry.body["item"]) for entry in entries] == [
        ("wa.message", message),
        ("wa.other", {"surveys": [{"id": 1}], "origin": "x"}),
    ]


def test_news_about_the_account_is_kept_whole_and_twice_when_it_happened_twice() -> None:
    data = webhook({"event": "PAUSED", "message_template_name": "hi"}, field="message_template_status_update")
    first, again, later = one(data), one(data), one({**data, "entry": [{**data["entry"][0], "time": 1749416383}]})
    assert first.body["item"] == {"event": "PAUSED", "message_template_name": "hi"}
    assert first.key == again.key != later.key


def test_messages_of_another_field_are_messages_and_remember_the_field() -> None:
    entry = one(webhook(value(messages=[TEXT]), field="standby"))
    assert (entry.kind, entry.body["field"]) == ("wa.message", "standby")


def test_the_old_envelope_without_entry_is_split_too() -> None:
    found = split({"contacts": [CONTACT], "messages": [TEXT], "statuses": [{"id": "w", "status": "read"}]})
    assert [entry.kind for entry in found] == ["wa.message", "wa.status"]


def test_objects_where_lists_are_promised_are_lists_of_one() -> None:
    data = {"entry": {"changes": {"field": "messages", "value": value(contacts=CONTACT, messages=TEXT)}}}
    assert one(data).body["contact"] == CONTACT


@pytest.mark.parametrize(
    "data",
    [
        {}, [], "text", 7, None, {"entry": []}, {"entry": [{}]}, {"entry": [{"changes": []}]}, {"entry": "?"},
        {"entry": [None]}, {"entry": [{"changes": [{"field": "messages"}]}]}, {"entry": [{"changes": ["?"]}]},
        {"entry": [{"changes": [{"value": []}]}]}, {"entry": [{"changes": [{"value": {}}]}]},
        {"hub": "test"}, webhook(value()), webhook(value(messages=[])), webhook(value(messages=["?"])),
        webhook(value(statuses=[None])), webhook(value(contacts=[CONTACT])), {"entry": [{"changes": [[]]}]},
    ],
)  # fmt: skip
def test_what_has_no_message_is_kept_as_something_else(data: Any) -> None:
    found = split(data)
    assert [entry.kind for entry in found] == ["wa.other"]
    assert "item" in found[0].body


@pytest.mark.parametrize("body", [b"", b"hello", b"{", b"\xff\xfe\x00", b"<html>", b"[" * 100_000, b'{"a":' * 5000])
def test_a_body_that_is_no_json_is_kept_as_text(body: bytes) -> None:
    (entry,) = entries(body, NUMBER, NOW)
    assert entry.kind == "wa.other"
    assert set(entry.body) == {"text", "at"}
    assert len(entry.body["text"]) <= 65_536


def test_half_characters_and_nul_never_reach_a_database() -> None:
    body = rb'{"messages":[{"id":"a\u0000b\ud83d","from":"1","text":{"body":"\ud83d \ud83d\ude00"}}]}'
    (entry,) = entries(body, NUMBER, NOW)
    assert entry.key == "wa:a�b�"
    assert entry.body["item"]["text"]["body"] == "� 😀"


def test_nul_alone_never_reaches_a_database() -> None:
    (entry,) = entries(rb'{"messages":[{"id":"a","from":"1","text":{"body":"x\u0000\\u0000"}}]}', NUMBER, NOW)
    assert entry.body["item"]["text"]["body"] == "x�\\u0000"


def test_nesting_that_no_encoder_climbs_is_cut_and_its_neighbours_stay() -> None:
    deep = '{"a":' * 300 + "1" + "}" * 300
    body = f'{{"messages":[{{"id":"deep","x":{deep}}},{json.dumps(TEXT)}]}}'
    found = entries(body.encode(), NUMBER, NOW)
    assert [entry.key for entry in found] == ["wa:deep", f"wa:{TEXT['id']}"]
    assert "nested too deep" in json.dumps(found[0].body)


def test_an_id_of_absurd_length_still_makes_a_short_key() -> None:
    entry = one(webhook(value(messages=[{**TEXT, "id": "w" * 100_000, "from": "9" * 100_000}])))
    assert len(entry.key) < 100
    assert len(entry.lane) < 100


names = st.sampled_from(
    ["entry", "changes", "value", "field", "messages", "statuses", "contacts", "errors", "calls", "metadata", "id",
     "from", "from_user_id", "wa_id", "user_id", "timestamp", "time", "status", "group_id", "type", "text"]
)  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
wild = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5))


@given(wild)
@settings(max_examples=300)
def test_any_json_becomes_at_least_one_entry_that_can_be_stored_and_made_again(data: Any) -> None:
    body = json.dumps(data).encode()
    found = entries(body, NUMBER, NOW)
    assert found
    assert found == entries(body, NUMBER, NOW)
    for entry in found:
        assert entry.key and entry.lane and entry.source == NUMBER
        json.dumps([entry.key, entry.lane, entry.body], allow_nan=False, ensure_ascii=False).encode()


@given(st.binary(max_size=200))
@settings(max_examples=150)
def test_any_bytes_become_at_least_one_entry(body: bytes) -> None:
    assert entries(body, NUMBER, NOW)


@given(st.lists(st.tuples(st.sampled_from(["m", "s"]), st.integers(0, 50)), max_size=12, unique=True))
@settings(max_examples=100)
def test_no_item_is_dropped_however_they_are_spread(items: list[tuple[str, int]]) -> None:
    values = [
        value(messages=[{"id": f"m{n}", "from": "1"}]) if kind == "m" else value(statuses=[{"id": f"s{n}"}])
        for kind, n in items
    ]
    wanted = {f"wa:m{n}" if kind == "m" else f"st:s{n}:" for kind, n in items}
    found = {entry.key for entry in split(webhook(*values))}
    assert found == wanted if items else len(found) == 1


@pytest.mark.parametrize(
    "said",
    ["123456789012345678901234567890", "18446744073709551616", "-9223372036854775809", "18446744073709551615",
     "0.1", "1e22", "12345678901234567890.5", "-0.0", '"12345678901234567890"'],
)  # fmt: skip
def test_numbers_are_kept_to_the_last_digit(said: str) -> None:
    """What reads fast would round long ones."""
    body = json.dumps(webhook(value(messages=[{**TEXT, "odd": 0}]))).replace('"odd": 0', f'"odd": {said}').encode()
    [entry] = entries(body, NUMBER, NOW)

    kept = entry.body["item"]["odd"]
    assert (kept, type(kept)) == (json.loads(said), type(json.loads(said)))


_WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=10,
))  # fmt: skip
def test_what_stands_in_a_message_is_kept_as_it_is(odd: Any) -> None:
    for escaped in (True, False):
        body = json.dumps(webhook(value(messages=[{**TEXT, "odd": odd}])), ensure_ascii=escaped).encode()
        [entry] = entries(body, NUMBER, NOW)
        assert entry.body["item"]["odd"] == odd
