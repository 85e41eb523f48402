"""What is read from a message document, and which messages may leave the workspace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.model import FileRef, UserId
from bot.rocketchat.parse import changed_at, chat_message, heard, is_for_customer, moment, was_edited

BOT = UserId("bot1")
QUOTE = "[ ](https://chat.example/live/r1?msg={})"


def message(**fields: Any) -> dict[str, Any]:
    """An agent's text as the stream shows it."""
    return {
        "_id": "m1",
        "rid": "r1",
        "msg": "How can I help?",
        "ts": {"$date": 1772359200123},
        "u": {"_id": "agt", "username": "agent.one", "name": "Agent One"},
        "_updatedAt": {"$date": 1772359200456},
        "urls": [],
        "mentions": [],
        "md": [],
        **fields,
    }


IMAGE = {
    "msg": "",
    "file": {"_id": "f1", "name": "a b.jpg", "type": "image/jpeg", "size": 123, "format": "jpeg"},
    "files": [
        {"_id": "f1", "name": "a b.jpg", "type": "image/jpeg", "size": 123, "format": "jpeg"},
        {"_id": "f2", "name": "thumb-a b.jpg", "type": "image/jpeg", "size": 12, "format": "jpeg"},
    ],
    "attachments": [
        {
            "title": "a b.jpg",
            "type": "file",
            "title_link": "/file-upload/f1/a%20b.jpg",
            "title_link_download": True,
            "image_url": "/file-upload/f2/a%20b.jpg",
            "image_type": "image/jpeg",
            "image_size": 123,
        }
    ],
}


def test_the_stream_and_rest_forms_of_a_message_read_the_same() -> None:
    rest = message(ts="2026-03-01T10:00:00.123Z", _updatedAt="2026-03-01T10:00:00.456Z")
    assert chat_message(message()) == chat_message(rest)
    assert changed_at(message()) == changed_at(rest) == 1772359200.456
    read = chat_message(rest)
    assert read is not None and (read.at_ms, read.text, read.name) == (1772359200123, "How can I help?", "Agent One")


@pytest.mark.parametrize(
    "text",
    [
        QUOTE.format("wa1") + "\nsure",
        QUOTE.format("wa1") + " sure",
        "[](https://chat.example/live/r1/tab?x=1&msg=wa1)\nsure",
    ],
)
def test_the_link_of_a_quote_is_taken_from_the_text_and_remembered(text: str) -> None:
    read = chat_message(message(msg=text))
    assert read is not None and (read.text, read.quotes) == ("sure", ("wa1",))


def test_several_quotes_are_taken_in_their_order() -> None:
    read = chat_message(message(msg=QUOTE.format("a") + "\n" + QUOTE.format("b") + "\n  sure\nok"))
    assert read is not None and (read.text, read.quotes) == ("  sure\nok", ("a", "b"))


def test_a_link_that_is_no_quote_stays_in_the_text() -> None:
    for text in ("[ ](https://shop.example/?id=1) look", "see " + QUOTE.format("x"), "[ ](http://[?msg=1) x"):
        read = chat_message(message(msg=text))
        assert read is not None and (read.text, read.quotes) == (text, ())


def test_a_quote_that_only_the_attachment_names_is_remembered_and_its_text_never_forwarded() -> None:
    quote = {"message_link": "https://chat.example/group/secret?msg=s1", "text": "do not tell", "author_name": "Boss"}
    read = chat_message(message(msg="ok", attachments=[quote]))
    assert read is not None and (read.text, read.quotes) == ("ok", ("s1",))


def test_an_image_is_its_original_and_never_its_thumbnail() -> None:
    read = chat_message(message(**IMAGE))
    assert read is not None and read.files == (FileRef("f1", "a b.jpg", "image/jpeg", 123),)
    assert read.text == ""


def test_a_persons_file_may_be_called_thumb() -> None:
    for extra in ({}, {"attachments": [{"title_link": "/file-upload/f9/thumb-me.png"}]}):
        files = [{"_id": "f9", "name": "thumb-me.png", "type": "image/png"}]
        read = chat_message(message(files=files, **extra))
        assert read is not None and [file.id for file in read.files] == ["f9"]


def test_a_file_is_found_wherever_the_server_names_it() -> None:
    file = {"_id": "f1", "name": "x.pdf", "type": "application/pdf", "size": 9}
    attachment = {"title": "x.pdf", "title_link": "/file-upload/f1/x.pdf", "type": "file", "size": 9}
    for fields in ({"files": [file]}, {"file": file}, {"attachments": [attachment]}):
        read = chat_message(message(msg="", **fields))
        assert read is not None and [(ref.id, ref.name, ref.size) for ref in read.files] == [("f1", "x.pdf", 9)]
    both = chat_message(message(files=[file], attachments=[attachment, {"title_link": "/chat/file-upload/f2/y.pdf"}]))
    assert both is not None and [ref.id for ref in both.files] == ["f1", "f2"]


def test_the_caption_of_a_file_is_its_text() -> None:
    described = {**IMAGE, "attachments": [{**IMAGE["attachments"][0], "description": "our shop"}]}  # type: ignore[index]  # a literal above
    read = chat_message(message(**described))
    assert read is not None and read.text == "our shop"


