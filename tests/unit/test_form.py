"""Fields and sessions: what a good answer is, what is stored of it, and what a stored form is read back as."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chatops.command import Person, Reply, Words
from bot.chatops.form import Field, FormSession, Kind, Option, Review, choose, clean, phone
from bot.errors import Invalid
from bot.model import RoomId, UserId

DEPARTMENTS = (Option("d1", "Sales"), Option("d2", "Support"), Option("d3", "Support Spain"), Option("9", "3"))


def a_field(kind: Kind = "text", required: bool = False, options: tuple[Option, ...] = ()) -> Field:
    return Field("name", kind, "label", required=required, options=options)


@pytest.mark.parametrize(
    "typed",
    [
        "+49 1511 2345678",
        "+49 (0)1511 2345678",
        "0049-1511-2345678",
        "4915112345678",
        " +49.1511.2345678 ",
        "tel:+4915112345678",
        "٠٠٤٩١٥١١٢٣٤٥٦٧٨",
        "+４９１５１１２３４５６７８",
    ],
)
def test_a_phone_number_has_one_stored_form(typed: str) -> None:
    assert phone(typed) == "+4915112345678"


@pytest.mark.parametrize("typed", ["0151 12345678", "+49", "hello", "+", "123", "+49 1511 2345678 ext. 4", "+1" * 40])
def test_what_is_no_complete_number_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as caught:
        phone(typed)

    assert caught.value.sentence == "form.not_a_phone"


def test_a_brazilian_mobile_without_the_ninth_digit_is_a_number() -> None:
    assert phone("+55 51 9525 1234") == "+555195251234"


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_no_text_breaks_the_phone_check(typed: str) -> None:
    try:
        stored = phone(typed)
    except Invalid:
        return
    assert stored.startswith("+")
    assert stored[1:].isascii()
    assert stored[1:].isdigit()
    assert phone(stored) == stored


@pytest.mark.parametrize(
    ("typed", "value"),
    [("d2", "d2"), ("2", "d2"), ("sales", "d1"), ("SUP", None), ("support", "d2"), ("Support S", "d3"), ("3", "9"),
     ("4", "9"), ("0", None), ("5", None), ("Nope", None), ("²", None), ("9", "9")],
)  # fmt: skip
def test_a_choice_is_found_by_value_name_beginning_or_number(typed: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(Invalid):
            choose(DEPARTMENTS, typed)
    else:
        assert choose(DEPARTMENTS, typed) == value


def test_a_beginning_that_several_have_is_told_with_them() -> None:
    options = [Option(f"v{n}", f"campaign {n}") for n in range(9)]
    with pytest.raises(Invalid) as wrong:
        choose(options, "Campaign")

    assert wrong.value.sentence == "form.several_choices"
    assert wrong.value.values["choices"] == "campaign 0, campaign 1, campaign 2, campaign 3, campaign 4, …"


def test_an_optional_field_may_be_empty_and_a_needed_one_not() -> None:
    assert clean(a_field(), "  \n ") == ""
    with pytest.raises(Invalid) as caught:
        clean(a_field(required=True), " ")
    assert (caught.value.sentence, caught.value.field) == ("form.missing", "name")


def test_long_texts_keep_their_lines_and_end_at_1024_characters() -> None:
    field = a_field("long_text")

    assert clean(field, " one\r\ntwo ") == "one\ntwo"
    assert clean(field, "x" * 1024) == "x" * 1024
    with pytest.raises(Invalid) as caught:
        clean(field, "x" * 1025)
    assert caught.value.values == {"n": 1024, "length": 1025}


def test_a_line_is_one_line() -> None:
    with pytest.raises(Invalid) as caught:
        clean(a_field(), "a\nb")

    assert caught.value.sentence == "form.one_line"


def test_agreement_to_one_thing_is_not_agreement_to_another() -> None:
    one, other = (Review(agree=(Words("replaces", {"address": host}),)) for host in ("a.example", "b.example"))

    assert one.digest != other.digest
    assert one.digest == replace(one, notes=(Words("n"),)).digest


def test_a_session_survives_storage_as_json() -> None:
    session = FormSession(
        id="abc",
        form="connect",
        person=Person(UserId("u"), "ada", "Ada"),
        room=RoomId("r"),
        about={"number": "49"},
        answers={"phone_number": "+49", "department": ""},
        secrets={"api_key": "secret"},
        asking="department",
        on_page=True,
        revision=7,
        ticket_hash="h",
        ticket_until=1.5,
        expires=2.5,
        heard="chat:1",
        said=Reply("a", {"b": Words("c")}),
        problem=Words("d"),
    )

    assert FormSession.of(json.loads(json.dumps(session.document()))) == session


def test_a_session_of_a_later_version_is_read_without_what_is_new() -> None:
    session = FormSession("abc", "connect", Person(UserId("u"), "ada"), RoomId("r"))

    assert FormSession.of({**session.document(), "colour": "blue"}) == session


def test_a_closed_session_keeps_nothing_that_was_typed() -> None:
    session = FormSession(
        "abc", "connect", Person(UserId("u"), "ada"), RoomId("r"), answers={"a": "b"}, secrets={"k": "s"}
    )

    assert (session.closed("done").answers, session.closed("done").secrets) == ({}, {})


def test_secrets_are_not_shown_when_a_session_is_printed() -> None:
    session = FormSession("abc", "connect", Person(UserId("u"), "ada"), RoomId("r"), secrets={"api_key": "hidden"})

    assert "hidden" not in repr(session)
