"""A customer who types the number of a choice: which texts are just a number, in whatever digits they are written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import Button
from bot.whatsapp.choices import offer, typed_place

ZEROS = [chr(c) for c in range(0x110000) if unicodedata.decimal(chr(c), None) == 0]
"""Of every script that has digits; the other nine follow each of them (Unicode: Nd)."""


def in_script(number: int, zero: str) -> str:
    return "".join(chr(ord(zero) + int(digit)) for digit in str(number))


@given(
    st.integers(1, 999), st.sampled_from(ZEROS), st.sampled_from(["", ".", ")"]), st.sampled_from(["", " ", "\n\u00a0"])
)
def test_a_number_alone_is_read_in_any_script(number: int, zero: str, mark: str, blank: str) -> None:
    assert typed_place(f"{blank}{in_script(number, zero)}{blank}{mark}{blank}") == number


@pytest.mark.parametrize("text", ["\u200f٣\u200f", "\u202b٣.\u202c", "\u2066३)\u2069"])
def test_marks_of_direction_that_keyboards_add_do_not_count(text: str) -> None:
    assert typed_place(text) == 3


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "03", "3 pieces", "3,5", "3.5", "3-4", "+3", "-3", "#3", "(3)", "3))", "3..", "1 2", "1٢", "1000",
     "three", "³", "③", "Ⅲ", "三", "3️⃣"],
)  # fmt: skip
def test_anything_else_is_a_text(text: str) -> None:
    assert typed_place(text) is None


@given(st.text(max_size=12))
def test_no_text_raises(text: str) -> None:
    place = typed_place(text)

    assert place is None or 1 <= place <= 999


def test_what_the_numbers_stand_for_is_told() -> None:
    buttons = [Button("*Red*", "I take red"), Button("Map", url="https://example.org"), Button("Blue", "blue")]
    offered = offer("Which?", buttons, lists=False, label="", prompt="Choose:")
    assert offered.interactive is not None and offered.numbered == ()

    offered = offer("Which?", [*buttons, Button("A", "a"), Button("B", "b")], lists=False, label="", prompt="Choose:")
    assert offered.texts == ["Which?\nMap: https://example.org\n1. Red\n2. Blue\n3. A\n4. B"]
    assert offered.numbered == ("I take red", "blue", "a", "b")
