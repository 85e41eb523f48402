"""Promises of the parser: every kind is read, what cannot be read is shown as such, and nothing raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model import (
    Choice,
    ContactCard,
    Contacts,
    Edit,
    FlowAnswer,
    Labelled,
    Location,
    Media,
    Message,
    Notice,
    NumberChange,
    Order,
    OrderItem,
    Part,
    Reaction,
    Referral,
    Revoke,
    Text,
    Unknown,
    Unsupported,
    Wamid,
)
from bot.whatsapp import parse
from bot.whatsapp.parse_parts import parts

A = Wamid("wamid.A")
BASE = {"from": "16505551234", "id": "wamid.X=", "timestamp": "1749416383"}
UNSUPPORTED = {
    "code": 131051,
    "title": "Message type unknown",
    "error_data": {"details": "Message type is currently not supported."},
}


def read(item: dict[str, Any], **body: Any) -> Message:
    return parse.message({"item": {**BASE, **item}, "contact": None, "errors": None, "at": 5.0, **body})


def part(item: dict[str, Any], **body: Any) -> Part:
    (found,) = read(item, **body).parts
    return found


# Contents are examples of Meta's OpenAPI (business-messaging-api v23.0) where it has one.
@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "text", "text": {"body": " *Hi*\n"}}, Text(" *Hi*\n")),
        (
            {
                "type": "image",
                "image": {"caption": "Taj Mahal", "mime_type": "image/jpeg", "sha256": "SfI=", "id": "10"},
            },
            Media("image", "10", "image/jpeg", "Taj Mahal", sha256="SfI="),
        ),
        ({"type": "video", "video": {"id": "1", "mime_type": "video/mp4"}}, Media("video", "1", "video/mp4")),
        (
            {"type": "audio", "audio": {"id": "1", "mime_type": "audio/ogg; codecs=opus", "voice": True}},
            Media("voice", "1", "audio/ogg"),
        ),
        ({"type": "audio", "audio": {"id": 1, "mime_type": "AUDIO/MPEG"}}, Media("audio", "1", "audio/mpeg")),
        ({"type": "voice", "voice": {"id": "1"}}, Media("voice", "1")),
        (
            {"type": "document", "document": {"id": "1", "filename": "Currículum café.pdf"}},
            Media("document", "1", file_name="Currículum café.pdf"),
        ),
        ({"type": "sticker", "sticker": {"id": "1", "animated": True}}, Media("sticker", "1")),
        (
            {"type": "location", "location": {"latitude": "37.4", "longitude": -122, "name": "Philz\nCoffee"}},
            Location(37.4, -122.0, "Philz Coffee"),
        ),
        (
            {
                "type": "contacts",
                "contacts": [
                    {
                        "name": {"first_name": "Lucía", "formatted_name": "Lucía Gómez"},
                        "org": {"company": "Google"},
                        "phones": [
                            {"phone": "+1 (983) 555-2319", "wa_id": "19835552319", "type": "CELL"},
                            {"wa_id": "49111"},
                            5,
                        ],
                        "emails": [{"email": "l@example.com", "type": "WORK"}],
                        "addresses": [
                            {
                                "street": "1 Lucky Way",
                                "city": "Menlo Park",
                                "state": "CA",
                                "zip": "94025",
                                "country": "United States",
                                "country_code": "us",
                                "type": "OFFICE",
                            },
                            {"country_code": "de"},
                            {},
                        ],
                        "urls": [{"url": "https://www.example.com", "type": "COMPANY"}],
                        "birthday": "1999-01-23",
                        "vcard": "BEGIN:VCARD",
                    },
                    {"phones": [{"user_id": "DE.1"}]},
                    {"vcard": "BEGIN:VCARD\nFN:Ann"},
                ],
            },
            Contacts(
                (
                    ContactCard(
                        "Lucía Gómez",
                        (Labelled("+1 (983) 555-2319", "CELL"), Labelled("+49111")),
                        (Labelled("l@example.com", "WORK"),),
                        "Google",
                        (Labelled("1 Lucky Way, 94025 Menlo Park, CA, United States", "OFFICE"), Labelled("de")),
                        (Labelled("https://www.example.com", "COMPANY"),),
                        "1999-01-23",
                    ),
                    ContactCard("", (Labelled("DE.1"),)),
                    ContactCard("", vcard="BEGIN:VCARD\nFN:Ann"),
                )
            ),
        ),
        ({"type": "reaction", "reaction": {"message_id": "wamid.A", "emoji": "👍🏽"}}, Reaction(A, "👍🏽")),
        ({"type": "reaction", "reaction": {"message_id": "wamid.A", "emoji": ""}}, Reaction(A, "")),
        ({"type": "reaction", "reaction": {"message_id": "wamid.A"}}, Reaction(A, "")),
        (
            {
                "type": "interactive",
                "interactive": {"type": "button_reply", "button_reply": {"id": "c", "title": "No"}},
            },
            Choice("No", "c"),
        ),
        (
            {
                "type": "interactive",
                "interactive": {
                    "type": "list_reply",
                    "list_reply": {"id": "p", "title": "Express", "description": "Next Day"},
                },
            },
            Choice("Express", "p", "Next Day"),
        ),
        (
            {"type": "interactive", "interactive": {"call_permission_reply": {"response": "accept"}}},
            Notice("call_permission", "accept"),
        ),
        ({"type": "button", "button": {"payload": "Unsubscribe", "text": "Stop"}}, Choice("Stop", "Unsubscribe")),
        ({"type": "button", "button": {"text": "Stop"}}, Choice("Stop")),
        (
            {
                "type": "order",
                "order": {
                    "text": "please",
                    "product_items": [
                        {"product_retailer_id": "di9", "quantity": 2, "item_price": 30.0, "currency": "USD"},
                        {"product_retailer_id": "nqr", "quantity": "1", "item_price": "2.50"},
                    ],
                },
            },
            Order((OrderItem("di9", "2", "30", "USD"), OrderItem("nqr", "1", "2.50")), "please"),
        ),
        ({"type": "request_welcome"}, Notice("request_welcome")),
        (
            {"type": "unsupported", "errors": [UNSUPPORTED], "unsupported": {"type": "poll_creation"}},
            Unsupported("poll_creation", "Message type is currently not supported."),
        ),
        (
            {"type": "unknown", "errors": [{"code": 501, "details": "not supported"}]},
            Unsupported("", "not supported"),
        ),
        (
            {"type": "system", "system": {"body": "changed", "wa_id": "12195555358", "type": "user_changed_number"}},
            NumberChange("+16505551234", "+12195555358", "changed"),
        ),
        (
            {"type": "system", "system": {"new_wa_id": "12195555358", "type": "customer_changed_number"}},
            NumberChange("+16505551234", "+12195555358"),
        ),
        (
            {
                "type": "system",
                "system": {"previous_user_id": "DE.1", "user_id": "DE.2", "type": "user_changed_user_id"},
            },
            NumberChange("DE.1", "DE.2"),
        ),
        (
            {"type": "system", "system": {"body": "new key", "type": "customer_identity_changed"}},
            Notice("identity_changed", "new key"),
        ),
        ({"type": "system", "system": {"type": "moon_phase"}}, Notice("system", "moon_phase")),
        (
            {
                "type": "edit",
                "edit": {
                    "original_message_id": "wamid.A",
                    "message": {"type": "text", "context": {"id": "M0"}, "text": {"body": "better"}},
                },
            },
            Edit(A, (Text("better"),)),
        ),
        ({"type": "revoke", "revoke": {"original_message_id": "wamid.A"}}, Revoke(A)),
    ],
)
def test_every_kind_is_read(item: dict[str, Any], expected: Part) -> None:
    assert part(item) == expected


def test_id_sender_time_and_reply_are_read() -> None:
    found = read(
        {"type": "text", "text": {"body": "x"}, "context": {"id": "wamid.A"}, "from_user_id": "US.9"},
        contact={"profile": {"name": "Sheena\nNelson"}, "wa_id": "16505551234"},
    )
    assert (found.id, found.at, found.reply_to, found.forwarded) == ("wamid.X=", 1749416383.0, "wamid.A", False)
    assert (found.sender.contact, found.sender.phone, found.sender.user_id) == ("16505551234", "+16505551234", "US.9")
    assert found.sender.name == "Sheena\nNelson"


def test_somebody_who_shows_only_a_user_name_is_known_by_the_user_id() -> None:
    item = {"id": "w", "from_user_id": "DE.77", "type": "text", "text": {"body": "x"}}
    sender = parse.message({"item": item, "contact": {"user_id": "DE.77", "profile": {"username": "anna"}}}).sender
    assert (sender.contact, sender.phone, sender.user_id, sender.name) == ("DE.77", "", "DE.77", "anna")


def test_a_user_id_where_a_number_should_be_is_no_phone() -> None:
    sender = parse.message({"item": {"from": "US.1234"}, "contact": {"wa_id": "US.1234"}}).sender
    assert (sender.contact, sender.phone, sender.user_id) == ("US.1234", "", "US.1234")


def test_a_message_without_a_time_came_when_it_arrived() -> None:
    assert read({"timestamp": "soon"}).at == 5.0


@pytest.mark.parametrize(("context", "often"), [({"forwarded": True}, False), ({"frequently_forwarded": True}, True)])
def test_forwarded_messages_say_so_and_answer_nothing(context: dict[str, Any], often: bool) -> None:
    found = read({"type": "text", "text": {"body": "x"}, "context": context})
    assert (found.forwarded, found.forwarded_often, found.reply_to) == (True, often, None)


def test_the_advertisement_is_kept_beside_any_kind() -> None:
    referral = {"source_url": "https://fb.me/3cr", "headline": "Chat with us", "body": "Summer!", "source_id": "1"}
    found = read({"type": "image", "image": {"id": "1"}, "referral": referral})
    assert found.referral == Referral("https://fb.me/3cr", "Chat with us", "Summer!")


def test_what_a_product_question_is_about_is_not_lost() -> None:
    context = {"id": "w", "referred_product": {"catalog_id": "1", "product_retailer_id": "di9"}}
    found = read({"type": "text", "text": {"body": "Still there?"}, "context": context})
    assert found.parts == (Text("Still there?"), Notice("product", "di9"))


def test_a_group_message_names_its_group() -> None:
    assert read({"type": "text", "text": {"body": "x"}, "group_id": "Y2Fw"}).group == "Y2Fw"


def test_a_file_that_meta_could_not_fetch_is_shown_with_the_reason() -> None:
    error = {"code": 131052, "title": "Media download error", "error_data": {"details": "too big"}}
    assert part({"type": "image", "image": {"id": "1"}, "errors": [error]}) == Media("image", "1", problem="too big")


def test_a_readable_message_that_also_has_an_error_shows_both() -> None:
    found = read({"type": "text", "text": {"body": "x"}, "errors": [UNSUPPORTED]}).parts
    assert found == (Text("x"), Unsupported("", "Message type is currently not supported."))


def test_an_interactive_without_content_shows_the_error_beside_it() -> None:
    errors = [{"code": 131000, "title": "Something went wrong"}]
    assert part({"type": "interactive"}, errors=errors) == Unsupported("interactive", "Something went wrong")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ('{"flow_token":"t","name":"Ann","ok":true,"tags":["a","b"]}',
         FlowAnswer((("name", "Ann"), ("ok", "true"), ("tags", "a, b")))),
        ('{"values":{"city":"Rome","zip":7}}', FlowAnswer((("city", "Rome"), ("zip", "7")))),
        ("{not json", FlowAnswer((), "{not json")),
        ("[1,2]", FlowAnswer((), "[1,2]")),
        (None, FlowAnswer((), "Sent")),
        ({"a": 1}, FlowAnswer((("a", "1"),))),
    ],
)  # fmt: skip
def test_a_filled_form_is_read_or_kept_as_text(response: Any, expected: FlowAnswer) -> None:
    reply = {"name": "flow", "body": "Sent", "response_json": response}
    assert part({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}) == expected


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\x\\run.exe", "run.exe"), ("a\u202egpj.exe", "agpj.exe"),
        ("a\x00b\n.pdf", "ab.pdf"), ("..", ""), ("", ""), ("x" * 300 + ".pdf", "x" * 180 + ".pdf"), (7, "7"),
    ],
)  # fmt: skip
def test_file_names_hold_no_path_and_no_tricks(name: Any, clean: str) -> None:
    found = part({"type": "document", "document": {"id": "1", "filename": name}})
    assert isinstance(found, Media)
    assert found.file_name == clean


@pytest.mark.parametrize(
    "item",
    [
        {"type": "hologram", "hologram": {"x": 1}}, {"type": "text"},
        {"type": "text", "text": ["x"]}, {"type": "location", "location": {"latitude": "NaN", "longitude": 1}},
        {"type": "location", "location": {"latitude": 1e30, "longitude": 1}}, {"type": "contacts", "contacts": []},
        {"type": "image", "image": None}, {"type": "revoke"}, {"type": "edit", "edit": {}}, {"type": None}, {},
        {"type": "system", "system": {}}, {"type": "interactive", "interactive": {"type": "new_reply"}},
    ],
)  # fmt: skip
def test_what_cannot_be_read_stays_with_its_raw_item(item: dict[str, Any]) -> None:
    assert part(item) == Unknown(str(item.get("type") or ""), {**BASE, **item})


def test_a_message_without_type_is_read_by_what_it_holds() -> None:
    assert part({"text": {"body": "x"}}) == Text("x")


def test_an_edit_of_an_edit_is_read_one_level_deep() -> None:
    inner = {"type": "edit", "edit": {"original_message_id": "B", "message": {"type": "text", "text": {"body": "x"}}}}
    found = part({"type": "edit", "edit": {"original_message_id": A, "message": inner}})
    assert found == Edit(A, (Unknown("edit", inner),))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "edit", "edit": {"message_id": "wamid.A", "text": {"body": "x"}}}, Edit(A, (Text("x"),))),
        ({"type": "edit", "edit": {"message_id": "wamid.A", "message": {"text": {"body": "y"}}}},
         Edit(A, (Text("y"),))),
        ({"type": "revoke", "revoke": {"message_id": "wamid.A"}}, Revoke(A)),
    ],
)  # fmt: skip
def test_an_edit_or_deletion_in_another_spelling_is_read(item: dict[str, Any], expected: Part) -> None:
    assert part(item) == expected


def test_messages_without_id_have_different_ids() -> None:
    first, second = ({"from": "1", "text": {"body": text}} for text in "ab")
    assert parse.message({"item": first}).id != parse.message({"item": second}).id != ""


kinds = st.sampled_from(
    ["text", "image", "audio", "document", "sticker", "location", "contacts", "reaction", "interactive", "button",
     "order", "system", "edit", "revoke", "unsupported", "unknown", "request_welcome", "hologram"]
)  # fmt: skip
keys = kinds | st.sampled_from(
    ["type", "id", "from", "timestamp", "errors", "context", "referral", "body", "message", "name", "phones", "org",
     "button_reply", "list_reply", "nfm_reply", "response_json", "product_items", "error_data", "details", "code",
     "item", "contact", "profile", "forwarded", "referred_product", "original_message_id", "field", "list", "wa_id"]
)  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | kinds
wild = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5))
objects = st.dictionaries(keys, wild, max_size=8)


@given(kinds, objects, objects)
@settings(max_examples=200)
def test_any_json_is_a_message_with_at_least_one_part(kind: str, content: dict[str, Any], item: dict[str, Any]) -> None:
    assert parts({**item, "type": kind, kind: content})
    assert parse.message({"item": {"type": kind, kind: content}, **item}).parts


@given(objects)
@settings(max_examples=100)
def test_any_json_is_a_status_and_some_other_thing(body: dict[str, Any]) -> None:
    assert isinstance(parse.status(body).state, str)
    what, detail = parse.other(body)
    assert what
    assert len(detail) <= 200


@pytest.mark.parametrize("words", ["", "  \n", None, "\u200b\u200e", " \u2060\ufeff\n"])
def test_a_text_without_words_is_an_empty_text(words: str | None) -> None:
    assert part({"type": "text", "text": {"body": words}}) == Text("")


@pytest.mark.parametrize("words", ["\u200e.", "👨\u200d👩\u200d👧", "\u202bשלום\u202c"])
def test_invisible_characters_among_visible_ones_stay(words: str) -> None:
    assert part({"type": "text", "text": {"body": words}}) == Text(words)
