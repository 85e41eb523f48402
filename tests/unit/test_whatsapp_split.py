"""Promises of the cut, and of the message body that carries a piece."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.whatsapp import compose
from bot.whatsapp.split import GRAPHEME, length, split


def test_what_fits_stays_as_it_is() -> None:
    assert split(" a \n") == [" a \n"]
    assert split("x" * 4096) == ["x" * 4096]


@pytest.mark.parametrize("text", ["", " ", "\n\n", " " * 5000])
def test_nothing_to_read_is_no_message(text: str) -> None:
    assert split(text) == []


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("one two\n\nthree four", ["one two", "three four"]),
        ("one two\nthree four", ["one two", "three four"]),
        ("one two three four", ["one two three", "four"]),
        ("one-two-three-four", ["one-two-three-", "four"]),
        ("ab\n\ncdefghi jklmn", ["ab\n\ncdefghi", "jklmn"]),
        ("first line\n  indented", ["first line", "  indented"]),
        ("see https://a.example/path", ["see", "https://a.exam", "ple/path"]),
    ],
)
def test_it_cuts_where_a_reader_would(text: str, pieces: list[str]) -> None:
    assert split(text, 14) == pieces


def test_emoji_count_as_the_two_units_that_they_are() -> None:
    assert length("a😀") == 3
    assert split("😀😀😀", 4) == ["😀😀", "😀"]


@pytest.mark.parametrize("one", ["👨‍👩‍👧", "🇩🇪", "👍🏽", "e\u0301", "क्षि"])
def test_what_people_see_as_one_character_is_never_cut(one: str) -> None:
    pieces = split(one * 20, length(one) * 4 - 1)
    assert pieces == [one * 3] * 6 + [one * 2]


@pytest.mark.parametrize("unit", ["🇩", "🇩\u0301", "👩\u200d", "\u0301", " ", "\n", "\r\n", "क्", "```", "a"])
def test_a_flood_is_cut_in_passing(unit: str) -> None:
    """WhatsApp lets people write 65 536 characters; what looks back at each of them would need minutes."""
    flood = "x" + unit * (65_536 // len(unit)) + "x"
    assert sum(map(len, split(flood, 5000))) >= len("".join(flood.split()))


@given(st.text(st.sampled_from("🇩🇪a\u0301\u200d👩\u0600\u0903\r\n 🏽가\u0915\u094d\u0e33"), max_size=12))
def test_characters_are_those_of_unicode(text: str) -> None:
    assert GRAPHEME.findall(text) == regex.findall(r"\X", text)


def test_a_single_character_longer_than_the_limit_is_cut_all_the_same() -> None:
    monster = "a" + "\u0301" * 50
    assert "".join(split(monster, 10)) == monster


def test_a_code_block_that_is_cut_is_closed_and_opened_again() -> None:
    code = "\n".join(f"line {n:02}" for n in range(40))
    pieces = split(f"Look:\n```\n{code}\n```\nDone.", 100)
    assert len(pieces) > 3
    assert all(piece.count("```") % 2 == 0 and length(piece) <= 100 for piece in pieces)
    assert [line for piece in pieces for line in piece.split("\n") if line.startswith("line")] == code.split("\n")


@pytest.mark.parametrize("text", ["x" * 4096, "x" * 4090, "\n\n" + "x" * 4096, "word " * 2000, "one\n" * 1500])
def test_the_line_that_names_the_author_never_stands_alone(text: str) -> None:
    name = "*Ben Agent:*"
    pieces = split(f"{name}\n{text}", lead=len(name) + 1)
    assert pieces[0].startswith(name)
    assert len(pieces[0]) > 2000
    assert "".join("".join(pieces).split()) == "".join(f"{name}{text}".split())


texts = st.text(st.sampled_from("ab \n\t.é😀👍🏽‍👩🇩🇪\u0301") | st.characters(exclude_categories=["Cs"]), max_size=120)


@given(texts, st.integers(1, 40))
@settings(max_examples=200)
def test_pieces_fit_are_never_blank_and_lose_only_white_space(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert all(piece.strip() for piece in pieces)
    assert all(length(piece) <= max(limit, 2) for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@given(texts, st.integers(30, 60))
@settings(max_examples=100)
def test_no_cut_is_inside_a_grapheme(text: str, limit: int) -> None:
    whole = [one for one in regex.findall(r"\X", text) if not one.isspace()]
    if all(length(one) <= limit for one in whole):
        cut = [one for piece in split(text, limit) for one in regex.findall(r"\X", piece) if not one.isspace()]
        assert cut == whole


def test_a_text_names_its_recipient_and_carries_our_mark() -> None:
    assert compose.text("16505551234", "Hi", "rc:1#0") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "16505551234",
        "type": "text",
        "text": {"body": "Hi", "preview_url": False},
        "biz_opaque_callback_data": "rc:1#0",
    }


def test_a_user_id_is_a_recipient_and_no_number() -> None:
    body = compose.text("DE.1234567890", "Hi", "x")
    assert body["recipient"] == "DE.1234567890"
    assert "to" not in body


def test_an_answer_names_what_it_answers() -> None:
    assert compose.text("1", "Hi", "x", reply_to="wamid.A=")["context"] == {"message_id": "wamid.A="}


@pytest.mark.parametrize(
    ("body", "preview", "wanted"),
    [
        ("see https://a.example", None, True), ("http://a.example", None, True), ("a.example", None, False),
        ("https://a.example", False, False), ("no link", True, False), ("https://a.example", True, True),
    ],
)  # fmt: skip
def test_a_preview_is_asked_for_only_when_there_is_a_link(body: str, preview: bool | None, wanted: bool) -> None:
    assert compose.text("1", body, "x", preview=preview)["text"]["preview_url"] is wanted
