"""What people type about templates: recipients, one line for everything, and texts for every kind of value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chatops.template_form import direct, recipients, template_options, variable_fields
from bot.errors import Invalid
from bot.relay.templates import Shelf
from bot.translations import catalogues, translator
from bot.whatsapp.templates import Template, read

T = translator("en")


def template(name: str = "order", language: str = "en", **more: object) -> Template:
    link = {"type": "URL", "text": "Track", "url": "https://s.example/{{1}}"}
    buttons = [link, {"type": "QUICK_REPLY", "text": "Hi"}]
    parts: list[dict[str, object]] = [
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
        {"type": "BODY", "text": "Hi {{1}}, on {{2}}"},
        {"type": "BUTTONS", "buttons": buttons},
    ]
    found = read({"name": name, "language": language, "status": "APPROVED", "components": parts, **more})
    assert found is not None
    return found


# --- recipients -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "+49 170 1234567, +55 41 98888-7777",
        "+491701234567 +5541988887777",
        "491701234567 5541988887777",
        "+49 170 1234567 +55 41 98888 7777",
        "491701234567\n5541988887777\n",
        "00491701234567;0055 (41) 98888-7777",
        "+491701234567,+491701234567, +5541988887777",
    ],
)
def test_numbers_are_read_however_they_are_written_and_separated(text: str) -> None:
    assert recipients(text) == ["491701234567", "5541988887777"]


def test_a_block_that_begins_with_zeros_belongs_to_its_number() -> None:
    assert recipients("+49 170 0000001") == ["491700000001"]
    assert recipients("+49 170 0000001 0049 170 1234567") == ["491700000001", "491701234567"]


@pytest.mark.parametrize("text", ["nobody", "+49 170 1234567, Ana", "+12", "+1234567890123456"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        recipients(text)
    assert caught.value.sentence == "send_template.not_a_phone"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("0170 1234567", ["491701234567"]),
        ("0170 1234567 0171 7654321", ["491701234567", "491717654321"]),
        ("0170 1234567, +55 41 98888-7777", ["491701234567", "5541988887777"]),
        ("0170 1234567 +55 41 98888-7777\n0171/7654321", ["491701234567", "5541988887777", "491717654321"]),
    ],
)
def test_a_number_as_one_dials_at_home_is_of_the_country_of_the_one_that_sends(text: str, digits: list[str]) -> None:
    assert recipients(text, "DE") == digits
    with pytest.raises(Invalid):
        recipients(text)


def test_there_is_a_most() -> None:
    assert len(recipients(",".join(f"+49170{n:07}" for n in range(250)))) == 250
    with pytest.raises(Invalid):
        recipients(",".join(f"+49170{n:07}" for n in range(251)))


@given(
    st.lists(st.integers(4917_0000_0000, 4917_9999_9999), min_size=1, max_size=20, unique=True),
    st.sampled_from([",", ", ", " ", "\n", ";", " ,\n"]),
)
def test_numbers_with_a_plus_survive_every_separator(numbers: list[int], separator: str) -> None:
    assert recipients(separator.join(f"+{number}" for number in numbers)) == [str(number) for number in numbers]


# --- one line -------------------------------------------------------------------------------------------------------


def test_values_follow_in_the_order_of_the_template() -> None:
    said = direct(template(), ["+491701234567", "A-1", "Ana Maria", "Friday", "A-1"], with_recipients=True)

    assert said.complete
    assert said.answers == {
        "template": "order|en", "recipients": "+491701234567",
        "header_1": "A-1", "body_1": "Ana Maria", "body_2": "Friday", "button_0": "A-1",
    }  # fmt: skip


def test_a_value_may_be_named_and_the_others_keep_their_order() -> None:
    said = direct(template(), ["+491701234567", "body_2=Friday", "A-1", "Ana", "button_1=yes", "A-1"],
                  with_recipients=True)  # fmt: skip

    assert said.complete
    assert (said.answers["body_1"], said.answers["body_2"], said.answers["button_1"]) == ("Ana", "Friday", "yes")


def test_a_value_with_an_equals_sign_stays_a_value() -> None:
    said = direct(template(), ["x=1", "a=b", "c", "?id=1"], with_recipients=False)

    assert said.answers["header_1"] == "x=1"
    assert said.answers["button_0"] == "?id=1"


def test_digits_are_a_recipient_only_in_front_or_with_a_plus() -> None:
    said = direct(template(), ["491701234567", "+5541988887777", "1234567", "Ana"], with_recipients=True)

    assert said.answers["recipients"] == "+491701234567, +5541988887777"
    assert said.answers["header_1"] == "1234567"
    assert not said.complete


@pytest.mark.parametrize(
    ("line", "to", "first"),
    [
        ("+49 170 1234567 A-1", "+491701234567", "A-1"),
        ("0170 1234567 12", "+491701234567", "12"),
        ("+49 170 1234567 +55 41 98888 7777 A-1", "+491701234567, +5541988887777", "A-1"),
        ("+491701234567,+5541988887777 A-1", "+491701234567, +5541988887777", "A-1"),
        ("+491700000001 7", "+491700000001", "7"),
        ("491701234567 12 34", "+491701234567", "12"),
    ],
)
def test_a_number_in_one_line_may_have_blanks(line: str, to: str, first: str) -> None:
    answers = direct(template(), line.split(), with_recipients=True, region="DE").answers

    assert (answers.get("recipients"), answers.get("header_1")) == (to, first)


def test_a_number_whose_end_cannot_be_told_is_not_guessed() -> None:
    with pytest.raises(Invalid) as caught:
        direct(template(), ["+49", "170", "0000001", "7", "Ana"], with_recipients=True)
    assert caught.value.sentence == "send_template.which_phone"

    quoted = direct(template(), ["+49 170 0000001", "7", "Ana"], with_recipients=True)
    assert quoted.answers["recipients"] == "+491700000001"


def test_a_list_that_can_be_read_in_two_ways_is_to_be_separated() -> None:
    with pytest.raises(Invalid) as caught:
        recipients("49 170 1234567 49 171 1234567", "DE")
    assert caught.value.sentence == "send_template.which_phones"


def test_what_is_missing_leaves_it_open() -> None:
    assert not direct(template(), ["A-1", "Ana", "Friday", "A-1"], with_recipients=True).complete
    assert not direct(template(), ["A-1", "Ana"], with_recipients=False).complete


def test_too_many_values_are_not_guessed_together() -> None:
    with pytest.raises(Invalid) as caught:
        direct(template(), ["a", "b", "c", "d", "e"], with_recipients=False)
    assert caught.value.sentence == "send_template.too_many_values"


# --- fields and options ---------------------------------------------------------------------------------------------


def test_only_what_may_be_sent_is_offered_and_a_lone_name_is_enough() -> None:
    shelf = Shelf(
        (template("a"), template("b", "de"), template("b", "en"), template("c", status="PENDING")), read_at=0.0
    )
    options = template_options([shelf, shelf])

    assert [option.value for option in options] == ["a|en", "b|de", "b|en"]
    assert "a" in options[0].also
    assert "b" not in options[1].also
    assert "b de" in options[1].also


def test_every_kind_of_value_has_words_for_its_question() -> None:
    parts = [
        *({"type": "HEADER", "format": kind} for kind in ("TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION")),
    ]
    kinds = ("URL", "COPY_CODE", "QUICK_REPLY", "FLOW", "CATALOG")
    buttons = [{"type": kind, "text": kind, "url": "https://s.example/{{1}}"} for kind in kinds]
    known = {key[0] if isinstance(key, tuple) else key for key in (m.id for m in catalogues()["en"])}
    for header in parts:
        components = [{**header, "text": "{{1}}"}, {"type": "BODY", "text": "{{1}}"}]
        found = read({"name": "x", "language": "en", "components": [*components, {"type": "BUTTONS",
                      "buttons": buttons}]})  # fmt: skip
        assert found is not None
        for field in variable_fields(found):
            assert {field.label, field.help} - {""} <= known
            assert "{" not in T(field.label, **field.about) + T(field.help, **field.about)


def test_the_words_below_a_question_of_the_header_are_about_that_question() -> None:
    def helps(kind: str) -> dict[str, str]:
        header = {"type": "HEADER", "format": kind, "example": {"header_handle": [f"https://cdn.example/{'x' * 300}"]}}
        found = read({"name": "x", "language": "en", "components": [header, {"type": "BODY", "text": "Hello"}]})
        assert found is not None
        return {
            field.name.removeprefix("header_"): T(field.help, **field.about) if field.help else ""
            for field in variable_fields(found)
        }

    link = "A link that begins with https://, or a file uploaded on the page"
    assert helps("IMAGE") == {"media": f"{link}: JPEG, PNG, at most 5 MB."}
    assert helps("VIDEO") == {"media": f"{link}: MP4, 3GP, at most 16 MB."}
    assert helps("DOCUMENT") == {"media": f"{link}, at most 16 MB."}
    assert helps("LOCATION") == {
        "latitude": "Coordinates in degrees, for example 52.5200.",
        "longitude": "Coordinates in degrees, for example 13.4050.",
        "name": "",
        "address": "",
    }
