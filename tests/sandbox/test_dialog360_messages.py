"""The check of a message body: Meta's own examples pass, everything over a limit or malformed is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.dialog360.messages import check
from bot.sandbox.dialog360.phones import digits_of, wa_id_of
from bot.sandbox.dialog360.refusals import Refusal

Json = dict[str, Any]
BASE: Json = {"messaging_product": "whatsapp", "to": "+16505551234"}


def interactive(kind: str, action: Json, **parts: Any) -> Json:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": "?"}, "action": action} | parts}


def buttons(*titles: str) -> Json:
    items = [{"type": "reply", "reply": {"id": f"b{index}", "title": title}} for index, title in enumerate(titles)]
    return interactive("button", {"buttons": items})


def rows(count: int, **extra: Any) -> Json:
    made = [{"id": f"r{index}", "title": f"Row {index}"} | extra for index in range(count)]
    return interactive("list", {"button": "Choose", "sections": [{"title": "All", "rows": made}]})


# From the examples of Meta's OpenAPI description (business-messaging-api v23.0), placeholders filled in.
ACCEPTED: dict[str, Json] = {
    "text with preview, type left out": {"text": {"body": "Visit https://youtu.be/hpltvTEiRrY.", "preview_url": True}},
    "reply": {
        "context": {"message_id": "wamid.HBgL"},
        "recipient_type": "individual",
        "type": "text",
        "text": {"body": "yes", "preview_url": False},
    },
    "image by link": {"type": "image", "image": {"link": "https://example.com/a.jpg"}},
    "document": {"type": "document", "document": {"id": "1", "caption": "c", "filename": "a.pdf"}},
    "voice": {"type": "audio", "audio": {"id": "1", "voice": True}},
    "sticker": {"type": "sticker", "sticker": {"id": "1"}},
    "location": {
        "type": "location",
        "location": {"latitude": 37.758056, "longitude": "-122.425332", "name": "META HQ", "address": "1 Hacker Way"},
    },
    "contacts": {
        "type": "contacts",
        "contacts": [
            {
                "addresses": [{"city": "Menlo Park", "country_code": "us", "type": "HOME", "zip": "94025"}],
                "birthday": "2012-08-18",
                "emails": [{"email": "test@fb.com", "type": "WORK"}],
                "name": {"formatted_name": "John Smith", "first_name": "John", "suffix": "Jr"},
                "org": {"company": "WhatsApp", "department": "Design", "title": "Manager"},
                "phones": [{"phone": "+1 (650) 555-1234", "type": "WORK", "wa_id": "16505551234"}],
                "urls": [{"type": "WORK", "url": "https://www.facebook.com"}],
            }
        ],
    },
    "reaction": {"type": "reaction", "reaction": {"message_id": "wamid.HBgLM...", "emoji": "😀"}},
    "reaction with skin": {"type": "reaction", "reaction": {"message_id": "w", "emoji": "👩🏽‍🚀"}},
    "reaction taken back": {"type": "reaction", "reaction": {"message_id": "w", "emoji": ""}},
    "buttons": buttons("Yes", "No", "20 characters is max"),
    "list": rows(10, description="d" * 72),
    "link": interactive("cta_url", {"name": "cta_url", "parameters": {"display_text": "Go", "url": "https://e.com"}}),
    "where are you": interactive("location_request_message", {"name": "send_location"}),
    "single product without body": {
        "type": "interactive",
        "interactive": {"type": "product", "action": {"catalog_id": "3", "product_retailer_id": "x"}},
    },
    "products": interactive(
        "product_list",
        {"catalog_id": "1", "sections": [{"title": "A", "product_items": [{"product_retailer_id": "s"}]}]},
        header={"type": "text", "text": "H"},
    ),
    "flow": interactive(
        "flow",
        {"name": "flow", "parameters": {"flow_message_version": "3", "flow_name": "f", "flow_cta": "Open Flow!"}},
    ),
    "image header": buttons("Yes")
    | {"interactive": buttons("Yes")["interactive"] | {"header": {"type": "image", "image": {"id": "1"}}}},
    "4096 characters": {"type": "text", "text": {"body": "ä" * 4096}},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_documentation_shows_is_accepted(name: str) -> None:
    checked = check(BASE | copy.deepcopy(ACCEPTED[name]))
    assert checked.digits == "16505551234"


REFUSED: dict[str, tuple[int, Json]] = {
    "no product": (100, {"messaging_product": None, "type": "text", "text": {"body": "x"}}),
    "no recipient": (100, {"to": None, "type": "text", "text": {"body": "x"}}),
    "not a number": (131009, {"to": "maria", "type": "text", "text": {"body": "x"}}),
    "a short number": (131009, {"to": "12345", "type": "text", "text": {"body": "x"}}),
    "a group": (100, {"recipient_type": "group", "type": "text", "text": {"body": "x"}}),
    "unknown type": (131051, {"type": "poll", "poll": {}}),
    "type without its part": (100, {"type": "text"}),
    "part is no object": (100, {"type": "text", "text": "x"}),
    "no body": (131008, {"type": "text", "text": {}}),
    "empty": (131009, {"type": "text", "text": {"body": ""}}),
    "only whitespace": (131009, {"type": "text", "text": {"body": " \n"}}),
    "4097 characters": (131009, {"type": "text", "text": {"body": "x" * 4097}}),
    "unknown key": (100, {"type": "text", "text": {"body": "x", "markdown": True}}),
    "caption too long": (131009, {"type": "image", "image": {"id": "1", "caption": "x" * 1025}}),
    "caption on audio": (100, {"type": "audio", "audio": {"id": "1", "caption": "x"}}),
    "caption on sticker": (100, {"type": "sticker", "sticker": {"id": "1", "caption": "x"}}),
    "filename on image": (100, {"type": "image", "image": {"id": "1", "filename": "x"}}),
    "id and link": (100, {"type": "image", "image": {"id": "1", "link": "https://e.com/a"}}),
    "neither": (100, {"type": "image", "image": {"caption": "x"}}),
    "link is none": (131009, {"type": "image", "image": {"link": "file:///etc/passwd"}}),
    "far north": (131009, {"type": "location", "location": {"latitude": 91, "longitude": 0}}),
    "nowhere": (131008, {"type": "location", "location": {"latitude": 1}}),
    "not a place": (131009, {"type": "location", "location": {"latitude": "NaN", "longitude": 0}}),
    "a nameless contact": (131008, {"type": "contacts", "contacts": [{"phones": []}]}),
    "one name part": (131009, {"type": "contacts", "contacts": [{"name": {"formatted_name": "J"}}]}),
    "no contacts": (131009, {"type": "contacts", "contacts": []}),
    "two emoji": (131009, {"type": "reaction", "reaction": {"message_id": "w", "emoji": "😀😀"}}),
    "a word": (131009, {"type": "reaction", "reaction": {"message_id": "w", "emoji": "ok"}}),
    "no buttons": (131009, buttons()),
    "four buttons": (131009, buttons("a", "b", "c", "d")),
    "equal titles": (131009, buttons("a", "a")),
    "21 characters": (131009, buttons("x" * 21)),
    "eleven rows": (131009, rows(11)),
    "row title": (131009, rows(1, title="x" * 25)),
    "row description": (131009, rows(1, description="x" * 73)),
    "equal row ids": (131009, rows(2, id="same")),
    "list label": (
        131009,
        interactive("list", {"button": "x" * 21, "sections": [{"rows": [{"id": "1", "title": "a"}]}]}),
    ),
    "two untitled sections": (
        131008,
        interactive(
            "list",
            {"button": "x", "sections": [{"rows": [{"id": "1", "title": "a"}]}, {"rows": [{"id": "2", "title": "b"}]}]},
        ),
    ),
    "image header of a list": (
        131009,
        rows(1) | {"interactive": rows(1)["interactive"] | {"header": {"type": "image", "image": {"id": "1"}}}},
    ),
    "long footer": (131009, interactive("button", buttons("a")["interactive"]["action"], footer={"text": "x" * 61})),
    "long button body": (
        131009,
        interactive("button", buttons("a")["interactive"]["action"], body={"text": "x" * 1025}),
    ),
    "unknown interactive": (131009, interactive("poll", {})),
    "opaque data too long": (131009, {"type": "text", "text": {"body": "x"}, "biz_opaque_callback_data": "x" * 513}),
    "context without id": (131008, {"type": "text", "text": {"body": "x"}, "context": {}}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_meta_refuses_is_refused_with_its_code(name: str) -> None:
    code, parts = REFUSED[name]
    body = {key: value for key, value in (BASE | parts).items() if value is not None}
    with pytest.raises(Refusal) as refusal:
        check(body)
    error = refusal.value.body["error"]  # type: ignore[index]  # the body is plain JSON
    assert (error["code"], refusal.value.status) == (code, 400)
    assert error["message"].startswith(f"(#{code}) ")
    assert code == 100 or error["error_data"]["details"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


@settings(max_examples=150)
@given(data=st.data(), name=st.sampled_from(sorted(ACCEPTED)), junk=JSON)
def test_junk_anywhere_in_a_body_is_accepted_or_refused_but_never_breaks_the_check(
    data: st.DataObject, name: str, junk: Any
) -> None:
    body = BASE | copy.deepcopy(ACCEPTED[name])
    *path, last = data.draw(st.sampled_from(places(body)))
    target: Any = body
    for step in path:
        target = target[step]
    target[last] = junk
    try:
        check(body)
    except Refusal as refusal:
        assert 400 <= refusal.status < 500


@given(st.from_regex(r"\+?[0-9 ()-]{5,20}", fullmatch=True))
def test_a_wa_id_is_the_wa_id_of_itself(dialled: str) -> None:
    digits = digits_of(dialled)
    if digits is not None:
        assert wa_id_of(wa_id_of(digits)) == wa_id_of(digits)
