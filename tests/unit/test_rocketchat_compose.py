"""What agents see of a customer's message, and the ids under which it is posted."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model import (
    Button,
    Choice,
    ContactCard,
    ContactId,
    Contacts,
    Edit,
    FlowAnswer,
    Labelled,
    Location,
    Media,
    Message,
    Notice,
    NumberChange,
    NumberId,
    Order,
    OrderItem,
    Part,
    Post,
    Reaction,
    Referral,
    Revoke,
    Sender,
    Text,
    Unknown,
    Unsupported,
    Wamid,
)
from bot.rocketchat.compose import as_lines, message_id, notice_id, post, visitor_name
from bot.translations import translator
from bot.whatsapp.markup import inert

T = translator()
AT = 1772359200.0
HOUR, DAY = 3600.0, 86400.0
SENDER = Sender(ContactId("491701234567"), phone="+491701234567", name="Maria")


def message(*parts: Part, at: float = AT) -> Message:
    return Message(Wamid("wamid.A"), SENDER, at, parts)


def shown(*parts: Part) -> str:
    return as_lines(message(*parts), T, received_at=AT + 1)


def words(text: str) -> str:
    """Without the marks that make outside text harmless or ours bold."""
    return re.sub(r"[\\*_\u200b\u2060\u200d\ufeff]", "", text)


# --- ids ------------------------------------------------------------------------------------------------------------


def test_an_id_is_the_same_each_time_and_another_for_each_number_message_and_part() -> None:
    number, other = NumberId("4915112345678"), NumberId("4915112345679")
    wamid = Wamid("wamid.HBgM+/=")
    assert message_id(number, wamid) == message_id(number, wamid, 0)
    different = [
        message_id(number, wamid),
        message_id(other, wamid),
        message_id(number, Wamid("wamid.hbgm+/=")),
        message_id(number, wamid, 1),
        notice_id(wamid),
    ]
    assert len(set(different)) == 5


@given(st.text(), st.text(), st.integers(0, 99))
@settings(max_examples=50)
def test_an_id_is_short_and_safe_in_an_address(number: str, wamid: str, part: int) -> None:
    for id in (message_id(NumberId(number), Wamid(wamid), part), notice_id(wamid)):
        assert re.fullmatch(r"[A-Za-z0-9]{17,40}", id)
    assert message_id(NumberId(number), Wamid(wamid), part).startswith("wa")


# --- messages -------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1).filter(lambda text: bool(inert(text).strip())))
@settings(max_examples=60)
def test_text_alone_is_the_customers_text_and_nothing_else(text: str) -> None:
    assert shown(Text(text)) == inert(text)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Media("image", "1", caption="our cat"), ["Image", "our cat"]),
        (Media("document", "1", file_name="bill.pdf"), ["Document bill.pdf"]),
        (Media("voice", "1"), ["Voice message"]),
        (Media("sticker", "1", problem="expired"), ["Sticker", "could not hand over the file: expired"]),
        (Location(52.5, 13.4, "Office", "Main Street 1"), ["Location: Office", "Main Street 1", "mlat=52.500000"]),
        (Location(-1.0, 0.0), ["Location", "https://www.openstreetmap.org/?mlat=-1.000000&mlon=0.000000"]),
        (
            Contacts(
                (
                    ContactCard(
                        "Ann",
                        (Labelled("+491", "CELL"), Labelled("+492")),
                        (Labelled("a@b.example", "WORK"),),
                        "Lead, ACME",
                        (Labelled("Main Street 1, 10115 Berlin", "HOME"),),
                        (Labelled("https://a.example", "WORK"), Labelled("javascript:alert(1)")),
                        "1990-05-01",
                    ),
                )
            ),
            [
                "Contact: Ann",
                "Lead, ACME",
                "+491 (cell) · +492",
                "a@b.example (work)",
                "Main Street 1, 10115 Berlin (home)",
                "https://a.example (work)",
                "Birthday: 1990-05-01",
            ],
        ),
        (Contacts((ContactCard("", (Labelled("+491", "CELL"),)),)), ["Contact: +491", "+491 (cell)"]),
        (Contacts((ContactCard("", organisation="ACME"),)), ["Contact: ACME"]),
        (Contacts((ContactCard("", vcard="BEGIN:VCARD\nFN:Ann"),)), ["Contact without a name", "FN:Ann"]),
        (Contacts((ContactCard("", birthday="1990-05-01"),)), ["Contact without a name", "Birthday: 1990-05-01"]),
        (Choice("Yes please", id="yes"), ["Yes please"]),
        (Choice("", id="yes"), ["yes"]),
        (FlowAnswer((("Size", "M"), ("Colour", "red"))), ["Filled in a form", "Size: M", "Colour: red"]),
        (Reaction(Wamid("w"), "👍"), ["reacted with 👍"]),
        (Reaction(Wamid("w"), ""), ["took back a reaction"]),
        (Order((OrderItem("sku-1", "2", "9.99", "EUR"),), "soon please"), ["2 × sku-1, 9.99 EUR", "soon please"]),
        (Edit(Wamid("w"), (Text("new words"),)), ["corrected:", "new words"]),
        (Revoke(Wamid("w")), ["deleted a message"]),
        (NumberChange("+491", "+492"), ["from +491 to +492"]),
        (NumberChange("", "+492"), ["new WhatsApp number: +492"]),
        (NumberChange("+491", ""), ["no longer uses", "+491"]),
        (NumberChange("", ""), ["changed their WhatsApp number"]),
        (NumberChange("US.111", "US.222"), ["changed their WhatsApp number; the new one is not known"]),
        (Notice("request_welcome"), ["opened the chat"]),
        (Notice("product", "sku-7"), ["asks about the product sku-7"]),
        (Notice("of the future", "detail"), ["of the future detail"]),
        (Unsupported("poll", "not supported"), ["does not hand over", "poll", "not supported"]),
        (Unsupported(), ["does not hand over"]),
        (Unknown("hologram", {}), ["does not know", "hologram"]),
    ],
)
def test_every_kind_of_part_is_readable(part: Part, expected: list[str]) -> None:
    text = words(shown(part))
    assert [word for word in expected if word not in text] == []
    assert "room." not in text and "{" not in text


def test_a_caption_is_whole_however_many_lines_it_has() -> None:
    assert inert("one\ntwo\nthree") in shown(Media("image", "1", caption="one\ntwo\nthree"))


def test_a_location_never_links_to_anything_but_a_page() -> None:
    assert "javascript" not in shown(Location(1, 2, url="javascript:alert(1)"))


def test_forwarded_messages_and_those_from_an_advertisement_say_so_first() -> None:
    referral = Referral("https://fb.example/ad", "Big sale", "Only today")
    lines = words(as_lines(replace(message(Text("hi")), forwarded=True, referral=referral), T, received_at=AT)).split(
        "\n"
    )
    assert lines[0] == "Forwarded:" and lines[-1] == "hi"
    often = as_lines(replace(message(Text("hi")), forwarded=True, forwarded_often=True), T, received_at=AT)
    assert words(often).split("\n") == ["Forwarded many times:", "hi"]
    assert [part for part in ("Big sale", "Only today", "fb.example/ad") if part not in "\n".join(lines)] == []


@pytest.mark.parametrize("late", [HOUR + 60, 3 * DAY, 7 * DAY])
def test_a_message_that_was_under_way_for_long_says_when_it_was_written(late: float) -> None:
    first, last = as_lines(message(Text("hi")), T, received_at=AT + late).split("\n")
    assert "2026-03-01 10:00 UTC" in first and last == "hi"


@pytest.mark.parametrize("late", [-5.0, 0.0, HOUR - 60, 9 * DAY, 400 * DAY])
def test_a_message_in_time_or_from_a_replay_says_nothing_about_it(late: float) -> None:
    assert as_lines(message(Text("hi")), T, received_at=AT + late) == "hi"


def test_what_had_to_wait_here_says_when_it_arrived() -> None:
    first, last = as_lines(message(Text("hi")), T, received_at=AT + 1, shown_at=AT + 4000).split("\n")

    assert first.startswith("_Arrived 20") and first.endswith(" UTC, shown only now:_")
    assert last == "hi"
    assert as_lines(message(Text("hi")), T, received_at=AT + 1, shown_at=AT + 60) == "hi"
    assert "delivered late by WhatsApp" in as_lines(message(Text("hi")), T, received_at=AT + 7200, shown_at=AT + 20_000)


cards = st.builds(ContactCard, st.text(), st.tuples(st.builds(Labelled, st.text(), st.text())))
parts = st.one_of(
    st.builds(Text, st.text()),
    st.builds(Media, st.sampled_from(["image", "video", "audio", "voice", "document", "sticker"]), st.text()),
    st.builds(Location, st.floats(), st.floats(), st.text(), st.text(), st.text()),
    st.builds(Contacts, st.lists(cards, max_size=2).map(tuple)),
    st.builds(Choice, st.text(), st.text()),
    st.builds(FlowAnswer, st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple), st.text()),
    st.builds(Reaction, st.just(Wamid("w")), st.text()),
    st.builds(Order, st.lists(st.builds(OrderItem, st.text(), st.text(), st.text()), max_size=2).map(tuple)),
    st.builds(NumberChange, st.text(), st.text(), st.text()),
    st.builds(Notice, st.text(), st.text()),
    st.builds(Unsupported, st.text(), st.text()),
    st.builds(Unknown, st.text(), st.just({})),
)


@given(st.lists(parts, max_size=3))
@settings(max_examples=150)
def test_nothing_that_a_customer_sends_is_shown_as_nothing(some: list[Part]) -> None:
    assert shown(*some).strip()
    assert shown(Edit(Wamid("w"), tuple(some))).strip()


@given(st.text(max_size=40))
@settings(max_examples=80)
def test_no_part_lets_a_customer_mention_everybody(text: str) -> None:
    hostile = f"{text} @all [x](javascript:1)"
    for part in (Media("image", "1", caption=hostile, file_name=hostile), Location(1, 2, hostile, hostile)):
        assert not re.search(r"(?<![\w\u200b\u2060\\])@all\b", shown(part))


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (SENDER, "Maria"),
        (replace(SENDER, name=" \n "), "+491701234567"),
        (replace(SENDER, name="", phone="", user_id="DE.123"), "DE.123"),
        (replace(SENDER, name="", phone=""), "491701234567"),
        (Sender(ContactId("")), "WhatsApp customer"),
    ],
)
def test_a_customer_is_named_by_the_best_there_is(sender: Sender, name: str) -> None:
    assert visitor_name(sender, T) == name


@given(st.text(max_size=300))
@settings(max_examples=80)
def test_a_name_is_one_short_line(name: str) -> None:
    shown_name = visitor_name(replace(SENDER, name=name), T)
    assert shown_name.strip() and len(shown_name) <= 80 and len(shown_name.splitlines()) == 1


# --- the bot's own posts --------------------------------------------------------------------------------------------


def test_a_post_without_buttons_has_no_attachments() -> None:
    assert post(Post("hello")) == {"msg": "hello"}


def test_buttons_become_actions_that_post_their_text_or_open_their_page() -> None:
    buttons = (Button("Yes", text="!yes 1"), Button("Open", url="https://bot.example/forms/1"))
    assert post(Post("sure?", buttons)) == {
        "msg": "sure?",
        "attachments": [
            {
                "actions": [
                    {
                        "type": "button",
                        "text": "Yes",
                        "msg": "!yes 1",
                        "msg_in_chat_window": True,
                        "msg_processing_type": "sendMessage",
                    },
                    {"type": "button", "text": "Open", "url": "https://bot.example/forms/1"},
                ]
            }
        ],
    }