def test_words_of_attachments_and_blocks_of_other_bots_are_not_lost() -> None:
    card = chat_message(message(msg="Hello", attachments=[{"title": "Offer", "text": "Two for one"}]))
    assert card is not None and card.text == "Hello\nOffer\nTwo for one"
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "Pick one"}},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Press"}}]},
    ]
    block = chat_message(message(msg="", blocks=blocks))
    assert block is not None and block.text == "Pick one"


def test_what_a_bot_shows_from_elsewhere_is_sent_as_its_link() -> None:
    """It is no upload, so nothing but the link can be passed on; without it the customer gets less than agents see."""
    picture = {"title": "Map", "title_link": "https://e.example/map", "image_url": "https://e.example/map.png"}
    card = message(msg="", attachments=[picture, {"image_url": "/avatar/x"}, {"audio_url": "javascript:alert(1)"}])
    read = chat_message(card)
    assert read is not None and read.text == "Map\nhttps://e.example/map\nhttps://e.example/map.png"
    assert is_for_customer(message(msg="", attachments=[{"image_url": "https://e.example/map.png"}]), BOT)
    image = {"type": "image", "imageUrl": "https://e.example/i.png", "altText": "a map"}
    block = chat_message(message(msg="", blocks=[image]))
    assert block is not None and block.text == "a map\nhttps://e.example/i.png"


def test_an_agents_text_file_and_block_are_for_the_customer() -> None:
    assert is_for_customer(message(), BOT)
    assert is_for_customer(message(**IMAGE), BOT)
    assert is_for_customer(message(msg="", blocks=[{"type": "section", "text": {"text": "hi"}}]), BOT)
    assert is_for_customer(message(tmid="root", reactions={":x:": {"usernames": ["a"]}}), BOT)


@pytest.mark.parametrize(
    "fields",
    [
        {"t": "livechat-close"},
        {"t": "command", "msg": "connected"},
        {"t": "a-kind-of-the-future"},
        {"token": "visitor-token"},
        {"_hidden": True},
        {"editedAt": {"$date": 1}},
        {"editedBy": {"_id": "agt"}},
        {"u": {"_id": "bot1"}},
        {"u": {}},
        {"u": None},
        {"msg": ""},
        {"msg": " \n"},
        {"msg": QUOTE.format("a") + "\n"},
        {"_id": ""},
        {"rid": 7},
        {"msg": None},
    ],
)
def test_whatever_is_marked_or_empty_stays_inside(fields: dict[str, Any]) -> None:
    assert not is_for_customer(message(**fields), BOT)


def test_an_edit_is_told_from_a_deletion() -> None:
    assert was_edited(message(editedAt={"$date": 5}))
    assert not was_edited(message(editedAt={"$date": 5}, t="rm", msg=""))
    assert not was_edited(message())


def test_an_event_is_heard_in_the_new_and_in_the_very_old_form() -> None:
    extra = {"roomParticipant": False, "roomType": "l"}
    for args in ([message(), extra], [[message(), extra]]):
        event = heard(args)
        assert event is not None and (event.message["_id"], event.room_type) == ("m1", "l")
    alone = heard([message()])
    assert alone is not None and alone.room_type == ""
    junk: list[Any]
    for junk in ([], [None], [[]], ["x"], [{}], [{"_id": "m"}]):
        assert heard(junk) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ({"$date": 1500}, 1.5),
        ({"$date": None}, None),
        ({}, None),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T01:00:01+01:00", 1.0),
        ("1970-01-01T00:00:01", 1.0),
        ("yesterday", None),
        (2000, 2.0),
        (True, None),
        ({"$date": 10**400}, None),
        ({"$date": float("nan")}, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_a_moment_is_read_in_every_form(value: object, seconds: float | None) -> None:
    assert moment(value) == seconds


def test_half_of_a_surrogate_pair_becomes_something_that_can_be_stored() -> None:
    read = chat_message(message(msg=json.loads('"a\\ud83d b"')))
    assert read is not None
    read.text.encode()
    whole = chat_message(message(msg=json.loads('"\\ud83d\\ude00"')))
    assert whole is not None and whole.text == "😀"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields_of_a_message = st.sampled_from([*message(), "t", "files", "file", "attachments", "blocks", "tmid", "editedAt"])


@given(st.dictionaries(fields_of_a_message, anything))
@example({"attachments": [{"title_link": "/file-upload/a"}]})
@settings(max_examples=200)
def test_no_document_of_any_shape_raises(fields: dict[str, Any]) -> None:
    for raw in (fields, message(**fields)):
        chat_message(raw)
        was_edited(raw)
        changed_at(raw)
        heard([raw, raw])
        if is_for_customer(raw, BOT):
            assert not raw.get("t") and not raw.get("token")


@given(st.text(max_size=60), st.integers(min_value=0, max_value=3))
@settings(max_examples=100)
def test_a_persons_words_survive_any_number_of_quotes(words: str, quotes: int) -> None:
    said = "x" + words
    read = chat_message(message(msg="".join(QUOTE.format(f"q{n}") + "\n" for n in range(quotes)) + said))
    assert read is not None and (read.text, len(read.quotes)) == (said, quotes)
