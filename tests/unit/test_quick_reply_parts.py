"""Reading quick replies and quotes of Rocket.Chat messages, and the short codes of emoji."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import Button, MessageId, UserId
from bot.rocketchat.parse import chat_message, is_for_customer, quoted_here
from bot.whatsapp.short_codes import codes, to_unicode

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["actions", "elements", "text", "type", "msg", "url", "message_link"]), inner, max_size=4
    ),
    max_leaves=15,
)  # fmt: skip


def raw(**more: Any) -> dict[str, Any]:
    return {"_id": "m1", "rid": "r1", "u": {"_id": "u1", "username": "bot"}, "msg": "", "ts": {"$date": 1}, **more}


def test_actions_and_blocks_are_quick_replies() -> None:
    action = {"type": "button", "text": "Yes", "msg": "I say yes", "msg_in_chat_window": True}
    element = {"type": "button", "text": {"type": "plain_text", "text": "No"}, "value": "No", "actionId": "a"}
    link = {"type": "button", "text": {"type": "plain_text", "text": "Map"}, "url": "https://e.org"}
    message = chat_message(
        raw(attachments=[{"actions": [action]}], blocks=[{"type": "actions", "elements": [element, link]}])
    )

    assert message is not None
    assert message.buttons == (
        Button("Yes", "I say yes"),
        Button("No", "No"),
        Button("Map", "Map", "https://e.org"),
    )


def test_a_message_of_quick_replies_alone_is_for_the_customer() -> None:
    alone = raw(attachments=[{"actions": [{"type": "button", "text": "Yes", "msg": "Yes"}]}])

    assert is_for_customer(alone, UserId("somebody else"))
    assert not is_for_customer(alone, UserId("u1"))


def test_buttons_inside_a_quote_are_not_this_messages_own() -> None:
    quote = {"message_link": "https://c/live/r1?msg=x", "actions": [{"type": "button", "text": "Yes", "msg": "Yes"}]}
    message = chat_message(raw(attachments=[quote]))

    assert message is not None and message.buttons == ()


def test_menus_and_buttons_beside_a_section_are_quick_replies() -> None:
    options = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("One", "Two", " ")]
    menu = {"type": "static_select", "options": options}
    beside = {"type": "button", "text": {"type": "plain_text", "text": "Three"}}
    section = {"type": "section", "text": {"text": "Pick"}, "accessory": beside}
    message = chat_message(raw(blocks=[{"type": "actions", "elements": [menu]}, section]))

    assert message is not None
    assert [button.label for button in message.buttons] == ["One", "Two", "Three"]
    assert message.text == "Pick"


@given(JSON, JSON)
def test_no_shape_of_attachments_or_blocks_raises(attachments: Any, blocks: Any) -> None:
    message = chat_message(raw(attachments=attachments, blocks=blocks))

    assert message is not None
    assert all(button.label.strip() and button.text.strip() for button in message.buttons)


@pytest.mark.parametrize(
    ("path", "said"),
    [("/live/r1", "hello"), ("/live/r1/tab", "hello"), ("/live/r2", ""), ("/group/secret", ""), ("/live/r11", "")],
)
def test_only_a_quote_of_the_same_room_has_words(path: str, said: str) -> None:
    link = f"https://chat.example{path}?msg=q1"
    message = raw(attachments=[{"message_link": link, "text": "[ ](https://chat.example/live/r1?msg=q0) hello"}])

    assert quoted_here(message, MessageId("q1")) == said
    assert quoted_here(message, MessageId("q2")) == ""


@pytest.mark.parametrize(
    ("character", "code"),
    [("👍", ":thumbsup:"), ("❤️", ":heart:"), ("❤", ":heart:"), ("😂", ":joy:"), ("👍🏽", ":thumbsup_tone3:"),
     ("🇩🇪", ":flag_de:"), ("🙏", ":pray:")],
)  # fmt: skip
def test_an_emoji_is_first_tried_under_the_name_that_rocket_chat_shows(character: str, code: str) -> None:
    assert codes(character)[0] == code
    assert to_unicode(code).replace("\ufe0f", "") == character.replace("\ufe0f", "")


@pytest.mark.parametrize(
    ("code", "character"),
    [(":french_bread:", "🥖"), (":couch:", "🛋️"), (":wilted_rose:", "🥀"), (":timer:", "⏲️"), (":beetle:", "🪲"),
     (":pouting_face:", "😡"), (":family_mwgb:", "👨‍👩‍👧‍👦"),
     (":man_biking_tone2:", "🚴🏼‍♂️"), (":woman_technologist_tone4:", "👩🏾‍💻"),
     (":detective_tone1:", "🕵🏻"), (":man_detective_tone1:", "🕵🏻‍♂️"), (":person_tone2_bald:", "🧑🏼‍🦲"),
     (":people_holding_hands_tone1_tone3:", "🧑🏻‍🤝‍🧑🏽"), (":kiss_mm_tone2:", "👨🏼‍❤️‍💋‍👨🏼"),
     (":house_tone2:", "🏠"), (":acme_tone2:", ":acme_tone2:")],
)  # fmt: skip
def test_names_of_the_picker_are_sent_as_what_they_show(code: str, character: str) -> None:
    """Names of emoji-toolkit 7.0.1. A tone that the emoji does not have is left out, rather than the emoji."""
    assert to_unicode(code).replace("\ufe0f", "") == character.replace("\ufe0f", "")


@pytest.mark.parametrize(
    ("character", "code"),
    [("🍳", ":cooking:"), ("🛰️", ":satellite_orbital:"), ("🚴🏼‍♂️", ":man_biking_tone2:"),
     ("🕵🏻‍♂️", ":man_detective_tone1:"), ("🧑🏻‍🤝‍🧑🏽", ":people_holding_hands_tone1_tone3:"), ("🥖", ":french_bread:")],
)  # fmt: skip
def test_an_emoji_has_no_name_of_another_one(character: str, code: str) -> None:
    assert code in codes(character)
    bare = str.maketrans("", "", "\ufe0f🏻🏼🏽🏾🏿")
    assert {to_unicode(name).translate(bare) for name in codes(character)} == {character.translate(bare)}


@given(st.text(max_size=8))
def test_what_is_no_emoji_has_no_code(text: str) -> None:
    assert all(code.startswith(":") and code.endswith(":") and " " not in code for code in codes(text))
