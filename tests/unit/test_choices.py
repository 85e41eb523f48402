"""Quick replies: whatever the labels are, WhatsApp accepts what is made of them, and every answer comes back whole."""

from itertools import pairwise

import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model import Button
from bot.whatsapp.choices import BODY, answer, cut, offer
from bot.whatsapp.short_codes import to_unicode
from bot.whatsapp.split import length

LABEL = st.one_of(
    st.text(min_size=1, max_size=60),
    st.text(alphabet="ab 👩‍👩‍👧‍👦é🇩🇪\u0301", min_size=1, max_size=60),
    st.sampled_from(["Yes", "yes", "Yes ", "Twenty-two characters!", "x" * 300]),
).filter(lambda label: label.strip() and not any("\ud800" <= char <= "\udfff" for char in label))
BUTTONS = st.lists(LABEL.map(lambda label: Button(label, label)), min_size=1, max_size=13)


def made(text: str, buttons: list[Button], *, lists: bool = True) -> tuple[list[str], dict[str, object] | None]:
    offered = offer(text, buttons, lists=lists, label="Show Options", prompt="Please choose:")
    return offered.texts, offered.interactive


def test_titles_show_no_markup_and_answers_keep_the_text() -> None:
    labels = ("*Yes*", "_Maybe_ later", "snake_case * 2")
    _, interactive = made("?", [Button(label, label) for label in labels])

    assert interactive is not None
    shown = [one["reply"] for one in interactive["action"]["buttons"]]  # type: ignore[index]
    assert [one["title"] for one in shown] == ["Yes", "Maybe later", "snake_case * 2"]
    assert [answer(one["id"]) for one in shown] == list(labels)


@settings(max_examples=300)
@given(st.text(max_size=3000), BUTTONS, st.booleans())
def test_limits_of_whatsapp_hold_and_every_answer_comes_back(text: str, buttons: list[Button], lists: bool) -> None:
    offered = offer(text, buttons, lists=lists, label="Show Options", prompt="Please choose:")
    pieces, interactive = offered.texts, offered.interactive

    assert all(0 < length(piece) <= 4096 and piece.strip() for piece in pieces)
    wanted = [" ".join(button.text.split()) for button in buttons]
    if interactive is None:
        assert not lists or len(set(wanted)) > 3 or any(length(one) > 150 for one in wanted)
        numbered = [" ".join(to_unicode(button.text).split()) for button in buttons]
        assert list(dict.fromkeys(offered.numbered)) == list(dict.fromkeys(numbered))
        return
    assert offered.numbered == ()
    assert 0 < length(interactive["body"]["text"]) <= BODY
    if interactive["type"] == "button":
        shown = [one["reply"] for one in interactive["action"]["buttons"]]
        most, longest, longest_id = 3, 20, 256
    else:
        assert lists
        [section] = interactive["action"]["sections"]
        shown = section["rows"]
        most, longest, longest_id = 10, 24, 200
        assert length(interactive["action"]["button"]) <= 20
        assert all(length(row.get("description", "")) <= 72 for row in shown)
    assert 1 <= len(shown) <= most
    titles, ids = [one["title"] for one in shown], [one["id"] for one in shown]
    assert all(0 < length(title) <= longest and title == title.strip() for title in titles)
    assert all(length(id) <= longest_id and id == id.strip() for id in ids)
    assert len({title.casefold() for title in titles}) == len(titles)
    assert len(set(ids)) == len(ids)
    restored = [answer(id) for id in ids]
    assert restored == list(dict.fromkeys(restored))
    assert all(one and one == to_unicode(one) for one in restored)


@settings(max_examples=300)
@given(st.text(alphabet="a 👩‍👩‍👧‍👦é🇩🇪\u0301", max_size=80), st.integers(2, 30))
def test_a_cut_is_between_characters_as_people_see_them(text: str, limit: int) -> None:
    short = cut(text, limit)

    assert length(short) <= limit
    if short != text:
        assert short.endswith("…")
        graphemes = regex.findall(r"\X", text)
        beginnings = {"".join(graphemes[:n]).rstrip() for n in range(len(graphemes))}
        assert short[:-1] in beginnings


def test_titles_that_would_look_the_same_are_numbered() -> None:
    buttons = [Button("Appointment on Monday morning", "m"), Button("Appointment on Monday at noon", "n")]
    _, interactive = made("When?", buttons)

    assert interactive is not None
    titles = [one["reply"]["title"] for one in interactive["action"]["buttons"]]  # type: ignore[index]  # plain JSON
    assert titles == ["1. Appointment on M…", "2. Appointment on M…"]


def test_the_answer_is_what_a_press_says_and_not_the_label() -> None:
    _, interactive = made("?", [Button("Yes", "I agree to everything")])

    assert interactive is not None
    assert "I agree to everything" in str(interactive["action"])


def test_labels_that_no_id_can_carry_are_numbered_text() -> None:
    label = "x" * 260

    assert made("Which?", [Button(label, label), Button("No", "No")]) == ([f"Which?\n1. {label}\n2. No"], None)


def test_ids_of_other_systems_are_left_alone() -> None:
    assert [answer(id) for id in ("", "yes", "rc1", "rc1|", "rc|x", "xrc1|x", "rc123|x")] == [""] * 7
    assert answer("rc1|a|b") == "a|b"


def test_nothing_but_addresses_is_text_alone() -> None:
    assert made("Look", [Button("Map", "Map", "https://e.org/m")]) == (["Look\nMap: https://e.org/m"], None)


def test_order_is_kept() -> None:
    _, interactive = made("?", [Button(str(n), str(n)) for n in range(9)])

    assert interactive is not None
    rows = interactive["action"]["sections"][0]["rows"]  # type: ignore[index]  # plain JSON
    assert all(int(one["title"]) < int(two["title"]) for one, two in pairwise(rows))
